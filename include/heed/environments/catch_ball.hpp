#pragma once
#include <algorithm>

#include "heed/core/grid.hpp"
#include "heed/detail/episode.hpp"
#include "heed/rl/environment.hpp"

namespace heed {

/// Catching a falling ball, exactly bsuite's catch (Osband et al. 2020, after Mnih et al. 2014): a board of 10 rows and
/// 5 columns, the ball in the first row at the start, in any column, the paddle in the middle of the last.
///
///   Actions: 0, 1, 2 move the paddle by a column to the left, not at all, to the right, within the board. Each step
///   the ball falls by a row. An episode terminates after 9 steps, with the ball in the last row.
///   reward of the last step = 1 with the paddle in the ball's column, -1 if not; of all others 0
///
/// What is seen is the board row by row, 50 numbers: 1 where the ball and the paddle are, 0 elsewhere.
class CatchBall {
 public:
  static constexpr Grid board{10, 5};  ///< rows and columns
  struct State {
    Index ball, paddle;  ///< their columns
    Index steps = 0;     ///< taken so far: the ball's row
  };
  using Action = Index;

  Index actions() const { return 3; }
  Index observation() const { return board.cells(); }
  Index time_limit() const { return board.rows - 1; }

  State reset(Random& random) const { return {random.below(board.cols), board.cols / 2}; }

  Outcome step(State& s, Action action) const {
    detail::expect_action("CatchBall", action, 3);
    detail::expect_going("CatchBall", over(s), s.steps);
    s.paddle = std::clamp(s.paddle + action - 1, Index(0), board.cols - 1);
    ++s.steps;
    if (!over(s)) return {};
    return {.reward = s.paddle == s.ball ? 1.0 : -1.0, .terminated = true};
  }

  template <class S>
  void observe(const State& s, Write<S> x) const {
    detail::expect_shape("CatchBall", "x", x, board.cells(), 1);
    x.setZero();
    x(s.steps * board.cols + s.ball, 0) = 1;
    x((board.rows - 1) * board.cols + s.paddle, 0) = 1;
  }

 private:
  bool over(const State& s) const { return s.steps >= time_limit(); }
};
static_assert(DiscreteEnvironment<CatchBall>);

}  // namespace heed
