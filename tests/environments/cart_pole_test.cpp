#include "heed/environments/cart_pole.hpp"

#include "worlds.hpp"

using namespace support;
using heed::CartPole;

TEST_CASE("CartPole: every recorded step of Gymnasium's CartPole-v1") {
  // Played through for fewer than 50 steps, in which the last bits do not grow beyond 1e-12.
  const Replay found = replay(
      CartPole(), recorded("cart_pole.csv"), 50,
      [](const auto& n, Index t) {
        return CartPole::State{n[0], n[1], n[2], n[3], t};
      },
      [](const auto& s) {
        return std::vector<double>{s.position, s.speed, s.angle, s.angular_speed};
      });
  CHECK(found.rows == 1158);
  CHECK(found.step <= 1e-12);
  CHECK(found.reward == 0);
  CHECK(found.wrong == 0);
  CHECK(found.terminated == 6);
  CHECK(found.truncated == 2);
  CHECK(found.played <= 1e-12);
}

TEST_CASE("CartPole: what it owes as an environment") {
  check_world("CartPole", CartPole());
  check_world("CartPole", CartPole(3));
}

TEST_CASE("CartPole: starts uniformly within 0.05") {
  const CartPole world;
  check_uniform([&](Random& random) { return world.reset(random).position; }, -0.05, 0.05);
  check_uniform([&](Random& random) { return world.reset(random).speed; }, -0.05, 0.05);
  check_uniform([&](Random& random) { return world.reset(random).angle; }, -0.05, 0.05);
  check_uniform([&](Random& random) { return world.reset(random).angular_speed; }, -0.05, 0.05);
}

TEST_CASE("CartPole: what it says of itself") {
  const CartPole world;
  CHECK(world.actions() == 2);
  CHECK(world.observation() == 4);
  CHECK(world.time_limit() == 500);
  CHECK(CartPole(200).time_limit() == 200);
  CHECK(heed::columns_of(world, CartPole::State{}) == 1);
}

TEST_CASE("CartPole: observed in float and double, into a column of many") {
  const CartPole world;
  const CartPole::State state{0.1, -0.2, 0.03, 1e-9};
  Eigen::MatrixXd x = Eigen::MatrixXd::Constant(4, 3, 7);
  world.observe(state, Write<double>(x.col(1)));
  CHECK(x.col(1) == Eigen::Vector4d(0.1, -0.2, 0.03, 1e-9));
  CHECK(x.col(0) == Eigen::Vector4d::Constant(7));
  CHECK(x.col(2) == Eigen::Vector4d::Constant(7));
  CHECK_THROWS_WITH(world.observe(state, Write<double>(x)),
                    ContainsSubstring("CartPole: x is 4 x 3, but 4 x 1 is needed"));
}

TEST_CASE("CartPole: ends just beyond 2.4 m and 12 degrees, on either side") {
  const CartPole world;
  const auto ends = [&](double position, double speed, double angle) {
    CartPole::State s{position, speed, angle, 0, 10};
    return world.step(s, 0).terminated;
  };
  const double limit = 12 * 3.141592653589793 / 180;
  for (double side : {-1.0, 1.0}) {
    CHECK_FALSE(ends(side * 2.4, 0, 0));  // positions use the speeds before the step
    CHECK(ends(side * 2.39, side * 0.51, 0));
    CHECK_FALSE(ends(side * 2.39, side * 0.49, 0));
    CHECK_FALSE(ends(0, 0, side * (limit - 1e-9)));
    CartPole::State s{0, 0, side * (limit - 0.001), side * 0.06, 0};
    CHECK(world.step(s, 1).terminated);
  }
}

TEST_CASE("CartPole: the limit truncates, also where the pole falls on that step") {
  const CartPole short_world(3), endless(0);
  CartPole::State s{};
  CHECK_FALSE(short_world.step(s, 0).truncated);
  CHECK_FALSE(short_world.step(s, 1).truncated);
  const Outcome last = short_world.step(s, 0);
  CHECK(last.truncated);
  CHECK_FALSE(last.terminated);
  CHECK(last.over());

  CartPole::State falling{2.39, 5, 0, 0, 2};
  const Outcome both = short_world.step(falling, 0);
  CHECK(both.truncated);
  CHECK(both.terminated);
  CHECK(both.reward == 1);

  CartPole::State late{0, 0, 0, 0, 1000000};
  CHECK_FALSE(endless.step(late, 0).over());
}

TEST_CASE("CartPole: errors") {
  const CartPole world;
  CartPole::State s{};
  CHECK_THROWS_WITH(world.step(s, 2), ContainsSubstring("CartPole: action 2 is not one of 0 to 1"));
  CHECK_THROWS_WITH(world.step(s, -1), ContainsSubstring("action -1"));
  CHECK(s.steps == 0);
  CartPole::State fallen{2.5, 0, 0, 0, 17};
  CHECK_THROWS_WITH(world.step(fallen, 0), ContainsSubstring("the episode is over after 17 steps and must be reset"));
  CartPole::State late{0, 0, 0, 0, 500};
  CHECK_THROWS_WITH(world.step(late, 0), ContainsSubstring("over after 500 steps"));
  CHECK_THROWS_WITH(CartPole(-1), ContainsSubstring("the limit of -1 steps is negative"));
}
