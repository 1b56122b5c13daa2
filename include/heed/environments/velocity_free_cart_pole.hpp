#pragma once
#include "heed/environments/cart_pole.hpp"
#include "heed/environments/masked_observation.hpp"

namespace heed {

/// CartPole of which only positions are seen, as [position, 0, angle, 0]: the speeds have to be told from what was seen
/// before. RL Baselines3 Zoo's CartPoleNoVel-v1 (Raffin 2020).
inline MaskedObservation<CartPole> velocity_free_cart_pole(Index limit = 500) {
  return {CartPole(limit), {1, 0, 1, 0}};
}

}  // namespace heed
