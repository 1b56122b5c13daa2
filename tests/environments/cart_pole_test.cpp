#include "heed/environments/cart_pole.hpp"

#include <fstream>
#include <sstream>

#include "catch.hpp"

using heed::CartPole;
using heed::Index;
using heed::Outcome;
using heed::Random;
using heed::Write;

namespace {

/// A recorded step of Gymnasium's CartPole-v1.
struct Step {
  CartPole::State before;
  Index action;
  double reward;
  double after[4];
  bool terminated, truncated;
  float observation[4];
};

std::vector<Step> recorded() {
  std::ifstream file(HEED_TEST_DATA "/cart_pole.csv");
  std::string line;
  std::getline(file, line);
  std::vector<Step> steps;
  while (std::getline(file, line)) {
    std::istringstream row(line);
    std::vector<double> n;
    for (std::string field; std::getline(row, field, ',');) n.push_back(std::stod(field));
    REQUIRE(n.size() == 18);
    Step s{{n[2], n[3], n[4], n[5], Index(n[1])}, Index(n[6]), n[7], {}, n[12] != 0, n[13] != 0, {}};
    for (std::size_t i = 0; i < 4; ++i) {
      s.after[i] = n[8 + i];
      s.observation[i] = float(n[14 + i]);
    }
    steps.push_back(s);
  }
  return steps;
}

double difference(const CartPole::State& s, const double (&wanted)[4]) {
  return std::max({std::abs(s.position - wanted[0]), std::abs(s.speed - wanted[1]), std::abs(s.angle - wanted[2]),
                   std::abs(s.angular_speed - wanted[3])});
}

}  // namespace

TEST_CASE("CartPole: every recorded step of Gymnasium's CartPole-v1") {
  const CartPole world;
  const auto steps = recorded();
  REQUIRE(steps.size() == 1158);
  double worst = 0;
  int wrong = 0, terminated = 0, truncated = 0;
  for (const Step& s : steps) {
    CartPole::State state = s.before;
    const Outcome outcome = world.step(state, s.action);
    worst = std::max(worst, difference(state, s.after));
    wrong += outcome.reward != s.reward || outcome.terminated != s.terminated || outcome.truncated != s.truncated;
    CHECK(state.steps == s.before.steps + 1);
    terminated += outcome.terminated;
    truncated += outcome.truncated;

    Eigen::Vector4f x;
    const CartPole::State after{s.after[0], s.after[1], s.after[2], s.after[3]};
    world.observe(after, Write<float>(x));
    for (Index i = 0; i < 4; ++i) wrong += x[i] != s.observation[i];
  }
  CHECK(worst <= 1e-12);
  CHECK(wrong == 0);
  CHECK(terminated == 6);
  CHECK(truncated == 2);
}

TEST_CASE("CartPole: a recorded episode, played through") {
  // Fewer than 50 steps, in which the last bits do not grow beyond 1e-12.
  const CartPole world;
  CartPole::State state{};
  for (const Step& s : recorded()) {
    if (s.before.steps == 0) state = s.before;
    if (state.steps == 50) continue;
    world.step(state, s.action);
    REQUIRE(difference(state, s.after) <= 1e-12);
  }
}

TEST_CASE("CartPole: starts uniformly within 0.05") {
  const CartPole world;
  Random random(1);
  double low[4] = {1, 1, 1, 1}, high[4] = {-1, -1, -1, -1}, mean[4] = {}, square[4] = {};
  const int n = 5000;
  for (int i = 0; i < n; ++i) {
    const CartPole::State s = world.reset(random);
    CHECK(s.steps == 0);
    const double of[] = {s.position, s.speed, s.angle, s.angular_speed};
    for (int k = 0; k < 4; ++k) {
      low[k] = std::min(low[k], of[k]);
      high[k] = std::max(high[k], of[k]);
      mean[k] += of[k] / n;
      square[k] += of[k] * of[k] / n;
    }
  }
  for (int k = 0; k < 4; ++k) {
    CHECK((low[k] >= -0.05 && low[k] < -0.0499));
    CHECK((high[k] < 0.05 && high[k] > 0.0499));
    CHECK(std::abs(mean[k]) < 5 * 0.05 / std::sqrt(3.0 * n));
    CHECK(square[k] == Approx(0.05 * 0.05 / 3).epsilon(5 * std::sqrt(0.8 / n)));
  }
}

TEST_CASE("CartPole: the same random numbers, the same start, and with others another") {
  const CartPole world;
  Random a(1), b(1), c(2);
  const double first = world.reset(a).angle;
  CHECK(world.reset(b).angle == first);
  CHECK(world.reset(c).angle != first);
  CHECK(world.reset(a).angle != first);
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
  CHECK_THROWS_WITH(world.step(s, 2), ContainsSubstring("CartPole: action 2 is neither 0 nor 1"));
  CHECK_THROWS_WITH(world.step(s, -1), ContainsSubstring("action -1"));
  CHECK(s.steps == 0);
  CartPole::State fallen{2.5, 0, 0, 0, 17};
  CHECK_THROWS_WITH(world.step(fallen, 0), ContainsSubstring("the episode is over after 17 steps and must be reset"));
  CartPole::State late{0, 0, 0, 0, 500};
  CHECK_THROWS_WITH(world.step(late, 0), ContainsSubstring("over after 500 steps"));
  CHECK_THROWS_WITH(CartPole(-1), ContainsSubstring("the limit of -1 steps is negative"));
}
