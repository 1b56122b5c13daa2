#pragma once
#include "heed/rl/environment.hpp"

namespace heed::detail {

/// What a wrapper says as the world inside does.
template <Environment World>
class Wrapper {
 public:
  using Action = typename World::Action;

  Index actions() const requires DiscreteEnvironment<World> { return world_.actions(); }
  Action choices() const requires MultiDiscreteEnvironment<World> { return world_.choices(); }
  Action low() const requires ContinuousEnvironment<World> { return world_.low(); }
  Action high() const requires ContinuousEnvironment<World> { return world_.high(); }
  Index observation() const { return world_.observation(); }

 protected:
  explicit Wrapper(const World& world) : world_(world) {}

  World world_;
};

}  // namespace heed::detail
