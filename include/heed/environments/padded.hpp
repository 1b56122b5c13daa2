#pragma once
#include <span>

#include "heed/detail/episode.hpp"
#include "heed/rl/environment.hpp"

namespace heed {

/// The entities of an environment as one column of fixed size, for a network that reads no sets: `most` places one
/// below the other, each an entity's column and then a 1; places without an entity are 0. More than `most` entities in
/// sight are an error.
///
///   x: most (observation + 1) x 1
///
/// Of an EntityEnvironment or a ManyAgentsEnvironment, and one itself of the second kind.
template <class World>
requires(shows_entities<World>) class Padded {
  static constexpr bool many = ManyAgentsEnvironment<World>;

 public:
  using State = typename World::State;
  using Action = typename World::Action;

  /// Shows `most` columns.
  Padded(const World& world, Index most) : world_(world), most_(most) {
    detail::expect_at_least("Padded", "most", most, 1);
  }

  /// The environment within.
  const World& inner() const { return world_; }
  Index observation() const { return most_ * (world_.observation() + 1); }
  Index time_limit() const { return world_.time_limit(); }
  Index actions() const requires(many || DiscreteEnvironment<World>) { return world_.actions(); }
  /// Of the environment within.
  Action choices() const requires MultiDiscreteEnvironment<World> { return world_.choices(); }
  Action low() const requires ContinuousEnvironment<World> { return world_.low(); }
  Action high() const requires ContinuousEnvironment<World> { return world_.high(); }
  Index agents() const requires many { return world_.agents(); }
  bool acts(const State& s, Index agent) const requires many { return world_.acts(s, agent); }

  void allowed(const State& s, std::span<bool> mask) const requires(!many && masks_actions<World>) {
    world_.allowed(s, mask);
  }
  void allowed(const State& s, Index agent, std::span<bool> mask) const requires(many&& masks_actions<World>) {
    world_.allowed(s, agent, mask);
  }

  State reset(Random& random) const { return world_.reset(random); }
  Outcome step(State& s, const Action& action) const requires(!many) { return world_.step(s, action); }
  void step(State& s, std::span<const Action> actions, std::span<Outcome> outcomes) const requires many {
    world_.step(s, actions, outcomes);
  }

  template <class S>
  void observe(const State& s, Write<S> x) const requires(!many) {
    world_.observe(s, places(x, world_.entities(s)));
  }
  template <class S>
  void observe(const State& s, Index agent, Write<S> x) const requires many {
    world_.observe(s, agent, places(x, world_.entities(s, agent)));
  }

 private:
  /// Clears x but for the presence of the first n, and says where their columns are.
  template <class S>
  Write<S> places(Write<S>& x, Index n) const {
    detail::expect_shape("Padded", "x", x, observation(), 1);
    if (n > most_) [[unlikely]]
      detail::fail("Padded: %ld entities are in sight, but there are places for %ld", long(n), long(most_));
    const Index rows = world_.observation();
    x.setZero();
    for (Index i = 0; i < n; ++i) x(i * (rows + 1) + rows, 0) = 1;
    return Write<S>(detail::Strided<S, Dynamic>(x.data(), rows, n, Eigen::OuterStride<>(rows + 1)));
  }

  World world_;
  Index most_;
};

}  // namespace heed
