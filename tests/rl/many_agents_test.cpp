#include <set>

#include "heed/environments/cart_pole.hpp"
#include "heed/environments/padded.hpp"
#include "heed/environments/predators_and_prey.hpp"
#include "heed/networks/attention_policy.hpp"
#include "heed/networks/entity_policy.hpp"
#include "heed/networks/transformer_policy.hpp"
#include "heed/rl/ppo.hpp"
#include "heed/rl/reinforce.hpp"
#include "support.hpp"

using namespace heed;

namespace {

/// Three agents, of whom agent i leaves after 2 + 3 i steps, the last by a time limit. Each sees its own number, the time
/// and what all did last, and is rewarded for what it does and when.
struct Leaving {
  struct State {
    Index steps = 0, done = 0;
    double start = 0;
  };
  using Action = Index;
  Index agents() const { return 3; }
  bool acts(const State& s, Index agent) const { return s.steps < 2 + 3 * agent; }
  Index actions() const { return 2; }
  Index observation() const { return 4; }
  Index time_limit() const { return 8; }
  State reset(Random& random) const { return {.start = random.uniform()}; }
  void step(State& s, std::span<const Index> actions, std::span<Outcome> outcomes) const {
    Index done = 0;
    for (Index i = 0; i < 3; ++i) {
      const std::size_t k = std::size_t(i);
      outcomes[k] = {};
      if (!acts(s, i)) continue;
      done += (actions[k] + 1) * (i + 1);
      outcomes[k].reward = double(actions[k]) + 0.1 * double(i) + 0.01 * double(s.steps);
      outcomes[k].terminated = s.steps + 1 == 2 + 3 * i && i < 2;
      outcomes[k].truncated = s.steps + 1 == 8;
    }
    s.done = done;
    ++s.steps;
  }
  template <class S>
  void observe(const State& s, Index agent, Write<S> x) const {
    x.col(0) << S(agent), S(s.steps), S(s.done), S(s.start);
  }
};
static_assert(ManyAgentsEnvironment<Leaving> && !shows_entities<Leaving>);

/// A world of one agent as a world of many.
template <class World>
struct Alone {
  World world;
  using State = typename World::State;
  using Action = Index;
  Index agents() const { return 1; }
  bool acts(const State&, Index) const { return true; }
  Index actions() const { return world.actions(); }
  Index observation() const { return world.observation(); }
  Index time_limit() const { return world.time_limit(); }
  State reset(Random& random) const { return world.reset(random); }
  void step(State& s, std::span<const Index> actions, std::span<Outcome> outcomes) const {
    outcomes[0] = world.step(s, actions[0]);
  }
  template <class S>
  void observe(const State& s, Index, Write<S> x) const {
    world.observe(s, x);
  }
};

template <class Net>
Agent<Net> make_agent(typename Net::Config config, Index observation, Index actions) {
  config.observation = observation;
  config.actions = actions;
  config.value = true;
  Agent<Net> agent(config, 3);
  agent.p.flat += support::random<typename Net::Scalar>(agent.p.flat.size(), 1, 4, 0.2).col(0);
  return agent;
}

using Attention = AttentionPolicy<double>;

/// Ratios before an update.
template <class Net, class World>
double largest_log_ratio(Ppo<Net, World>& ppo, const Agent<Net>& agent) {
  ppo.collect();
  const Episodes<double>& e = ppo.lived();
  Activations<double> a(agent.layout);
  a.begin(agent.net.time, e.time);
  if (!(agent.net.input == agent.net.time)) a.begin(agent.net.input, e.input);
  agent.net.forward(agent.p, e.x(), a);
  double worst = 0;
  for (Index i = 0; i < e.count(); ++i)
    for (Index t = e.time.first(i) + e.past[std::size_t(i)]; t < e.time.first(i) + e.time.length(i); ++t)
      worst = std::max(worst, std::abs(decision(agent.net, a.view(), t).log_prob(e.actions[std::size_t(t)]) -
                                       e.log_probs[std::size_t(t)]));
  return worst;
}

}  // namespace

TEST_CASE("many agents: an episode an agent, each with what it saw, did and got") {
  const auto agent = make_agent<Attention>({.window = 3, .width = 6, .hidden = 5}, 4, 2);
  const Leaving world;
  Rollout rollout(agent, world, 4, 9);
  const auto& e = rollout.run(agent.p);
  REQUIRE(e.count() == 12);
  CHECK(e.finished.size() == 12);
  for (Index scene = 0; scene < 4; ++scene) {
    auto step = [&](Index i, Index t) { return std::size_t(e.time.first(3 * scene + i) + t); };
    Leaving::State state{.start = e.x()(3, Index(step(0, 0)))};
    Index actions[3] = {};
    Outcome outcomes[3];
    for (Index t = 0; t < 8; ++t) {
      for (Index i = 0; i < 3; ++i) {
        if (!world.acts(state, i)) continue;
        Eigen::Vector4d seen;
        world.observe(state, i, Write<double>(seen));
        CHECK(e.x().col(Index(step(i, t))) == seen);
        actions[i] = e.actions[step(i, t)];
      }
      world.step(state, actions, outcomes);
      for (Index i = 0; i < 3; ++i)
        if (t < e.time.length(3 * scene + i)) CHECK(e.rewards[step(i, t)] == outcomes[i].reward);
    }
    for (Index i = 0; i < 3; ++i) {
      const std::size_t k = std::size_t(3 * scene + i);
      CHECK(e.time.length(Index(k)) == 2 + 3 * i);
      CHECK(bool(e.truncated[k]) == (i == 2));
      CHECK((e.last_value[k] != 0) == (i == 2));
    }
  }
  std::set<double> starts;
  for (Index i = 0; i < e.count(); ++i) starts.insert(e.x()(3, e.time.first(i)));
  CHECK(starts.size() == 4);
}

TEST_CASE("many agents: steps in a row, the next episode begins when all are done") {
  const auto agent = make_agent<Attention>({.window = 4, .width = 6, .hidden = 5}, 4, 2);
  Rollout rollout(agent, Leaving{}, 2, 9);
  std::vector<Index> steps_of_agent(3), parts_of_agent(3);
  for (int batch = 0; batch < 4; ++batch) {
    const auto& e = rollout.run_steps(agent.p, 5);
    for (Index i = 0; i < e.count(); ++i) {
      const Index old = e.past[std::size_t(i)];
      if (e.time.length(i) == old) continue;
      const std::size_t who = std::size_t(e.x()(0, e.time.first(i)));
      for (Index t = e.time.first(i); t + 1 < e.time.first(i) + e.time.length(i); ++t) {
        CHECK(e.x()(1, t + 1) == e.x()(1, t) + 1);
        CHECK(e.x()(3, t + 1) == e.x()(3, t));
      }
      steps_of_agent[who] += e.time.length(i) - old;
      ++parts_of_agent[who];
    }
  }
  // 20 steps of two scenes are two episodes of 8 steps and half of a third.
  CHECK(steps_of_agent == std::vector<Index>{2 * 6, 2 * 14, 2 * 20});
  CHECK(parts_of_agent[2] > parts_of_agent[0]);
}

TEST_CASE("many agents: one of them is as a world with one") {
  const CartPole world(21);
  const auto run = [&](const auto& of) {
    auto agent = make_agent<TransformerPolicy<double>>({.width = 8, .heads = 2}, 4, 2);
    Ppo ppo(agent, of, {.lanes = 3, .steps = 30, .epochs = 2, .minibatches = 2});
    for (int i = 0; i < 3; ++i) ppo.iterate();
    return agent.p.flat;
  };
  CHECK(run(world) == run(Alone<CartPole>{world}));
}

TEST_CASE("many agents: acting and learning agree, whatever was learned between") {
  auto simple = make_agent<TransformerPolicy<double>>({.width = 8, .heads = 2}, 4, 2);
  Ppo leaving(simple, Leaving{}, {.learning_rate = 1e-2, .lanes = 3, .steps = 5, .epochs = 2});
  const PredatorsAndPrey hunt({.predators = 2, .prey = 2, .limit = 11, .area = 1});
  auto sees_all = make_agent<EntityPolicy<double>>({.width = 8, .heads = 2, .layers = 0}, 8, 9);
  CHECK(past_of(sees_all.net, sees_all.layout) == 0);
  Ppo hunting(sees_all, hunt, {.learning_rate = 1e-2, .lanes = 3, .steps = 7, .epochs = 2});
  auto remembers = make_agent<EntityPolicy<double>>({.width = 8, .heads = 2, .layers = 1}, 8, 9);
  Ppo remembering(remembers, hunt, {.learning_rate = 1e-2, .lanes = 3, .steps = 7, .epochs = 2});
  for (int i = 0; i < 4; ++i) {
    CHECK(largest_log_ratio(leaving, simple) <= 1e-12);
    CHECK(largest_log_ratio(hunting, sees_all) <= 1e-12);
    CHECK(largest_log_ratio(remembering, remembers) <= 1e-12);
    CHECK(leaving.iterate().kl > 1e-9);
    hunting.iterate(), remembering.iterate();
  }
}

TEST_CASE("many agents: REINFORCE and evaluation take them") {
  const Leaving world;
  auto agent = make_agent<Attention>({.window = 3, .width = 8, .hidden = 8}, 4, 2);
  Reinforce trainer(agent, world, {.learning_rate = 2e-2, .batch = 8, .baseline = Baseline::value});
  for (int i = 0; i < 60; ++i) trainer.iterate();
  const Returns best = evaluate(agent, world, 2, 5);
  CHECK(best.episodes == 6);
  // All ones, and the rest by hand: i = 0: 2 + 0.01; 1: 5 + 0.5 + 0.1; 2: 8 + 1.6 + 0.28.
  CHECK(std::abs(best.mean - (2.01 + 5.6 + 9.88) / 3) < 1e-9);
}

TEST_CASE("many agents: sets are not for networks of one column a step") {
  const auto agent = make_agent<Attention>({.window = 3, .width = 6, .hidden = 5}, 8, 9);
  support::check_complaint("sets of entities", [&] { Rollout(agent, PredatorsAndPrey(), 2, 1); });
  const auto wide = make_agent<Attention>({.window = 3, .width = 6, .hidden = 5}, 9 * 9, 9);
  Rollout padded(wide, Padded(PredatorsAndPrey(), 9), 2, 1);
  CHECK(padded.run(wide.p).count() == 6);
}

TEST_CASE("many agents: a world without any is refused") {
  struct Empty : Leaving {
    Index count = 0;
    Index agents() const { return count; }
  };
  const auto agent = make_agent<Attention>({.window = 3, .width = 6, .hidden = 5}, 4, 2);
  support::check_complaint("Rollout: the world has 0 agents, but at least 1 is needed",
                           [&] { Rollout(agent, Empty{}, 2, 1); });
  support::check_complaint("Rollout: the world has -1 agents, but at least 1 is needed", [&] {
    evaluate(agent, Empty{{}, -1}, 2, 1);
  });
}
