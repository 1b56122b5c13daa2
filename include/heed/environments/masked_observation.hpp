#pragma once
#include <vector>

#include "heed/detail/wrapper.hpp"

namespace heed {

/// An environment whose observation is multiplied by a mask, feature by feature: x_i = mask_i observation_i, in each
/// column. A 0 hides a feature, such as a speed, that then has to be told from what was seen before.
template <Environment World>
class MaskedObservation : public detail::Wrapper<World> {
 public:
  using State = typename World::State;
  using Action = typename World::Action;

  /// Numbers of the observation are multiplied by those of the mask, one each.
  MaskedObservation(const World& world, std::vector<double> mask)
      : detail::Wrapper<World>(world), mask_(std::move(mask)) {
    if (Index(mask_.size()) != world.observation())
      detail::fail("MaskedObservation: a mask of %ld numbers, but the world shows %ld", long(mask_.size()),
                   long(world.observation()));
  }

  Index time_limit() const { return this->world_.time_limit(); }
  Index entities(const State& s) const requires EntityEnvironment<World> { return this->world_.entities(s); }

  void allowed(const State& s, std::span<bool> mask) const requires(masks_actions<World>) {
    this->world_.allowed(s, mask);
  }

  State reset(Random& random) const { return this->world_.reset(random); }
  Outcome step(State& s, const Action& action) const { return this->world_.step(s, action); }

  template <class S>
  void observe(const State& s, Write<S> x) const {
    this->world_.observe(s, x);
    for (Index i = 0; i < x.rows(); ++i) x.row(i) *= S(mask_[std::size_t(i)]);
  }

 private:
  std::vector<double> mask_;
};

}  // namespace heed
