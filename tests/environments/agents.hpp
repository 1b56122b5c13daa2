#pragma once
// What every environment of many agents owes.
#include "heed/rl/environment.hpp"
#include "worlds.hpp"

namespace support {

/// What an agent sees, in double precision.
template <class World>
Eigen::MatrixXd sight(const World& world, const typename World::State& state, Index agent) {
  Eigen::MatrixXd x(world.observation(), heed::columns_of(world, state, agent));
  world.observe(state, agent, Write<double>(x));
  return x;
}

/// A step, and what it brought to each agent.
template <class World>
std::vector<Outcome> step_of_all(const World& world, typename World::State& state, const std::vector<Index>& actions) {
  std::vector<Outcome> outcomes(std::size_t(world.agents()), Outcome{7, true, true});
  world.step(state, actions, outcomes);
  return outcomes;
}

template <class World>
bool any_acts(const World& world, const typename World::State& state) {
  bool any = false;
  for (Index agent = 0; agent < world.agents(); ++agent) any = any || world.acts(state, agent);
  return any;
}

template <class World>
void check_sight(const World& world, const typename World::State& state, Index agent) {
  const Index rows = world.observation(), cols = heed::columns_of(world, state, agent);
  Eigen::MatrixXf x = Eigen::MatrixXf::Constant(rows, cols + 2, 7), wide(rows, cols + 1), high(rows + 1, cols);
  world.observe(state, agent, Write<float>(x.middleCols(1, cols)));
  CHECK((x.col(0).array() == 7).all());
  CHECK((x.col(cols + 1).array() == 7).all());
  CHECK(x.middleCols(1, cols) == sight(world, state, agent).template cast<float>());
  CHECK(x.allFinite());
  CHECK_THROWS_WITH(world.observe(state, agent, Write<float>(wide)), ContainsSubstring(": x is "));
  CHECK_THROWS_WITH(world.observe(state, agent, Write<float>(high)), ContainsSubstring(": x is "));
}

/// Random episodes: the same random numbers bring the same; all act at first and none at last; an agent acts until its
/// outcome is over, and then its outcome is zero whatever its action; the limit truncates those that act.
template <class World>
void check_agents(const World& world, Index rounds = 10) {
  Random random(1), same(1), draws(2);
  const Index n = world.agents();
  for (Index round = 0; round < rounds; ++round) {
    auto state = world.reset(random), twin = world.reset(same);
    for (Index agent = 0; agent < n; ++agent) {
      CHECK(world.acts(state, agent));
      check_sight(world, state, agent);
    }
    Index steps = 0, wrong = 0;
    while (any_acts(world, state) && steps < 2000) {
      std::vector<Index> actions, others;
      std::vector<char> acted;
      for (Index agent = 0; agent < n; ++agent) {
        acted.push_back(world.acts(state, agent));
        actions.push_back(draws.below(world.actions()));
        others.push_back(acted.back() ? actions.back() : draws.below(world.actions()));
      }
      const auto outcomes = step_of_all(world, state, actions), again = step_of_all(world, twin, others);
      ++steps;
      for (std::size_t i = 0; i < std::size_t(n); ++i) {
        const Outcome &outcome = outcomes[i], &repeated = again[i];
        wrong += outcome.reward != repeated.reward || outcome.over() != repeated.over();
        wrong += !std::isfinite(outcome.reward);
        if (acted[i]) {
          wrong += outcome.over() == world.acts(state, Index(i));
          if (!outcome.terminated) wrong += outcome.truncated != (steps == world.time_limit());
        } else {
          wrong += outcome.reward != 0 || outcome.over() || world.acts(state, Index(i));
        }
        wrong += sight(world, state, Index(i)) != sight(world, twin, Index(i));
      }
    }
    CHECK(wrong == 0);
    CHECK(steps <= world.time_limit());
    CHECK_FALSE(any_acts(world, state));
    for (Index agent = 0; agent < n; ++agent) check_sight(world, state, agent);
    CHECK_THROWS_WITH(step_of_all(world, state, std::vector<Index>(std::size_t(n), 0)),
                      ContainsSubstring("the episode is over after " + std::to_string(steps) + " steps"));
  }
}

}  // namespace support
