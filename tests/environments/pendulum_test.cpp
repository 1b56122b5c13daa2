#include "heed/environments/pendulum.hpp"

#include <limits>

#include "worlds.hpp"

using namespace support;
using heed::Pendulum;
using Action = Pendulum::Action;

namespace {

Action torque(double t) { return Action::Constant(t); }

}  // namespace

TEST_CASE("Pendulum: every recorded step of Gymnasium's Pendulum-v1") {
  const Replay found = replay(
      Pendulum(), recorded("pendulum.csv"), 60,
      [](const auto& n, Index t) {
        return Pendulum::State{n[0], n[1], t};
      },
      [](const auto& s) {
        return std::vector<double>{s.angle, s.speed};
      });
  CHECK(found.rows == 440);
  CHECK(found.step <= 1e-12);
  CHECK(found.reward <= 1e-12);
  CHECK(found.wrong == 0);
  CHECK(found.terminated == 0);
  CHECK(found.truncated == 1);
  CHECK(found.played <= 1e-12);
}

TEST_CASE("Pendulum: what it owes as an environment") {
  check_world("Pendulum", Pendulum());
  check_world("Pendulum", Pendulum(3));
}

TEST_CASE("Pendulum: starts at any angle with a speed within 1") {
  const Pendulum world;
  const double pi = 3.141592653589793;
  check_uniform([&](Random& random) { return world.reset(random).angle; }, -pi, pi);
  check_uniform([&](Random& random) { return world.reset(random).speed; }, -1, 1);
}

TEST_CASE("Pendulum: what it says of itself") {
  const Pendulum world;
  CHECK(world.low() == torque(-2));
  CHECK(world.high() == torque(2));
  CHECK(world.observation() == 3);
  CHECK(world.time_limit() == 200);
  CHECK(Pendulum(7).time_limit() == 7);
}

TEST_CASE("Pendulum: the torque is clipped, and so is its cost") {
  const Pendulum world;
  const double infinity = std::numeric_limits<double>::infinity();
  for (double side : {-1.0, 1.0})
    for (double strong : {2.0, 2.5, 1e30, infinity}) {
      Pendulum::State s{0, 0};
      CHECK(world.step(s, torque(side * strong)).reward == Approx(-0.004));
      CHECK(s.speed == Approx(side * 0.3));  // 3 * 2 * 0.05
      CHECK(s.angle == Approx(side * 0.015));
    }
}

TEST_CASE("Pendulum: the speed is clipped to 8") {
  const Pendulum world;
  Pendulum::State fast{1.5, 7.9}, back{-1.5, -7.9};
  world.step(fast, torque(2));
  CHECK(fast.speed == 8);
  CHECK(fast.angle == Approx(1.9));
  world.step(back, torque(-2));
  CHECK(back.speed == -8);
}

TEST_CASE("Pendulum: the cost is of the angle in the last turn, the state goes on turning") {
  const Pendulum world;
  const double turn = 2 * 3.141592653589793;
  for (double turns : {-3.0, 0.0, 2.0}) {
    Pendulum::State s{0.5 + turns * turn, -2};
    CHECK(world.step(s, torque(1)).reward == Approx(-(0.25 + 0.4 + 0.001)).epsilon(1e-12));
    CHECK(std::abs(s.angle - turns * turn) < 1);
  }
}

TEST_CASE("Pendulum: without a limit, and errors") {
  Pendulum::State late{0, 0, 1000000};
  CHECK_FALSE(Pendulum(0).step(late, torque(0)).over());
  Pendulum::State s{0, 0};
  CHECK_THROWS_WITH(Pendulum().step(s, torque(std::nan(""))),
                    ContainsSubstring("Pendulum: the torque at step 0 is not a number"));
  CHECK(s.steps == 0);
  CHECK_THROWS_WITH(Pendulum(-1), ContainsSubstring("Pendulum: the limit of -1 steps is negative"));
}
