#pragma once
#include <algorithm>
#include <array>

#include "heed/detail/wrapper.hpp"

namespace heed {

/// An environment that shows, below what is observed, what the last step was: its action and its reward (as the agents of
/// Wang et al. 2016 and Duan et al. 2016, which learn within an episode). At the start these are 0.
///
///   x: observation + k + 1 x 1: the observation, the action, the reward
///   action: of the numbers 0 to k - 1 a 1 where it is and 0 elsewhere, of several at once one below the other; of vectors
///   its k numbers
template <Environment World>
requires(!EntityEnvironment<World>) class WithPreviousAction : public detail::Wrapper<World> {
  template <class A>
  struct Kept {  // of a vector
    std::array<double, std::size_t(A::RowsAtCompileTime)> numbers{};
    void keep(const A& action, const World&) {
      std::copy(action.data(), action.data() + action.size(), numbers.begin());
    }
    double row(Index i) const { return numbers[std::size_t(i)]; }
  };
  template <std::size_t n>
  struct Kept<std::array<Index, n>> {
    std::array<Index, n> action{}, sizes{};  // of the choices, of which there are none at the start
    void keep(const std::array<Index, n>& taken, const World& world) { action = taken, sizes = world.choices(); }
    double row(Index i) const {
      std::size_t k = 0;
      while (k + 1 < n && i >= sizes[k]) i -= sizes[k++];
      return sizes[k] > 0 && i == action[k];
    }
  };
  template <std::integral A>
  struct Kept<A> {
    Index number = -1;
    void keep(Index action, const World&) { number = action; }
    double row(Index i) const { return i == number; }
  };

 public:
  using Action = typename World::Action;
  struct State {
    typename World::State inner;  ///< of the environment within
    Kept<Action> action;          ///< of the last step
    double reward = 0;            ///< that it brought
  };

  /// Shows what the last step was.
  explicit WithPreviousAction(const World& world) : detail::Wrapper<World>(world) {}

  Index observation() const { return this->world_.observation() + actions_of(this->world_) + 1; }
  Index time_limit() const { return this->world_.time_limit(); }

  void allowed(const State& s, std::span<bool> mask) const requires(masks_actions<World>) {
    this->world_.allowed(s.inner, mask);
  }

  State reset(Random& random) const { return {this->world_.reset(random), {}, 0}; }
  Outcome step(State& s, const Action& action) const {
    const Outcome outcome = this->world_.step(s.inner, action);
    s.action.keep(action, this->world_);
    s.reward = outcome.reward;
    return outcome;
  }

  template <class S>
  void observe(const State& s, Write<S> x) const {
    detail::expect_shape("WithPreviousAction", "x", x, observation(), 1);
    const Index first = this->world_.observation();
    this->world_.observe(s.inner, Write<S>(x.topRows(first)));
    const Index rows = actions_of(this->world_);
    for (Index i = 0; i < rows; ++i) x(first + i, 0) = S(s.action.row(i));
    x(first + rows, 0) = S(s.reward);
  }
};

}  // namespace heed
