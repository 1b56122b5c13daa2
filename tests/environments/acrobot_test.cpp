#include "heed/environments/acrobot.hpp"

#include "worlds.hpp"

using namespace support;
using heed::Acrobot;

namespace {

constexpr double pi = 3.141592653589793;

/// The mechanical energy, which only the torque changes.
double energy(const Acrobot::State& s) {
  const double a = s.angle, b = s.bend, da = s.angular_speed, db = s.bend_speed;
  const double kinetic =
      0.5 * (3.5 + std::cos(b)) * da * da + (1.25 + 0.5 * std::cos(b)) * da * db + 0.5 * 1.25 * db * db;
  return kinetic - 9.8 * (1.5 * std::cos(a) + 0.5 * std::cos(a + b));
}

}  // namespace

TEST_CASE("Acrobot: every recorded step of Gymnasium's Acrobot-v1") {
  const Replay found = replay(
      Acrobot(), recorded("acrobot.csv"), 25,
      [](const auto& n, Index t) {
        return Acrobot::State{n[0], n[1], n[2], n[3], t};
      },
      [](const auto& s) {
        return std::vector<double>{s.angle, s.bend, s.angular_speed, s.bend_speed};
      });
  CHECK(found.rows == 560);
  CHECK(found.step <= 1e-12);
  CHECK(found.reward == 0);
  CHECK(found.wrong == 0);
  CHECK(found.terminated == 0);
  CHECK(found.truncated == 1);
  CHECK(found.played <= 1e-12);
}

TEST_CASE("Acrobot: what it owes as an environment") {
  check_world("Acrobot", Acrobot(), 5);
  check_world("Acrobot", Acrobot(3));
}

TEST_CASE("Acrobot: starts uniformly within 0.1") {
  const Acrobot world;
  check_uniform([&](Random& random) { return world.reset(random).angle; }, -0.1, 0.1);
  check_uniform([&](Random& random) { return world.reset(random).bend; }, -0.1, 0.1);
  check_uniform([&](Random& random) { return world.reset(random).angular_speed; }, -0.1, 0.1);
  check_uniform([&](Random& random) { return world.reset(random).bend_speed; }, -0.1, 0.1);
}

TEST_CASE("Acrobot: what it says of itself") {
  const Acrobot world;
  CHECK(world.actions() == 3);
  CHECK(world.observation() == 6);
  CHECK(world.time_limit() == 500);
  CHECK(Acrobot(7).time_limit() == 7);
}

TEST_CASE("Acrobot: hangs still without a torque, and keeps its energy") {
  const Acrobot world;
  Acrobot::State still{0, 0, 0, 0};
  for (int t = 0; t < 10; ++t) world.step(still, 1);
  CHECK(still.angle == 0);
  CHECK(still.bend_speed == 0);

  Acrobot::State swings{0.3, -0.2, 0.1, 0.2};
  const double before = energy(swings);
  for (int t = 0; t < 20; ++t) world.step(swings, 1);
  CHECK(energy(swings) == Approx(before).epsilon(1e-3));
}

TEST_CASE("Acrobot: pumped with its own swing it comes up, which ends it without a cost") {
  const Acrobot world;
  Random random(3);
  for (int episode = 0; episode < 5; ++episode) {
    Acrobot::State s = world.reset(random);
    Outcome outcome;
    while (!outcome.over()) {
      CHECK(-std::cos(s.angle) - std::cos(s.angle + s.bend) <= 1);
      outcome = world.step(s, s.bend_speed > 0 ? 2 : 0);
      CHECK(outcome.reward == (outcome.terminated ? 0 : -1));
    }
    CHECK(outcome.terminated);
    CHECK_FALSE(outcome.truncated);
    CHECK(-std::cos(s.angle) - std::cos(s.angle + s.bend) > 1);
    CHECK_THROWS_WITH(world.step(s, 0), ContainsSubstring("Acrobot: the episode is over after"));
  }
}

TEST_CASE("Acrobot: up on the last step is both, and the reward is 0") {
  const Acrobot world(3);
  Acrobot::State s{2.0, 0, 6, 0, 2};  // on its way up
  const Outcome last = world.step(s, 1);
  CHECK(last.terminated);
  CHECK(last.truncated);
  CHECK(last.reward == 0);
}

TEST_CASE("Acrobot: angles are wrapped, speeds clipped") {
  const Acrobot world(0);
  Acrobot::State over{3.1, -2.9, 4, -8}, under{-3.1, 2.9, -4, 8};
  world.step(over, 1);
  world.step(under, 1);
  CHECK(over.angle < 0);
  CHECK(over.bend > 0);
  CHECK(under.angle == Approx(-over.angle));
  CHECK(under.bend == Approx(-over.bend));
  Acrobot::State fast{0, 0, 20, 40}, back{0, 0, -20, -40};
  world.step(fast, 1);
  world.step(back, 1);
  CHECK(std::abs(fast.angular_speed) <= 4 * pi);
  CHECK(std::abs(fast.bend_speed) <= 9 * pi);
  CHECK((std::abs(fast.angular_speed) == 4 * pi || std::abs(fast.bend_speed) == 9 * pi));
  CHECK(back.angular_speed == Approx(-fast.angular_speed));
}

TEST_CASE("Acrobot: without a limit, and errors") {
  Acrobot::State late{0, 0, 0, 0, 1000000};
  CHECK_FALSE(Acrobot(0).step(late, 1).over());
  CHECK_THROWS_WITH(Acrobot(-1), ContainsSubstring("Acrobot: the limit of -1 steps is negative"));
  Acrobot::State s{0, 0, 0, 0};
  CHECK_THROWS_WITH(Acrobot().step(s, 3), ContainsSubstring("Acrobot: action 3 is not one of 0 to 2"));
}
