#include "heed/environments/predators_and_prey.hpp"

#include <numeric>
#include <set>

#include "agents.hpp"

using namespace support;
using heed::PredatorsAndPrey;
using State = PredatorsAndPrey::State;
using Vector = PredatorsAndPrey::Vector;

namespace {

/// Some on given places, at rest, seen in the order in which they are named.
State placed(const PredatorsAndPrey& world, const std::vector<Vector>& places) {
  State s{};
  s.left = world.config.prey;
  REQUIRE(Index(places.size()) == world.config.predators + world.config.prey);
  for (std::size_t i = 0; i < places.size(); ++i) {
    s.animals[i].position = places[i];
    s.order[i] = std::uint8_t(i);
  }
  return s;
}
void check_near(Vector is, double x, double y) {
  CHECK(is.x == Approx(x).margin(1e-12));
  CHECK(is.y == Approx(y).margin(1e-12));
}
Eigen::MatrixXd columns(std::initializer_list<std::array<double, 8>> all) {
  Eigen::MatrixXd x(8, Index(all.size()));
  Index column = 0;
  for (const auto& one : all) x.col(column++) = Eigen::Map<const Eigen::VectorXd>(one.data(), 8);
  return x;
}

/// The action towards where a column's animal will be in a moment.
Index towards(const Eigen::MatrixXd& x, Index column) {
  const double ahead = 0.35, eighth = std::acos(-1.0) / 4;
  const double angle = std::atan2(x(1, column) + ahead * x(4, column), x(0, column) + ahead * x(3, column));
  return (Index(std::lround(angle / eighth)) + 8) % 8 + 1;
}
/// Hunts the nearest prey, first of all prey to which no other predator is nearer if it is `considerate`.
Index hunt(const Eigen::MatrixXd& x, bool considerate) {
  Index best = 0;
  double least = 1e9;
  for (Index c = 1; c < x.cols(); ++c) {
    if (x(7, c) == 0) continue;
    double cost = x(2, c);
    for (Index p = 1; considerate && p < x.cols(); ++p)
      if (x(6, p) == 1 && std::hypot(x(0, c) - x(0, p), x(1, c) - x(1, p)) < x(2, c)) cost += 100;
    if (cost < least) {
      least = cost;
      best = c;
    }
  }
  return towards(x, best);
}
/// The mean reward of an agent, an episode.
double score(const PredatorsAndPrey& world, int rounds, auto choose) {
  Random random(1);
  double sum = 0;
  std::vector<Index> actions(std::size_t(world.agents()));
  for (int round = 0; round < rounds; ++round)
    for (State s = world.reset(random); any_acts(world, s);) {
      for (Index agent = 0; agent < world.agents(); ++agent)
        actions[std::size_t(agent)] = choose(sight(world, s, agent), random);
      for (const Outcome& outcome : step_of_all(world, s, actions)) sum += outcome.reward;
    }
  return sum / rounds / double(world.agents());
}

}  // namespace

TEST_CASE("PredatorsAndPrey: a step, computed by hand") {
  const PredatorsAndPrey world({.predators = 1, .prey = 2, .area = 36});
  State s = placed(world, {{1, 1}, {1.8, 1}, {1, 2.3}});  // the second prey is not afraid
  CHECK(world.side() == 6);
  auto outcomes = step_of_all(world, s, {1});
  CHECK(outcomes[0].reward == 0);
  CHECK_FALSE(outcomes[0].over());
  check_near(s.animals[0].velocity, 0.4, 0);
  check_near(s.animals[0].position, 1.04, 1);
  check_near(s.animals[1].velocity, 0.35 * 0.85, 0);
  check_near(s.animals[1].position, 1.8 + 0.1 * 0.35 * 0.85, 1);
  check_near(s.animals[2].position, 1, 2.3);

  s.animals[2].velocity = {1, -2};
  s.animals[1].position = {5, 5};  // not afraid any more
  step_of_all(world, s, {4});      // to the upper left
  const double vx = 0.4 + 0.4 * (-std::sqrt(0.5) - 0.4), vy = 0.4 * std::sqrt(0.5);
  check_near(s.animals[0].velocity, vx, vy);
  check_near(s.animals[0].position, 1.04 + 0.1 * vx, 1 + 0.1 * vy);
  check_near(s.animals[1].velocity, 0.65 * 0.35 * 0.85, 0);
  check_near(s.animals[2].velocity, 0.65, -1.3);
  check_near(s.animals[2].position, 1.065, 2.17);
  step_of_all(world, s, {0});  // slows down
  check_near(s.animals[0].velocity, 0.6 * vx, 0.6 * vy);
  CHECK(s.steps == 3);
}

TEST_CASE("PredatorsAndPrey: each action heads 45 degrees further") {
  const PredatorsAndPrey world({.predators = 1, .prey = 1, .area = 36, .speed = 2, .agility = 1});
  for (Index action = 1; action < 9; ++action) {
    State s = placed(world, {{1, 1}, {4, 4}});
    step_of_all(world, s, {action});
    const double angle = double(action - 1) * std::acos(-1.0) / 4;
    check_near(s.animals[0].velocity, 2 * std::cos(angle), 2 * std::sin(angle));
  }
}

TEST_CASE(
    "PredatorsAndPrey: prey flees from predators near it, from the nearest most, and stands in the middle of two") {
  const PredatorsAndPrey world({.predators = 3, .prey = 1, .area = 12, .prey_agility = 1, .touch = 0.01});
  State s = placed(world, {{2.5, 3}, {3, 2}, {4.3, 3}, {3, 3}});  // the third is 1.3 away
  step_of_all(world, s, {0, 0, 0});
  const double fx = 0.5 / 0.25, fy = 1, size = std::hypot(fx, fy);
  check_near(s.animals[3].velocity, 0.85 * fx / size, 0.85 * fy / size);
  for (const double distance : {1.15, 1.25}) {  // afraid up to 1.2
    s = placed(world, {{0, 0}, {0, 0}, {3 + distance, 3}, {3, 3}});
    step_of_all(world, s, {0, 0, 0});
    check_near(s.animals[3].velocity, distance < 1.2 ? -0.85 : 0, 0);
  }
  s = placed(world, {{2.5, 3}, {3.5, 3}, {0, 0}, {3, 3}});
  step_of_all(world, s, {0, 0, 0});
  check_near(s.animals[3].velocity, 0, 0);
  s = placed(world, {{3, 3}, {0, 0}, {0, 0}, {3, 3}});  // at its very place: caught, but nothing to divide by
  CHECK(step_of_all(world, s, {0, 0, 0})[0].reward == 1);
}

TEST_CASE("PredatorsAndPrey: the square goes on at the opposite side") {
  const PredatorsAndPrey world({.predators = 1, .prey = 2, .area = 36});
  State s = placed(world, {{5.95, 0.05}, {0.85, 5.65}, {2.9, 3}});
  const Eigen::MatrixXd x = sight(world, s, 0);
  CHECK(x(0, 1) == Approx(0.9));
  CHECK(x(1, 1) == Approx(-0.4));
  CHECK(x(2, 1) == Approx(std::hypot(0.9, 0.4)));
  CHECK(x(0, 2) == Approx(2.95));
  CHECK(x(1, 2) == Approx(2.95));
  s.animals[0].velocity = {1, -1};
  step_of_all(world, s, {8});
  const double v = 0.6 + 0.4 * std::sqrt(0.5);
  check_near(s.animals[0].position, 5.95 + 0.1 * v - 6, 0.05 - 0.1 * v + 6);
  const double size = std::hypot(0.9, 0.4);
  check_near(s.animals[1].velocity, 0.35 * 0.85 * 0.9 / size, -0.35 * 0.85 * 0.4 / size);
}

TEST_CASE("PredatorsAndPrey: a catch is shared by those who touch, and a part of it by all") {
  PredatorsAndPrey::Config config{.predators = 3, .prey = 3, .limit = 3, .area = 12, .fear = 0};
  for (const double team : {0.0, 0.3, 1.0}) {
    config.team = team;
    const PredatorsAndPrey world(config);
    State s = placed(world, {{1, 1}, {1.5, 1}, {4, 4}, {1.25, 1}, {4.31, 4}, {4, 4.299}});
    auto outcomes = step_of_all(world, s, {0, 0, 0});
    const double all = team / 3, own = 1 - team;
    CHECK(outcomes[0].reward == Approx(own / 2 + 2 * all));
    CHECK(outcomes[1].reward == Approx(own / 2 + 2 * all));
    CHECK(outcomes[2].reward == Approx(own + 2 * all));
    for (const Outcome& outcome : outcomes) CHECK_FALSE(outcome.over());
    CHECK(s.left == 1);
    CHECK(world.entities(s, 0) == 4);
    CHECK_FALSE(s.animals[3].alive);
    CHECK(s.animals[4].alive);
    outcomes = step_of_all(world, s, {0, 0, 1});  // 0.04 nearer
    CHECK(outcomes[0].reward == Approx(all).margin(1e-15));
    CHECK(outcomes[2].reward == Approx(own + all));
    for (const Outcome& outcome : outcomes) CHECK((outcome.terminated && !outcome.truncated));
    for (Index agent = 0; agent < 3; ++agent) CHECK_FALSE(world.acts(s, agent));
    CHECK(world.entities(s, 2) == 3);
    CHECK_THROWS_WITH(step_of_all(world, s, {0, 0, 0}),
                      ContainsSubstring("PredatorsAndPrey: the episode is over after 2 steps and must be reset"));
  }
}

TEST_CASE("PredatorsAndPrey: the limit truncates, also where the last prey is caught") {
  const PredatorsAndPrey world({.predators = 1, .prey = 1, .limit = 2, .area = 36, .fear = 0});
  State s = placed(world, {{1, 1}, {1.33, 1}}), far = placed(world, {{1, 1}, {3, 3}});
  CHECK_FALSE(step_of_all(world, far, {0})[0].over());
  CHECK(step_of_all(world, far, {0})[0].truncated);
  CHECK_FALSE(world.acts(far, 0));
  CHECK_FALSE(step_of_all(world, s, {0})[0].over());
  const Outcome last = step_of_all(world, s, {1})[0];
  CHECK((last.terminated && last.truncated && last.reward == 1));
}

TEST_CASE("PredatorsAndPrey: what is seen, itself first, the others as drawn") {
  const PredatorsAndPrey world({.predators = 2, .prey = 2, .area = 18});
  State s = placed(world, {{1, 1}, {2, 1}, {1, 3}, {4, 5}});
  s.animals[0].velocity = {0.5, 0.25};
  s.animals[1].velocity = {1, 0};
  s.animals[2].velocity = {0, -1};
  for (std::size_t i = 0; i < 4; ++i) s.order[i] = std::uint8_t(3 - i);
  CHECK(sight(world, s, 0) == columns({{0, 0, 0, 0.5, 0.25, 1, 0, 0},
                                       {3, -2, std::sqrt(13.0), -0.5, -0.25, 0, 0, 1},
                                       {0, 2, 2, -0.5, -1.25, 0, 0, 1},
                                       {1, 0, 1, 0.5, -0.25, 0, 1, 0}}));
  s.animals[3].alive = false;
  s.left = 1;
  CHECK(sight(world, s, 1) ==
        columns({{0, 0, 0, 1, 0, 1, 0, 0}, {-1, 2, std::sqrt(5.0), -1, -1, 0, 0, 1}, {-1, 0, 1, -0.5, 0.25, 0, 1, 0}}));
}

TEST_CASE("PredatorsAndPrey: predators are all alike") {
  const PredatorsAndPrey world({.predators = 3, .prey = 5, .team = 0.25});
  Random random(1);
  for (int round = 0; round < 10; ++round) {
    State s = world.reset(random), other = s;
    const std::array<std::size_t, 3> is{2, 0, 1};  // predator i of one is is[i] of the other
    for (std::size_t i = 0; i < 3; ++i) other.animals[is[i]] = s.animals[i];
    for (std::uint8_t& i : other.order)
      if (i < 3) i = std::uint8_t(is[i]);
    double worst = 0;
    while (any_acts(world, s)) {
      std::vector<Index> actions(3), others(3);
      for (std::size_t i = 0; i < 3; ++i) others[is[i]] = actions[i] = hunt(sight(world, s, Index(i)), true);
      const auto mine = step_of_all(world, s, actions), theirs = step_of_all(world, other, others);
      REQUIRE(s.left == other.left);
      for (std::size_t i = 0; i < 3; ++i) {
        worst = std::max(worst, std::abs(mine[i].reward - theirs[is[i]].reward));
        const Eigen::MatrixXd difference = sight(world, s, Index(i)) - sight(world, other, Index(is[i]));
        worst = std::max(worst, difference.cwiseAbs().maxCoeff());
      }
    }
    CHECK(worst < 1e-9);
    CHECK(s.left < 5);
  }
}

TEST_CASE("PredatorsAndPrey: moved and turned by 90 degrees, all goes on the same") {
  const PredatorsAndPrey world;
  Random random(1);
  const double side = world.side();
  for (int round = 0; round < 5; ++round) {
    State s = world.reset(random), other = s;
    for (auto& animal : other.animals) {
      const double x = side - animal.position.y + 1.7, y = animal.position.x + 0.4;
      animal.position = {x - (x >= side ? side : 0), y - (y >= side ? side : 0)};
    }
    double worst = 0;
    for (int step = 0; step < 30; ++step) {
      std::vector<Index> actions(3), turned(3);
      for (std::size_t i = 0; i < 3; ++i) {
        actions[i] = random.below(9);
        turned[i] = actions[i] == 0 ? 0 : (actions[i] + 1) % 8 + 1;
      }
      step_of_all(world, s, actions);
      step_of_all(world, other, turned);
      for (Index agent = 0; agent < 3; ++agent) {
        Eigen::MatrixXd x = sight(world, s, agent);
        for (Index row : {0, 3}) {
          const Eigen::RowVectorXd first = x.row(row);
          x.row(row) = -x.row(row + 1);
          x.row(row + 1) = first;
        }
        worst = std::max(worst, (x - sight(world, other, agent)).cwiseAbs().maxCoeff());
      }
    }
    CHECK(worst < 1e-9);
  }
}

TEST_CASE("PredatorsAndPrey: begins anywhere, at rest, in any order") {
  const PredatorsAndPrey world({.predators = 2, .prey = 3, .area = 8});
  for (std::size_t i : {0u, 4u}) {
    check_uniform([&](Random& random) { return world.reset(random).animals[i].position.x; }, 0, 4);
    check_uniform([&](Random& random) { return world.reset(random).animals[i].position.y; }, 0, 4);
    check_equally_likely([&](Random& random) { return Index(world.reset(random).order[i]); }, 5);
  }
  Random random(3);
  std::set<std::vector<int>> orders;
  for (int i = 0; i < 3000; ++i) {
    const State s = world.reset(random);
    orders.insert({s.order.begin(), s.order.begin() + 5});
    for (const auto& animal : s.animals) REQUIRE((animal.alive && animal.velocity.x == 0 && animal.velocity.y == 0));
  }
  CHECK(orders.size() == 120);
  for (std::vector<int> order : orders) {
    std::sort(order.begin(), order.end());
    CHECK(order == std::vector<int>{0, 1, 2, 3, 4});
  }
}

TEST_CASE("PredatorsAndPrey: what it owes as an environment of many agents") {
  check_agents(PredatorsAndPrey());
  check_agents(PredatorsAndPrey({.predators = 1, .prey = 1, .limit = 7}), 3);
  check_agents(PredatorsAndPrey({.predators = 24, .prey = 40, .limit = 5}), 2);
}

TEST_CASE(
    "PredatorsAndPrey: it is better to hunt the nearest prey, and best to leave it to who is nearer, in any number") {
  const int rounds = 150;
  double nearest[2], considerate[2];
  for (Index times : {1, 2}) {
    const PredatorsAndPrey world({.predators = 3 * times, .prey = 6 * times});
    CHECK(world.side() * world.side() == Approx(18 * double(times)));
    CHECK(score(world, rounds, [](const auto&, Random& random) { return random.below(9); }) < 0.2);
    nearest[times - 1] = score(world, rounds, [](const auto& x, Random&) { return hunt(x, false); });
    considerate[times - 1] = score(world, rounds, [](const auto& x, Random&) { return hunt(x, true); });
    CHECK(nearest[times - 1] > 1);
    CHECK(considerate[times - 1] > 1.15 * nearest[times - 1]);
  }
  CHECK(nearest[1] == Approx(nearest[0]).epsilon(0.15));
  CHECK(considerate[1] == Approx(considerate[0]).epsilon(0.15));
}

TEST_CASE("PredatorsAndPrey: errors") {
  const auto make = [](const PredatorsAndPrey::Config& c) { return PredatorsAndPrey(c); };
  CHECK_THROWS_WITH(make({.predators = 0}), ContainsSubstring("predators 0, but at least 1 is needed"));
  CHECK_THROWS_WITH(make({.prey = 0}), ContainsSubstring("PredatorsAndPrey: prey 0, but at least 1 is needed"));
  CHECK_THROWS_WITH(make({.limit = 0}), ContainsSubstring("limit 0"));
  CHECK_THROWS_WITH(make({.predators = 60, .prey = 5}),
                    ContainsSubstring("PredatorsAndPrey: 60 predators and 5 prey, but there is room for 64"));
  CHECK_THROWS_WITH(make({.area = 0}), ContainsSubstring("PredatorsAndPrey: area 0, but it must be positive"));
  CHECK_THROWS_WITH(make({.speed = -1}), ContainsSubstring("speed -1, but it must be positive"));
  CHECK_THROWS_WITH(make({.agility = 0}), ContainsSubstring("agility 0, but it must be in (0, 1]"));
  CHECK_THROWS_WITH(make({.prey_speed = -1}), ContainsSubstring("prey_speed -1, but it must be at least 0"));
  CHECK_THROWS_WITH(make({.prey_agility = 1.5}), ContainsSubstring("prey_agility 1.5, but it must be in (0, 1]"));
  CHECK_THROWS_WITH(make({.fear = std::nan("")}), ContainsSubstring("fear nan, but it must be at least 0"));
  CHECK_THROWS_WITH(make({.touch = 0}), ContainsSubstring("touch 0"));
  CHECK_THROWS_WITH(make({.team = 1.5}), ContainsSubstring("team 1.5, but it must be in [0, 1]"));

  const PredatorsAndPrey world;
  Random random(1);
  State s = world.reset(random);
  CHECK_THROWS_WITH(step_of_all(world, s, {0, 0}), ContainsSubstring("PredatorsAndPrey: 2 actions for 3 agents"));
  std::vector<Outcome> outcomes(4);
  CHECK_THROWS_WITH(world.step(s, std::vector<Index>(3), outcomes), ContainsSubstring("4 outcomes for 3 agents"));
  CHECK_THROWS_WITH(step_of_all(world, s, {0, 9, 0}), ContainsSubstring("action 9 is not one of 0 to 8"));
  CHECK_THROWS_WITH(step_of_all(world, s, {0, 0, -1}), ContainsSubstring("action -1 is not one of 0 to 8"));
  CHECK_THROWS_WITH(world.entities(s, 3), ContainsSubstring("PredatorsAndPrey: agent 3 is not one of 0 to 2"));
  CHECK_THROWS_WITH(world.acts(s, -1), ContainsSubstring("agent -1 is not one"));
  CHECK(s.steps == 0);
}
