#include "heed/environments/key_door.hpp"

#include <set>

#include "heed/core/activations.hpp"
#include "heed/core/parameters.hpp"
#include "heed/layers/patch_embedding.hpp"
#include "worlds.hpp"

using namespace support;
using heed::Grid;
using heed::KeyDoor;
using State = KeyDoor::State;

namespace {

enum : Index { up, down, left, right };

/// Row by row: a for the agent, # wall, k key, d door, g goal, with the agent before what it stands on.
std::string drawn(const KeyDoor& world, const State& s) {
  const std::vector<double> x = seen(world, s);
  std::string picture;
  for (Index cell = 0; cell < world.entities(s); ++cell) {
    char thing = '.';
    for (Index plane = 4; plane >= 0; --plane) {
      const double is = x[std::size_t(5 * cell + plane)];
      CHECK((is == 0 || is == 1));
      if (is == 1) thing = "a#kdg"[plane];
    }
    picture += thing;
    if ((cell + 1) % world.config.grid.cols == 0) picture += '/';
  }
  return picture;
}

/// The way to a cell in an empty part of the room: along the row first.
void walk(const KeyDoor& world, State& s, Index to, Outcome& outcome) {
  const Index cols = world.config.grid.cols;
  while (s.agent != to && !outcome.over())
    outcome = world.step(s, s.agent % cols < to % cols   ? right
                            : s.agent % cols > to % cols ? left
                            : s.agent < to               ? down
                                                         : up);
}

}  // namespace

TEST_CASE("KeyDoor: an episode, drawn") {
  const KeyDoor world({.grid = {3, 4}, .limit = 20});
  State s{.agent = 0, .key = 4, .door = 9, .goal = 3};
  CHECK(drawn(world, s) == "a#.g/k#../.d../");
  const auto after = [&](Index action) {
    const Outcome outcome = world.step(s, action);
    CHECK(outcome.reward == 0);
    CHECK_FALSE(outcome.over());
    return drawn(world, s);
  };
  CHECK(after(up) == "a#.g/k#../.d../");
  CHECK(after(left) == "a#.g/k#../.d../");
  CHECK(after(right) == "a#.g/k#../.d../");  // a wall
  CHECK(after(down) == ".#.g/a#../.d../");   // takes the key
  CHECK(s.has_key);
  CHECK(after(right) == ".#.g/a#../.d../");
  CHECK(after(down) == ".#.g/.#../ad../");
  CHECK(after(down) == ".#.g/.#../ad../");
  CHECK(after(right) == ".#.g/.#../.a../");  // opens the door
  CHECK(s.open);
  CHECK(after(up) == ".#.g/.#../.a../");
  CHECK(after(left) == ".#.g/.#../a.../");
  CHECK(after(right) == ".#.g/.#../.a../");
  CHECK(after(right) == ".#.g/.#../..a./");
  CHECK(after(up) == ".#.g/.#a./..../");
  CHECK(after(left) == ".#.g/.#a./..../");
  CHECK(after(up) == ".#ag/.#../..../");
  const Outcome last = world.step(s, right);
  CHECK(last.reward == Approx(1 - 0.9 * 16 / 20));
  CHECK(last.terminated);
  CHECK_FALSE(last.truncated);
  CHECK(drawn(world, s) == ".#.a/.#../..../");
}

TEST_CASE("KeyDoor: the door is a wall without the key") {
  const KeyDoor world({.grid = {2, 3}});
  State s{.agent = 0, .key = 3, .door = 1, .goal = 5};
  CHECK(drawn(world, s) == "ad./k#g/");
  world.step(s, right);
  CHECK(drawn(world, s) == "ad./k#g/");
  Outcome last;
  for (Index action : {down, up, right, right, down}) last = world.step(s, action);
  CHECK(last.terminated);
  CHECK(last.reward == Approx(1 - 0.9 * 6 / 60));
}

TEST_CASE("KeyDoor: key, door and goal can be reached from every start, where all is its place") {
  for (const Grid grid : {Grid{6}, Grid{2, 3}, Grid{3, 7}}) {
    const KeyDoor world({.grid = grid});
    Random random(5);
    for (int i = 0; i < 300; ++i) {
      State s = world.reset(random);
      const Index wall = s.door % grid.cols;
      REQUIRE((wall >= 1 && wall < grid.cols - 1));
      REQUIRE((s.agent % grid.cols < wall && s.key % grid.cols < wall && s.goal % grid.cols > wall));
      REQUIRE(s.agent != s.key);
      const std::string picture = drawn(world, s);
      for (char thing : {'a', 'k', 'd', 'g'}) REQUIRE(std::count(picture.begin(), picture.end(), thing) == 1);
      REQUIRE(std::count(picture.begin(), picture.end(), '#') == grid.rows - 1);

      Outcome outcome;
      walk(world, s, s.key, outcome);
      walk(world, s, s.door - 1, outcome);
      walk(world, s, s.door + 1, outcome);
      walk(world, s, s.goal, outcome);
      REQUIRE(outcome.terminated);
      REQUIRE(outcome.reward == 1 - 0.9 * double(s.steps) / double(10 * grid.cells()));
    }
  }
}

TEST_CASE("KeyDoor: every place is drawn") {
  const KeyDoor world({.grid = {2, 4}});
  Random random(6);
  std::set<std::vector<Index>> starts;
  for (int i = 0; i < 5000; ++i) {
    const State s = world.reset(random);
    starts.insert({s.agent, s.key, s.door, s.goal});
  }
  // wall in column 1: 2 doors, 2 x 1 places of agent and key, 4 of the goal; in column 2: 2, 4 x 3 and 2
  CHECK(starts.size() == 16 + 48);
  check_equally_likely([&](Random& r) { return world.reset(r).door % 4 - 1; }, 2);
  check_equally_likely([&](Random& r) { return world.reset(r).door / 4; }, 2);
  check_equally_likely([&](Random& r) { return world.reset(r).agent / 4; }, 2);
  check_equally_likely([&](Random& r) { return world.reset(r).key / 4; }, 2);
  check_equally_likely([&](Random& r) { return world.reset(r).goal / 4; }, 2);
}

TEST_CASE("KeyDoor: what it owes as an environment") {
  check_world("KeyDoor", KeyDoor(), 5);
  check_world("KeyDoor", KeyDoor({.grid = {2, 3}, .limit = 7}));
}

TEST_CASE("KeyDoor: what it says of itself") {
  const KeyDoor world;
  CHECK(world.actions() == 4);
  CHECK(world.observation() == 5);
  CHECK(world.time_limit() == 360);
  CHECK(world.entities(State{}) == 36);
  CHECK(KeyDoor({.grid = {3, 4}}).time_limit() == 120);
  CHECK(KeyDoor({.grid = {3, 4}, .limit = 9}).time_limit() == 9);
}

TEST_CASE("KeyDoor: the goal on the last step is both, with a tenth of the reward") {
  const KeyDoor world({.grid = {2, 3}, .limit = 8});
  State s{.agent = 4, .key = 3, .door = 4, .goal = 5, .has_key = true, .open = true, .steps = 7};
  const Outcome last = world.step(s, right);
  CHECK(last.terminated);
  CHECK(last.truncated);
  CHECK(last.reward == Approx(0.1));
}

TEST_CASE("KeyDoor: what is seen is an image that a PatchEmbedding takes") {
  // Weights of 1 for the agent in each pixel of a patch: the agent is in one patch of six.
  const KeyDoor world({.grid = {4, 6}});
  heed::Layout layout;
  const auto steps = layout.axis(), pixels = layout.axis(steps);
  const heed::PatchEmbedding<float> embed(heed::Scope(layout, pixels),
                                          {.in = world.observation(), .dim = 1, .image = {4, 6}, .patch = {2, 2}});
  heed::Parameters<float> p(layout);
  p.flat.setZero();
  p[embed.proj.linear.weight].leftCols(4).setOnes();
  heed::Activations<float> a(layout);
  const State s{.agent = 8, .key = 0, .door = 3, .goal = 5};  // row 1, column 2
  Eigen::MatrixXf x(world.observation(), world.entities(s)), y(1, 6);
  world.observe(s, Write<float>(x));
  a.begin(steps, 1, [](Index) { return Index(1); });
  a.begin(pixels, 1, [&](Index) { return world.entities(s); });
  embed.forward(p, x, y, a);
  Eigen::MatrixXf wanted = Eigen::MatrixXf::Zero(1, 6);
  wanted(0, 1) = 1;  // rows 0 and 1, columns 2 and 3
  CHECK(y == wanted);
}

TEST_CASE("KeyDoor: errors") {
  CHECK_THROWS_WITH(KeyDoor({.grid = {1, 6}}), ContainsSubstring("KeyDoor: grid 1 x 6, but at least 2 x 3 is needed"));
  CHECK_THROWS_WITH(KeyDoor({.grid = {6, 2}}), ContainsSubstring("grid 6 x 2"));
  CHECK_THROWS_WITH(KeyDoor({.grid = {6}, .limit = -1}),
                    ContainsSubstring("KeyDoor: the limit of -1 steps is negative"));
}
