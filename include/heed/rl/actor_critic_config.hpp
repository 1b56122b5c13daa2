#pragma once
#include <cstdint>

#include "heed/core/tokens.hpp"
#include "heed/optimizers/schedule.hpp"

namespace heed {

/// Between iterations all may be changed but lanes, recent, capacity, seed and what observations and rewards are
/// normalised by (and gamma, where that is rewards), which are read once.
struct ActorCriticConfig {
  double learning_rate = 7e-4;                        ///< of Adam
  Schedule schedule = {.shape = Schedule::constant};  ///< of the learning rate, over total_steps
  Index total_steps = 1'000'000;                      ///< of the environment, over all lanes: only for the schedule
  double gamma = 0.99;                                ///< discount a step
  double lambda = 1;                    ///< of the generalised advantages; 1: returns to the end of what was lived
  double reward_scale = 1;              ///< rewards are multiplied by it: values should be of the order of 1
  Index lanes = 16;                     ///< episodes that are played side by side
  Index steps = 5;                      ///< of each lane an iteration
  bool normalise = false;               ///< advantages of an iteration to mean 0 and deviation 1
  bool normalise_observations = false;  ///< by all that was observed so far, to mean 0 and deviation 1
  bool normalise_rewards = false;       ///< by the deviation of all discounted returns so far
  double entropy = 0.01;                ///< weight of the entropy bonus
  double value = 0.5;                   ///< weight of the squared error of the learned value
  double max_gradient_norm = 0.5;       ///< the gradient is scaled down to this norm; 0: never
  Index recent = 100;                   ///< mean_return() is over so many of the last episodes
  Index capacity = 0;      ///< steps that a policy without a window can remember; 0: the world's time limit
  std::uint64_t seed = 1;  ///< of the episodes
};

/// What an iteration did: means over its steps, where nothing else is said.
struct ActorCriticStatistics {
  Index steps = 0;                ///< so far, over all lanes, in all iterations
  Index episodes = 0;             ///< that ended so far
  double entropy = 0;             ///< of the policy, nats
  double value_error = 0;         ///< squared, of the learned value
  double explained_variance = 0;  ///< 1 - var(G - V) / var(G)
  double gradient_norm = 0;       ///< before clipping
  double steps_per_second = 0;    ///< of this iteration, acting and learning

  /// Adds what is summed over shards.
  void add(const ActorCriticStatistics& part) {
    entropy += part.entropy;
    value_error += part.value_error;
  }
};

}  // namespace heed
