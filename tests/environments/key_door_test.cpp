#include "heed/environments/key_door.hpp"

#include <cstdlib>
#include <set>

#include "heed/networks/patch_policy.hpp"
#include "heed/rl/ppo.hpp"
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
  const Index cells = world.image().cells();
  REQUIRE(Index(x.size()) == 5 * cells);
  std::string picture;
  for (Index cell = 0; cell < cells; ++cell) {
    char thing = '.';
    for (Index channel = 4; channel >= 0; --channel) {
      const double is = x[std::size_t(channel * cells + cell)];
      CHECK((is == 0 || is == 1));
      if (is == 1) thing = "a#kdg"[channel];
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
  CHECK(world.channels == 5);
  CHECK(world.image() == Grid{6});
  CHECK(world.observation() == 5 * 36);
  CHECK(world.time_limit() == 360);
  CHECK(KeyDoor({.grid = {3, 4}}).image() == Grid{3, 4});
  CHECK(KeyDoor({.grid = {3, 4}}).observation() == 60);
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

TEST_CASE("KeyDoor: a patch of its image is embedded with the things that are in its cells") {
  const KeyDoor world({.grid = {4, 6}});
  heed::Agent<heed::PatchPolicy<double>> agent(
      {.actions = 4, .channels = KeyDoor::channels, .image = world.image(), .patch = {2, 3}, .width = 4, .heads = 2});
  REQUIRE(agent.net.observation == world.observation());
  const auto& body = agent.net.body;
  const auto bias = agent.p[body.embedding.proj.linear.bias];
  const auto weight = agent.p[body.embedding.proj.linear.weight];
  const auto row_of = agent.p[body.position.row], col_of = agent.p[body.position.col];
  const State s{.agent = 7, .key = 12, .door = 15, .goal = 5};  // the wall's other cells: 3, 9, 21
  Eigen::MatrixXd x(world.observation(), 1), wanted(4, 4);
  world.observe(s, Write<double>(x));
  heed::Activations<double> a(agent.layout);
  a.begin(agent.net.time, {1});
  agent.net.forward(agent.p, x, a);
  for (Index patch = 0; patch < 4; ++patch)
    wanted.col(patch) = bias + row_of.row(patch / 2).transpose() + col_of.row(patch % 2).transpose();
  const Index shown[][2] = {{0, s.agent}, {1, 3}, {1, 9}, {1, 21}, {2, s.key}, {3, s.door}, {4, s.goal}};
  for (const auto& [channel, cell] : shown) {
    const Index row = cell / 6, col = cell % 6;
    wanted.col(row / 2 * 2 + col / 3) += weight.col(channel * 6 + row % 2 * 3 + col % 3);
  }
  CHECK((a[body.embedded] - wanted).norm() <= 1e-14);
}

TEST_CASE("KeyDoor: attention among the columns of the image learns the way", "[learning]") {
  const KeyDoor world({.grid = {3}, .limit = 20});
  heed::Agent<heed::PatchPolicy<float>> agent({.actions = 4,
                                               .channels = KeyDoor::channels,
                                               .image = world.image(),
                                               .patch = {.rows = 3, .cols = 1},
                                               .width = 16,
                                               .heads = 2,
                                               .value = true},
                                              1);
  const bool in_short = std::getenv("HEED_SHORT") != nullptr;
  const Index steps = in_short ? 20'000 : 40'000;
  // The shortest ways bring 0.77 in the mean.
  const auto chosen = [&](heed::Choice choice) { return heed::evaluate(agent, world, 500, 9, choice).mean; };
  CHECK(chosen(heed::Choice::sample) < 0.15);
  CHECK(chosen(heed::Choice::mode) < 0.15);
  heed::Ppo ppo(agent, world,
                {.learning_rate = 3e-3,
                 .schedule = {.shape = heed::Schedule::linear},
                 .total_steps = steps,
                 .gamma = 0.9,
                 .lanes = 16,
                 .steps = 32,
                 .entropy = 0.02});
  while (ppo.steps() < steps) ppo.iterate();
  CHECK(chosen(heed::Choice::mode) > (in_short ? 0.4 : 0.5));
}

TEST_CASE("KeyDoor: errors") {
  CHECK_THROWS_WITH(KeyDoor({.grid = {1, 6}}), ContainsSubstring("KeyDoor: grid 1 x 6, but at least 2 x 3 is needed"));
  CHECK_THROWS_WITH(KeyDoor({.grid = {6, 2}}), ContainsSubstring("grid 6 x 2"));
  CHECK_THROWS_WITH(KeyDoor({.grid = {6}, .limit = -1}),
                    ContainsSubstring("KeyDoor: the limit of -1 steps is negative"));
}
