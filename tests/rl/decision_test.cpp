#include "heed/rl/decision.hpp"

#include <cstdlib>

#include "heed/networks/entity_policy.hpp"
#include "heed/networks/mlp_policy.hpp"
#include "heed/networks/pointer_policy.hpp"
#include "heed/rl/reinforce.hpp"
#include "support.hpp"

using namespace heed;

namespace {

/// Some entities at each step, one of them marked. An action earns 1 where it is right: where one points, the number of the
/// marked entity; otherwise its colour, or that of the step before (`late`), and 0 where none is in sight.
struct Marked {
  struct State {
    Index count = 0, marked = 0, colours[5] = {}, before = 0, steps = 0;
    Random random{0};
  };
  using Action = Index;
  static constexpr Index limit = 4;
  bool pointing = true;
  Index late = 0;

  void show(State& s) const {
    s.before = answer(s);
    const Index fewest = pointing && s.steps < limit ? 1 : 0;  // what is left at the end may be empty
    s.count = fewest + s.random.below(6 - fewest);
    s.marked = s.random.below(std::max(s.count, Index(1)));
    for (Index& colour : s.colours) colour = s.random.below(3);
  }
  Index answer(const State& s) const {
    if (pointing) return s.marked;
    return s.count == 0 ? 0 : s.colours[s.marked];
  }
  State reset(Random& random) const {
    State s;
    s.random = Random(random.bits());
    show(s);
    s.before = -1;
    return s;
  }
  Outcome step(State& s, Index action) const {
    if (pointing && (action < 0 || action >= s.count)) detail::fail("Marked: there is no entity %ld", long(action));
    const double reward = action == (late ? s.before : answer(s)) ? 1 : 0;
    ++s.steps;
    show(s);
    return {.reward = reward, .truncated = s.steps == limit};
  }
  Index actions() const { return 3; }
  Index observation() const { return 4; }
  Index entities(const State& s) const { return s.count; }
  Index time_limit() const { return limit; }
  template <class S>
  void observe(const State& s, Write<S> x) const {
    x.setZero();
    for (Index i = 0; i < s.count; ++i) {
      x(0, i) = S(i == s.marked);
      x(1 + s.colours[i], i) = 1;
    }
  }
};
static_assert(EntityEnvironment<Marked> && DiscreteEnvironment<Marked>);
static_assert(Policy<PointerPolicy<float>> && Policy<EntityPolicy<float>>);

template <class S>
Agent<PointerPolicy<S>> pointer(std::uint64_t seed) {
  return Agent<PointerPolicy<S>>({.observation = 4, .width = 8, .heads = 2, .inner = 16, .value = true}, seed);
}

/// Trains less and asks for less where sanitizers make it slow.
bool in_short() { return std::getenv("HEED_SHORT") != nullptr; }

/// The mean reward a step after training.
template <class Net>
double learn(Agent<Net>& agent, const Marked& world, int iterations) {
  constexpr double rate = 4e-3;
  Reinforce trainer(agent, world, {.gamma = 0, .batch = 32, .baseline = Baseline::value, .max_gradient_norm = 0.3});
  for (int i = 0; i < iterations; ++i) {
    trainer.config.learning_rate = rate * (1 - double(i) / iterations);
    trainer.iterate();
  }
  const Returns returns = evaluate(agent, world, 200, 99);
  return returns.mean / Marked::limit;
}

}  // namespace

TEST_CASE("decision: a column of the logits, or the entities of a step") {
  Agent<MlpPolicy<double>> plain({.observation = 4, .actions = 3, .hidden = {5}}, 1);
  const auto pointing = pointer<double>(1);
  CHECK(!points(plain.net));
  CHECK(points(pointing.net));
  const Sequences steps{2, 0, 1}, seen{3, 0, 2};
  const Tokens<double> x = support::random<double>(4, 5, 1);
  Activations<double> a(plain.layout), b(pointing.layout);
  a.begin(plain.time, steps);
  plain.net.forward(plain.p, x.leftCols(3), a);
  b.begin(pointing.time, steps), b.begin(pointing.net.input, seen);
  pointing.net.forward(pointing.p, x, b);
  a.d(plain.net.logits).setZero(), b.d(pointing.net.logits).setZero();
  for (Index i = 0; i < 3; ++i) {
    CHECK(decision(plain.net, a.view(), i).entropy() == Categorical<double>(a[plain.net.logits], i).entropy());
    decision_gradient(plain.net, a.view(), i).setConstant(double(i + 1));
    if (seen.length(i) == 0) continue;
    const Tokens<double> logits = b[pointing.net.logits].middleCols(seen.first(i), seen.length(i)).transpose();
    CHECK(decision(pointing.net, b.view(), i).actions() == seen.length(i));
    CHECK(decision(pointing.net, b.view(), i).entropy() == Categorical<double>(logits, 0).entropy());
    decision_gradient(pointing.net, b.view(), i).setConstant(double(i + 1));
  }
  Tokens<double> of_plain(3, 3), of_pointing(1, 5);
  of_plain << 1, 2, 3, 1, 2, 3, 1, 2, 3;
  of_pointing << 1, 1, 1, 3, 3;
  CHECK(Tokens<double>(a.d(plain.net.logits)) == of_plain);
  CHECK(Tokens<double>(b.d(pointing.net.logits)) == of_pointing);
  support::check_complaint("nothing to choose from in sequence 1", [&] { decision(pointing.net, b.view(), 1); });
}

TEST_CASE("decision: acting and learning agree where actions are entities") {
  const auto agent = pointer<double>(3);
  const Marked world;
  Rollout rollout(agent, world, 9, 11);
  for (int batch = 0; batch < 3; ++batch) {
    const Episodes<double>& episodes = rollout.run(agent.p);
    Activations<double> a(agent.layout);
    a.begin(agent.net.time, episodes.time), a.begin(agent.net.input, episodes.input);
    agent.net.forward(agent.p, episodes.x(), a);
    REQUIRE(episodes.steps() == 36);
    Index highest = 0;
    for (Index t = 0; t < 36; ++t) {
      const Index action = episodes.actions[std::size_t(t)];
      REQUIRE(action < episodes.input.length(t));
      highest = std::max(highest, action);
      CHECK(episodes.rewards[std::size_t(t)] == episodes.x()(0, episodes.input.first(t) + action));
      CHECK(decision(agent.net, a.view(), t).log_prob(action) ==
            Approx(episodes.log_probs[std::size_t(t)]).margin(1e-12));
    }
    CHECK(highest == 4);
    for (const double value : episodes.last_value) CHECK((std::isfinite(value) && value != 0));
  }
}

TEST_CASE("decision: the gradient of REINFORCE for a policy that points is that of its loss") {
  auto agent = pointer<double>(3);
  agent.p.flat += support::random<double>(agent.p.flat.size(), 1, 4, 0.2);
  const Marked world;
  Rollout rollout(agent, world, 5, 11);
  const Episodes<double>& e = rollout.run(agent.p);
  const ReinforceConfig c{.baseline = Baseline::none, .normalise = false, .entropy = 0.3, .value = 0.7};
  Reinforce trainer(agent, world, c);
  trainer.gradient(e);
  Activations<double> a(agent.layout);
  a.begin(agent.net.time, e.time), a.begin(agent.net.input, e.input);
  std::vector<double> returns;
  rewards_to_go(e, c.gamma, c.reward_scale, returns);
  const auto loss = [&] {
    agent.net.forward(agent.p, e.x(), a);
    double sum = 0;
    for (Index t = 0; t < e.steps(); ++t) {
      const std::size_t step = std::size_t(t);
      const Tokens<double> logits = a[agent.net.logits].middleCols(e.input.first(t), e.input.length(t)).transpose();
      const Categorical<double> policy(logits, 0);
      const double off = a[agent.net.value](0, t) - returns[step];
      sum += c.value * off * off / 2 - policy.log_prob(e.actions[step]) * returns[step] - c.entropy * policy.entropy();
    }
    return sum / double(e.count());
  };
  for (Index i = 0; i < agent.p.flat.size(); i += 7) {
    const double numeric = testing::detail::central_difference(agent.p.flat[i], loss);
    CHECK(trainer.gradient().flat[i] == Approx(numeric).epsilon(1e-6).margin(1e-7));
  }
}

TEST_CASE("decision: a pointer learns to choose the marked entity among any number", "[learning]") {
  for (const std::uint64_t seed : {1u, 2u, 3u}) {
    if (in_short() && seed > 1) break;
    auto agent = pointer<float>(seed);
    CHECK(learn(agent, {}, in_short() ? 50 : 200) > (in_short() ? 0.8 : 0.98));  // by chance 0.46
  }
}

TEST_CASE("decision: actions are learned from entities, of this step and of the one before", "[learning]") {
  for (const std::uint64_t seed : {1u, 2u})
    for (const Index late : {0, 1}) {
      if (in_short() && (seed > 1 || late)) break;
      Agent<EntityPolicy<float>> agent(
          {.observation = 4, .actions = 3, .width = 16, .heads = 2, .inner = 32, .value = true}, seed);
      const double possible = late ? 0.75 : 1;  // the first step has none before it; by chance a third of this
      CHECK(learn(agent, {.pointing = false, .late = late},
                  in_short() ? 100
                  : late     ? 800
                             : 200) > (in_short() ? 0.6 : 0.95) * possible);
    }
}

TEST_CASE("decision: the same seed gives the same bits") {
  const auto run = [](std::uint64_t seed) {
    auto agent = pointer<float>(seed);
    Reinforce trainer(agent, Marked{}, {.baseline = Baseline::value, .seed = seed});
    for (int i = 0; i < 4; ++i) trainer.iterate();
    return agent.p.flat;
  };
  const auto first = run(7);
  CHECK(support::same_bits(first, run(7)));
  CHECK(!support::same_bits(first, run(8)));
}

TEST_CASE("decision: errors") {
  auto agent = pointer<double>(3);
  const Marked world;
  Episodes<double> e = Rollout(agent, world, 1, 11).run(agent.p);
  e.actions[1] = 5;
  support::check_complaint("Categorical: action 5 is not one of", [&] { Reinforce(agent, world, {}).gradient(e); });
  Agent<PointerPolicy<double>> other({.observation = 3, .width = 8, .heads = 2}, 1);
  support::check_complaint("observations of 3", [&] { Rollout(other, world, 1, 1); });
  struct Guarded : Marked {
    void allowed(const State&, std::span<bool>) const {}
  };
  support::check_complaint("the world says which actions are allowed, but a policy that points chooses from all",
                           [&] { Rollout(agent, Guarded(), 1, 1); });
  agent.net.logits.axis = agent.net.body.pool.seeds;
  support::check_complaint("the policy points along axis 2, but the entities lie along axis 1",
                           [&] { Rollout(agent, world, 1, 1); });
}
