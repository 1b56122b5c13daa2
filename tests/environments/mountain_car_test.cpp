#include "heed/environments/mountain_car.hpp"

#include "worlds.hpp"

using namespace support;
using heed::MountainCar;

TEST_CASE("MountainCar: every recorded step of Gymnasium's MountainCar-v0") {
  const Replay found = replay(
      MountainCar(), recorded("mountain_car.csv"), 200,
      [](const auto& n, Index t) {
        return MountainCar::State{n[0], n[1], t};
      },
      [](const auto& s) {
        return std::vector<double>{s.position, s.speed};
      });
  CHECK(found.rows == 599);
  CHECK(found.step <= 1e-12);
  CHECK(found.reward == 0);
  CHECK(found.wrong == 0);
  CHECK(found.terminated == 2);
  CHECK(found.truncated == 0);
  CHECK(found.played <= 1e-12);
}

TEST_CASE("MountainCar: what it owes as an environment") {
  check_world("MountainCar", MountainCar());
  check_world("MountainCar", MountainCar(3));
}

TEST_CASE("MountainCar: starts at rest in the valley") {
  const MountainCar world;
  check_uniform([&](Random& random) { return world.reset(random).position; }, -0.6, -0.4);
  Random random(1);
  CHECK(world.reset(random).speed == 0);
}

TEST_CASE("MountainCar: what it says of itself") {
  const MountainCar world;
  CHECK(world.actions() == 3);
  CHECK(world.observation() == 2);
  CHECK(world.time_limit() == 200);
  CHECK(MountainCar(7).time_limit() == 7);
}

TEST_CASE("MountainCar: stops at the left end, and is no faster than 0.07") {
  const MountainCar world;
  MountainCar::State left{-1.19, -0.05};
  CHECK_FALSE(world.step(left, 0).over());
  CHECK(left.position == -1.2);
  CHECK(left.speed == 0);
  MountainCar::State right{-1.2, 0};
  world.step(right, 2);  // away from the end: -0.0025 cos(-3.6) + 0.001
  CHECK(right.speed == Approx(0.0025 * 0.896758416334147 + 0.001));
  MountainCar::State fast{-0.9, 0.0699}, back{0.2, -0.0699};
  world.step(fast, 2);
  CHECK(fast.speed == 0.07);
  world.step(back, 0);
  CHECK(back.speed == -0.07);
  CHECK(back.position == Approx(0.13));
}

TEST_CASE("MountainCar: ends from 0.5 on when it does not roll back") {
  const MountainCar world;
  const auto ends = [&](double position, double speed) {
    MountainCar::State s{position, speed, 10};
    return world.step(s, 1).terminated;
  };
  CHECK(ends(0.45, 0.06));
  CHECK_FALSE(ends(0.45, 0.04));
  CHECK_FALSE(ends(0.58, -0.01));
  CHECK_FALSE(ends(0.5, -1e-5));
  CHECK(ends(0.55, -1e-4));  // beyond pi / 6 the slope falls to the right
}

TEST_CASE("MountainCar: without a limit, on the last step, and errors") {
  MountainCar::State late{-0.5, 0, 1000000}, last{0.45, 0.06, 199};
  CHECK_FALSE(MountainCar(0).step(late, 1).over());
  const Outcome both = MountainCar().step(last, 2);
  CHECK(both.terminated);
  CHECK(both.truncated);
  CHECK(both.reward == -1);
  MountainCar::State out{0.5, 0, 17}, rolls{0.5, -0.01, 17};
  CHECK_THROWS_WITH(MountainCar().step(out, 0), ContainsSubstring("the episode is over after 17 steps"));
  CHECK_NOTHROW(MountainCar().step(rolls, 0));
  CHECK_THROWS_WITH(MountainCar(-1), ContainsSubstring("MountainCar: the limit of -1 steps is negative"));
}
