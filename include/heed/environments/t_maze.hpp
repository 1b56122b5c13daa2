#pragma once
#include "heed/detail/episode.hpp"
#include "heed/rl/environment.hpp"

namespace heed {

/// A corridor with a choice at its end, for which the goal is shown at the start only: the passive T-maze of Ni et al.
/// (2023), after Bakker (2001), with the penalty that keeps the agent going.
///
///   Cells (x, 0) for x = 0 .. length, and at the junction x = length the arms (length, 1) and (length, -1), in one of
///   which, both equally likely, is the goal. An episode starts at (0, 0) and terminates after length + 1 steps: one
///   who never waits comes to the junction with one step left.
///   reward of step t, counted from 1: -1 / length if x < t after it, else 0; of the last: 1 in the goal's arm or 0
///
/// Actions: 0 right (x + 1), 1 up (y + 1), 2 left, 3 down; into a wall: stays. What is seen is [0, 1] or [0, -1] at the
/// start, the goal's y; [0, 0] in the corridor from then on; [1, y] at the junction and in the arms. Best return: 1.
class PassiveTMaze {
 public:
  struct State {
    Index x, y;       ///< along the corridor, and to the side
    Index goal;       ///< its y
    Index steps = 0;  ///< taken so far
  };
  using Action = Index;

  /// With a corridor of so many steps.
  explicit PassiveTMaze(Index length) : length_(length) {
    detail::expect_at_least("PassiveTMaze", "length", length, 1);
  }

  Index actions() const { return 4; }
  Index observation() const { return 2; }
  Index time_limit() const { return length_ + 1; }

  State reset(Random& random) const { return {0, 0, 2 * random.below(2) - 1}; }

  Outcome step(State& s, Action action) const {
    detail::expect_action("PassiveTMaze", action, 4);
    detail::expect_going("PassiveTMaze", over(s), s.steps);
    move(s, action);
    ++s.steps;
    if (over(s)) return {.reward = s.y == s.goal ? 1.0 : 0.0, .terminated = true};
    return {.reward = s.x < s.steps ? -1 / double(length_) : 0.0};
  }

  template <class S>
  void observe(const State& s, Write<S> x) const {
    detail::expect_shape("PassiveTMaze", "x", x, 2, 1);
    x.col(0) << S(s.x == length_ ? 1 : 0), S(s.steps == 0 ? s.goal : s.y);
  }

 private:
  void move(State& s, Action action) const {
    const Index step = action < 2 ? 1 : -1;
    if (action % 2 == 0) {
      if (s.y == 0 && s.x + step >= 0 && s.x + step <= length_) s.x += step;
    } else {
      if (s.x == length_ && s.y + step >= -1 && s.y + step <= 1) s.y += step;
    }
  }
  bool over(const State& s) const { return s.steps >= time_limit(); }

  Index length_;
};
static_assert(DiscreteEnvironment<PassiveTMaze>);

}  // namespace heed
