#pragma once
#include "heed/core/grid.hpp"
#include "heed/detail/episode.hpp"
#include "heed/rl/environment.hpp"

namespace heed {

/// Fetching a key to open the door to the goal, after MiniGrid's DoorKey (Chevalier-Boisvert et al. 2018), with simpler
/// moves, all of it in sight, and every place drawn anew.
///
///   A wall parts the room from top to bottom; in it is a locked door. Left of it are the agent and the key, right of
///   it is the goal. The wall's column, any but the first and the last, is drawn first, then each place, all equally
///   likely.
///   Actions: 0 up, 1 down, 2 left, 3 right, by one cell; out of the room, into the wall, and into the door without the
///   key: stays. To step on the key takes it; to step on the door with the key opens it.
///   reward = 1 - 0.9 t / limit where step t, counted from 1, comes to the goal; else 0
///
/// An episode terminates at the goal and is truncated at the limit, also where it terminates there. The limit is, if
/// not given, 10 rows cols steps, as MiniGrid's.
///
/// What is seen is an image in one column, channel by channel, each row by row, as PatchPolicy and PatchQ take it. A
/// channel is 1 where its thing is, and 0 elsewhere:
///
///   0 agent    1 wall    2 key, until it is taken    3 door, until it is open    4 goal
class KeyDoor {
 public:
  static constexpr Index channels = 5;  ///< of the image, one a kind of thing
  struct State {
    Index agent, key, door, goal;        ///< cells, numbered row by row
    bool has_key = false, open = false;  ///< whether the key was taken, and the door opened
    Index steps = 0;                     ///< taken so far
  };
  struct Config {
    Grid grid{6};     ///< rows and columns
    Index limit = 0;  ///< 0: 10 rows cols
  };
  using Action = Index;
  Config config;  ///< as it was told

  KeyDoor() : KeyDoor(Config{}) {}
  /// Throws where the grid is too small.
  explicit KeyDoor(Config c) : config(checked(c)) {}

  Index actions() const { return 4; }
  /// Rows and columns of what is seen.
  Grid image() const { return config.grid; }
  Index observation() const { return channels * image().cells(); }
  Index time_limit() const { return config.limit; }

  State reset(Random& random) const {
    const Grid grid = config.grid;
    const Index wall = 1 + random.below(grid.cols - 2), left = grid.rows * wall;
    // A cell of the columns from `first` on, of which there are `cols`, by its number among them.
    const auto cell = [&](Index number, Index first, Index cols) {
      return number / cols * grid.cols + first + number % cols;
    };
    State s;
    s.door = cell(random.below(grid.rows), wall, 1);
    const Index agent = random.below(left), key = (agent + 1 + random.below(left - 1)) % left;
    s.agent = cell(agent, 0, wall);
    s.key = cell(key, 0, wall);
    const Index right = grid.cols - wall - 1;
    s.goal = cell(random.below(grid.rows * right), wall + 1, right);
    return s;
  }

  Outcome step(State& s, Action action) const {
    detail::expect_action("KeyDoor", action, 4);
    detail::expect_going("KeyDoor", s.agent == s.goal || s.steps >= config.limit, s.steps);
    s.agent = next(s, action);
    s.has_key = s.has_key || s.agent == s.key;
    s.open = s.open || s.agent == s.door;
    ++s.steps;
    const bool there = s.agent == s.goal;
    return {.reward = there ? 1 - 0.9 * double(s.steps) / double(config.limit) : 0,
            .terminated = there,
            .truncated = s.steps == config.limit};
  }

  template <class S>
  void observe(const State& s, Write<S> x) const {
    const Grid grid = config.grid;
    detail::expect_shape("KeyDoor", "x", x, observation(), 1);
    x.setZero();
    const auto show = [&](Index channel, Index cell) { x(channel * grid.cells() + cell, 0) = 1; };
    for (Index row = 0; row < grid.rows; ++row) {
      const Index cell = row * grid.cols + s.door % grid.cols;
      if (cell != s.door) show(1, cell);
    }
    show(0, s.agent);
    if (!s.has_key) show(2, s.key);
    if (!s.open) show(3, s.door);
    show(4, s.goal);
  }

 private:
  static Config checked(Config c) {
    if (c.grid.rows < 2 || c.grid.cols < 3)
      detail::fail("KeyDoor: grid %ld x %ld, but at least 2 x 3 is needed", long(c.grid.rows), long(c.grid.cols));
    detail::checked_limit("KeyDoor", c.limit);
    if (c.limit == 0) c.limit = 10 * c.grid.cells();
    return c;
  }
  /// Where an action leads from here.
  Index next(const State& s, Action action) const {
    const Grid grid = config.grid;
    const Index by = action % 2 == 0 ? -1 : 1;
    const Index row = s.agent / grid.cols + (action < 2 ? by : 0), col = s.agent % grid.cols + (action < 2 ? 0 : by);
    if (row < 0 || row >= grid.rows || col < 0 || col >= grid.cols) return s.agent;
    const Index cell = row * grid.cols + col;
    const bool in_wall = col == s.door % grid.cols, passes = cell == s.door && s.has_key;
    return in_wall && !passes ? s.agent : cell;
  }
};
static_assert(DiscreteEnvironment<KeyDoor>);

}  // namespace heed
