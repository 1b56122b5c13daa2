#include "heed/environments/t_maze.hpp"

#include "worlds.hpp"

using namespace support;
using heed::PassiveTMaze;
using State = PassiveTMaze::State;

namespace {

enum : Index { right, up, left, down };
using Seen = std::vector<double>;

}  // namespace

TEST_CASE("PassiveTMaze: straight on and into the goal's arm returns 1, into the other 0") {
  const PassiveTMaze world(4);
  for (Index goal : {-1, 1})
    for (Index turn : {up, down}) {
      State s{0, 0, goal};
      CHECK(seen(world, s) == Seen{0, double(goal)});
      for (Index t = 1; t <= 4; ++t) {
        const Outcome outcome = world.step(s, right);
        CHECK(outcome.reward == 0);
        CHECK_FALSE(outcome.over());
        CHECK(seen(world, s) == (t == 4 ? Seen{1, 0} : Seen{0, 0}));
      }
      const Outcome last = world.step(s, turn);
      CHECK(last.reward == ((turn == up) == (goal == 1) ? 1 : 0));
      CHECK(last.terminated);
      CHECK_FALSE(last.truncated);
      CHECK(seen(world, s) == Seen{1, turn == up ? 1.0 : -1.0});
    }
}

TEST_CASE("PassiveTMaze: who waits pays from then on") {
  const PassiveTMaze world(5);
  State s{0, 0, 1};
  std::vector<double> rewards;
  for (Index action : {right, up, right, left, right, right}) rewards.push_back(world.step(s, action).reward);
  // x after each step: 1, 1, 2, 1, 2, and 3 at the end of 6, where the goal alone counts
  CHECK(rewards == std::vector<double>{0, -0.2, -0.2, -0.2, -0.2, 0});
  CHECK(s.x == 3);

  State still{0, 0, -1};
  CHECK(play(world, still, std::vector<Index>(6, left)).reward == Approx(-1));
  CHECK(still.x == 0);
}

TEST_CASE("PassiveTMaze: the goal is not seen again at the start") {
  const PassiveTMaze world(3);
  State s{0, 0, -1};
  CHECK(seen(world, s) == Seen{0, -1});
  world.step(s, left);
  CHECK(seen(world, s) == Seen{0, 0});
  world.step(s, right);
  world.step(s, left);
  CHECK(s.x == 0);
  CHECK(seen(world, s) == Seen{0, 0});
}

TEST_CASE("PassiveTMaze: walls") {
  const PassiveTMaze world(2);
  const auto after = [&](State s, Index action) {
    s.steps = 0;
    world.step(s, action);
    return std::pair(s.x, s.y);
  };
  using Place = std::pair<Index, Index>;
  CHECK(after({1, 0, 1}, up) == Place{1, 0});
  CHECK(after({1, 0, 1}, down) == Place{1, 0});
  CHECK(after({2, 0, 1}, right) == Place{2, 0});
  CHECK(after({2, 0, 1}, up) == Place{2, 1});
  CHECK(after({2, 0, 1}, down) == Place{2, -1});
  CHECK(after({2, 1, 1}, up) == Place{2, 1});
  CHECK(after({2, 1, 1}, down) == Place{2, 0});
  CHECK(after({2, 1, 1}, left) == Place{2, 1});
  CHECK(after({2, -1, 1}, down) == Place{2, -1});
  CHECK(after({0, 0, 1}, left) == Place{0, 0});
}

TEST_CASE("PassiveTMaze: what it owes as an environment") {
  check_world("PassiveTMaze", PassiveTMaze(1));
  check_world("PassiveTMaze", PassiveTMaze(50));
  check_equally_likely([](Random& random) { return (PassiveTMaze(3).reset(random).goal + 1) / 2; }, 2);
}

TEST_CASE("PassiveTMaze: what it says of itself, and errors") {
  const PassiveTMaze world(10);
  CHECK(world.actions() == 4);
  CHECK(world.observation() == 2);
  CHECK(world.time_limit() == 11);
  CHECK_THROWS_WITH(PassiveTMaze(0), ContainsSubstring("PassiveTMaze: length 0, but at least 1 is needed"));
}
