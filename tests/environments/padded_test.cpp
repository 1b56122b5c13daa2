#include "heed/environments/padded.hpp"

#include "agents.hpp"
#include "heed/environments/brain_signal.hpp"
#include "heed/environments/predators_and_prey.hpp"

using namespace support;
using heed::BrainSignal;
using heed::Padded;
using heed::PredatorsAndPrey;

namespace {

/// Agent i acts for i + 1 steps, or until the limit, and sees all that act, a column (its number, t) each; one that
/// does not act sees none.
struct Leaving {
  struct State {
    Index steps = 0;
  };
  using Action = Index;
  Index limit = 3;

  Index agents() const { return 4; }
  bool acts(const State& s, Index agent) const { return s.steps <= agent && s.steps < limit; }
  Index actions() const { return 2; }
  Index observation() const { return 2; }
  Index time_limit() const { return limit; }
  State reset(Random&) const { return {}; }
  void step(State& s, std::span<const Index> actions, std::span<Outcome> outcomes) const {
    heed::detail::expect_going("Leaving", s.steps >= limit, s.steps);
    for (Index agent = 0; agent < 4; ++agent) {
      const bool acted = acts(s, agent);
      outcomes[std::size_t(agent)] = {.reward = acted ? double(actions[std::size_t(agent)]) : 0,
                                      .terminated = acted && s.steps == agent,
                                      .truncated = acted && s.steps + 1 == limit};
    }
    ++s.steps;
  }
  Index entities(const State& s, Index agent) const { return acts(s, agent) ? 4 - s.steps : 0; }
  template <class S>
  void observe(const State& s, Index agent, Write<S> x) const {
    heed::detail::expect_shape("Leaving", "x", x, 2, entities(s, agent));
    if (x.cols() == 0) return;
    x.row(1).setConstant(S(s.steps));
    x(0, 0) = S(agent);
    for (Index other = s.steps, column = 1; other < 4; ++other)
      if (other != agent) x(0, column++) = S(other);
  }
};

/// Continuous, with as many entities as steps were taken.
struct Growing {
  struct State {
    Index steps = 0;
  };
  using Action = Eigen::Matrix<double, 1, 1>;
  Action low() const { return Action(-2); }
  Action high() const { return Action(3); }
  Index observation() const { return 3; }
  Index time_limit() const { return 4; }
  Index entities(const State& s) const { return s.steps; }
  State reset(Random&) const { return {}; }
  Outcome step(State& s, const Action& action) const {
    ++s.steps;
    return {.reward = action(0), .truncated = s.steps == 4};
  }
  template <class S>
  void observe(const State&, Write<S> x) const {
    for (Index i = 0; i < x.size(); ++i) x(i % 3, i / 3) = S(10 + i);
  }
};

static_assert(heed::ManyAgentsEnvironment<Leaving> && !heed::Environment<Leaving>);
static_assert(heed::ManyAgentsEnvironment<Padded<Leaving>> && !heed::Environment<Padded<Leaving>>);
static_assert(heed::DiscreteEnvironment<Padded<BrainSignal>> && !heed::EntityEnvironment<Padded<BrainSignal>>);
static_assert(!heed::ManyAgentsEnvironment<BrainSignal> && !heed::ManyAgentsEnvironment<Padded<BrainSignal>>);
static_assert(heed::ContinuousEnvironment<Padded<Growing>> && !heed::EntityEnvironment<Padded<Growing>>);

}  // namespace

TEST_CASE("Padded: entities one below the other, each with a 1, and zeros behind") {
  const Padded world(Growing(), 3);
  CHECK(world.observation() == 12);
  CHECK(world.time_limit() == 4);
  CHECK(world.low()(0) == -2);
  CHECK(world.high()(0) == 3);
  Growing::State s;
  CHECK(heed::columns_of(world, s) == 1);
  CHECK(seen(world, s) == std::vector<double>(12, 0));
  CHECK(world.step(s, Growing::Action(1.5)).reward == 1.5);
  CHECK(seen(world, s) == std::vector<double>{10, 11, 12, 1, 0, 0, 0, 0, 0, 0, 0, 0});
  world.step(s, Growing::Action(0));
  CHECK(seen(world, s) == std::vector<double>{10, 11, 12, 1, 13, 14, 15, 1, 0, 0, 0, 0});
  world.step(s, Growing::Action(0));
  CHECK(seen(world, s) == std::vector<double>{10, 11, 12, 1, 13, 14, 15, 1, 16, 17, 18, 1});
  check_observation("Padded", world, s);
  CHECK(world.step(s, Growing::Action(0)).truncated);
  CHECK_THROWS_WITH(seen(world, s), ContainsSubstring("Padded: 4 entities are in sight, but there are places for 3"));
}

TEST_CASE("Padded: many agents, each its own") {
  const Padded world(Leaving(), 4);
  Random random(1);
  Leaving::State s = world.reset(random);
  CHECK(world.agents() == 4);
  CHECK(columns_of(world, s, 2) == 1);
  const auto see = [&](Index agent) { return Eigen::VectorXd(sight(world, s, agent)); };
  Eigen::VectorXd wanted(12);
  wanted << 2, 0, 1, 0, 0, 1, 1, 0, 1, 3, 0, 1;
  CHECK(see(2) == wanted);
  auto outcomes = step_of_all(world, s, {1, 1, 0, 1});
  CHECK((outcomes[0].terminated && outcomes[0].reward == 1));
  CHECK_FALSE(outcomes[1].over());
  CHECK_FALSE(world.acts(s, 0));
  CHECK(see(0).isZero(0));
  wanted << 2, 1, 1, 1, 1, 1, 3, 1, 1, 0, 0, 0;
  CHECK(see(2) == wanted);
  outcomes = step_of_all(world, s, {1, 1, 0, 1});
  CHECK((outcomes[0].reward == 0 && !outcomes[0].over() && outcomes[1].terminated && outcomes[3].reward == 1));
}

TEST_CASE("Padded: what it owes as an environment of many agents") {
  check_agents(Leaving());
  check_agents(Leaving{2});
  check_agents(Padded(Leaving(), 4));
  check_agents(Padded(PredatorsAndPrey(), 12), 3);
}

TEST_CASE("Padded: an environment of entities goes on as it is") {
  const BrainSignal plain({.channels = 3, .idle = 1, .windows = 30});
  const Padded world(plain, 25);
  CHECK(world.actions() == 5);
  CHECK(world.inner().config.windows == 30);
  Random random(1), same(1), draws(2);
  auto s = world.reset(random), twin = plain.reset(same);
  Outcome outcome;
  while (!outcome.over()) {
    const std::vector<double> x = seen(world, s), inside = seen(plain, twin);
    REQUIRE((x.size() == 25 * 44 && inside.size() == 24 * 43));
    for (std::size_t i = 0; i < x.size(); ++i)
      REQUIRE(x[i] == (i / 44 == 24 ? 0 : i % 44 == 43 ? 1 : inside[i / 44 * 43 + i % 44]));
    const Index action = draws.below(5);
    outcome = world.step(s, action);
    CHECK(outcome.reward == plain.step(twin, action).reward);
  }
}

TEST_CASE("Padded: errors") {
  CHECK_THROWS_WITH(Padded(BrainSignal(), 0), ContainsSubstring("Padded: most 0, but at least 1 is needed"));
  const Padded world(PredatorsAndPrey(), 8);
  Random random(1);
  const auto s = world.reset(random);
  CHECK_THROWS_WITH(sight(world, s, 0), ContainsSubstring("9 entities are in sight, but there are places for 8"));
  Eigen::MatrixXd x(72, 2);
  CHECK_THROWS_WITH(world.observe(s, 0, Write<double>(x)), ContainsSubstring("Padded: x is 72 x 2, but 72 x 1"));
}
