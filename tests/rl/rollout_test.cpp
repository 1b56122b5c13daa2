#include "heed/rl/rollout.hpp"

#include "heed/core/threads.hpp"
#include "heed/environments/cart_pole.hpp"
#include "heed/layers/additive_pooling.hpp"
#include "heed/networks/attention_policy.hpp"
#include "heed/networks/mlp_policy.hpp"
#include "heed/networks/transformer_policy.hpp"
#include "support.hpp"
#include "support/executors.hpp"

using namespace heed;

namespace {

template <class Net>
Agent<Net> make_agent(typename Net::Config config, Index observation = 4) {
  config.observation = observation;
  config.actions = 2;
  Agent<Net> agent(config, 3);
  agent.p.flat += support::random<typename Net::Scalar>(agent.p.flat.size(), 1, 4, 0.2).col(0);
  return agent;
}

template <class Net, class World>
Activations<typename Net::Scalar> recompute(const Agent<Net>& agent, const World&,
                                            const Episodes<typename Net::Scalar>& episodes) {
  Activations<typename Net::Scalar> a(agent.layout);
  a.begin(agent.net.time, episodes.time);
  if (!(agent.net.input == agent.net.time)) a.begin(agent.net.input, episodes.input);
  agent.net.forward(agent.p, episodes.x(), a);
  return a;
}

/// Acting and learning agree: the log-probabilities over whole episodes are those recorded while acting.
template <class Net, class World>
void check_agreement(const Agent<Net>& agent, const World& world, double tolerance) {
  using S = typename Net::Scalar;
  Rollout<Net, World> rollout(agent, world, 7, 11);
  for (int batch = 0; batch < 3; ++batch) {
    const Episodes<S>& episodes = rollout.run(agent.p);
    REQUIRE(episodes.count() == 7);
    REQUIRE(Index(episodes.log_probs.size()) == episodes.steps());
    auto a = recompute(agent, world, episodes);
    for (Index t = 0; t < episodes.steps(); ++t) {
      const Categorical<S> policy = decision(agent.net, a.view(), t);
      CHECK(std::abs(policy.log_prob(episodes.actions[std::size_t(t)]) - episodes.log_probs[std::size_t(t)]) <=
            tolerance);
    }
  }
}

/// So many steps that show their number and the seed of the episode; episode lengths differ.
struct Counting {
  struct State {
    Index length, t = 0;
    double mark;
  };
  using Action = Index;
  double bad_observation = 0, bad_reward = 0;
  State reset(Random& random) const { return {.length = 1 + random.below(6), .mark = random.uniform()}; }
  Outcome step(State& s, Index) const {
    ++s.t;
    return {.reward = s.t == 2 ? 10 * s.mark + bad_reward : s.mark, .terminated = s.t == s.length, .truncated = false};
  }
  Index observation() const { return 2; }
  Index actions() const { return 2; }
  Index time_limit() const { return 6; }
  template <class S>
  void observe(const State& s, Write<S> x) const {
    x.col(0) << S(double(s.t) + bad_observation), S(s.mark);
  }
};
static_assert(DiscreteEnvironment<Counting>);

/// As many entities as the step is old, in sight.
struct Crowd : Counting {
  Index entities(const State& s) const { return s.t % 3; }
  template <class S>
  void observe(const State& s, Write<S> x) const {
    for (Index i = 0; i < x.cols(); ++i) x.col(i) << S(i + 1), S(s.mark);
  }
};
static_assert(EntityEnvironment<Crowd>);

/// A network of a user's own: attention over the entities in sight, then the logits.
struct OwnPolicy {
  using Scalar = double;
  struct Config {
    Index observation, actions;
  };
  Axis time, input;
  Index observation;
  AdditivePooling<double> pool;
  Linear<double> head;
  Columns<> pooled, logits;

  OwnPolicy(Scope at, const Config& c)
      : time(at.axis()),
        input(at.child_axis()),
        observation(c.observation),
        pool(at.along(input) / "pool", c.observation, 5),
        head(at / "head", c.observation, c.actions),
        pooled(at.columns(c.observation)),
        logits(at.columns(c.actions)) {}
  void forward(ParametersView<const double> p, Read<double> x, ActivationsView<double> a) const {
    pool.forward(p, x, a[pooled], a);
    head.forward(p, a[pooled], a[logits]);
  }
  void extend(ParametersView<const double> p, Read<double> x, MemoryView<double> m, ActivationsView<double> a) const {
    m.begin(time, a.sequences(time));
    forward(p, x, a);
  }
  void backward(ParametersView<const double> p, Read<double> x, ActivationsView<double> a, ParametersView<double> g,
                Gradient<double> dx) const {
    head.backward(p, a[pooled], a.d(logits), g, a.d(pooled));
    pool.backward(p, x, a.d(pooled), a, g, dx);
  }
};
static_assert(Policy<OwnPolicy>);

}  // namespace

TEST_CASE("rollout: acting and learning agree") {
  const CartPole world(40);
  check_agreement(make_agent<MlpPolicy<double>>({.hidden = {8}}), world, 1e-12);
  check_agreement(make_agent<AttentionPolicy<double>>({.window = 5, .width = 6, .hidden = 7}), world, 1e-12);
  check_agreement(make_agent<TransformerPolicy<double>>({.width = 8, .heads = 2, .inner = 9}), world, 1e-12);
  check_agreement(make_agent<TransformerPolicy<double>>({.width = 8, .heads = 2, .inner = 9, .window = 7}), world,
                  1e-12);
  check_agreement(make_agent<AttentionPolicy<float>>({}), world, 2e-5);
  check_agreement(make_agent<TransformerPolicy<float>>({}), world, 2e-5);
  check_agreement(make_agent<OwnPolicy>({}, 2), Crowd{}, 1e-12);
}

TEST_CASE("rollout: each episode is recorded from its start to its end") {
  const auto agent = make_agent<MlpPolicy<double>>({.hidden = {4}}, 2);
  Rollout<MlpPolicy<double>, Counting> rollout(agent, {}, 50, 1);
  const auto& episodes = rollout.run(agent.p);
  REQUIRE(episodes.count() == 50);
  Index shortest = 100, longest = 0;
  for (Index e = 0; e < 50; ++e) {
    const Index first = episodes.time.first(e), n = episodes.time.length(e);
    shortest = std::min(shortest, n);
    longest = std::max(longest, n);
    for (Index t = 0; t < n; ++t) {
      CHECK(episodes.x()(0, first + t) == double(t));
      const double mark = episodes.x()(1, first);
      CHECK(episodes.x()(1, first + t) == mark);
      CHECK(episodes.rewards[std::size_t(first + t)] == (t == 1 ? 10 * mark : mark));
    }
    CHECK(episodes.truncated[std::size_t(e)] == 0);
    CHECK(episodes.last_value[std::size_t(e)] == 0);
  }
  CHECK(shortest == 1);
  CHECK(longest == 6);
}

TEST_CASE("rollout: what happens in a lane does not depend on the others") {
  const auto agent = make_agent<TransformerPolicy<double>>({.width = 8, .heads = 2});
  const CartPole world;
  Rollout<TransformerPolicy<double>, CartPole> alone(agent, world, 1, 5), many(agent, world, 9, 5);
  for (int batch = 0; batch < 2; ++batch) {
    const auto &one = alone.run(agent.p), &all = many.run(agent.p);
    REQUIRE(one.steps() == all.time.length(0));
    CHECK(std::equal(one.actions.begin(), one.actions.end(), all.actions.begin()));
    CHECK(support::same_bits(one.x().eval(), all.x().leftCols(one.steps()).eval()));
  }
}

TEST_CASE("rollout: many lanes of a large policy act in groups, and nobody sees it") {
  const auto agent = make_agent<TransformerPolicy<double>>({.width = 32, .heads = 2});
  REQUIRE(agent.layout.parameters() * 16 > 1 << 17);  // groups of 16
  const CartPole world(40);
  using Of = Rollout<TransformerPolicy<double>, CartPole>;
  // The lanes are those that act alone, or with few others.
  Of many(agent, world, 70, 5), one(agent, world, 1, 5), few(agent, world, 30, 5);
  for (int batch = 0; batch < 2; ++batch) {
    const auto &all = many.run(agent.p), &first = one.run(agent.p), &some = few.run(agent.p);
    REQUIRE(all.count() == 70);
    CHECK(support::distance(all.x().leftCols(first.steps()), first.x()) <= 1e-9);
    CHECK(support::distance(all.x().leftCols(some.steps()), some.x()) <= 1e-9);
    CHECK(std::equal(some.actions.begin(), some.actions.end(), all.actions.begin()));
    for (Index e = 0; e < 30; ++e) CHECK(all.time.length(e) == some.time.length(e));
  }

  const auto play = [&](Executor executor) {
    Of rollout(agent, world, 70, 5);
    rollout.run(agent.p, Choice::sample, executor);
    return rollout.run(agent.p, Choice::sample, executor);
  };
  const Episodes<double> all = play({});
  const auto check = [&](Executor executor) {
    const Episodes<double> mine = play(executor);
    CHECK(support::same_bits(mine.x(), all.x()));
    CHECK(mine.actions == all.actions);
    CHECK(mine.log_probs == all.log_probs);
    CHECK(mine.rewards == all.rewards);
    CHECK(mine.truncated == all.truncated);
    CHECK(evaluate(agent, world, 70, 8, Choice::mode, executor).mean == evaluate(agent, world, 70, 8).mean);
  };
  support::Reverse reverse;
  check(reverse);
  CHECK(reverse.tasks == 3 * 4);
  for (const Index n : {1, 2, 7}) {
    Threads threads(n);
    check(threads);
  }
}

TEST_CASE("rollout: a cut episode ends with the learned value of what was left") {
  const CartPole world(6);
  const auto agent = make_agent<TransformerPolicy<double>>({.width = 8, .heads = 2, .value = true});
  const auto& net = agent.net;
  Rollout<TransformerPolicy<double>, CartPole> rollout(agent, world, 4, 5);
  const auto& episodes = rollout.run(agent.p);
  for (Index e = 0; e < 4; ++e) {
    REQUIRE(episodes.time.length(e) == 6);
    REQUIRE(episodes.truncated[std::size_t(e)] == 1);
    // The final observation is a step of the world on: live the episode once more, and value it over the whole.
    Tokens<double> x(4, 7);
    x.leftCols(6) = episodes.x().middleCols(episodes.time.first(e), 6);
    CartPole::State s{x(0, 5), x(1, 5), x(2, 5), x(3, 5), 0};
    world.step(s, episodes.actions[std::size_t(episodes.time.first(e) + 5)]);
    world.observe(s, Write<double>(x.col(6)));
    Activations<double> a(agent.layout);
    a.begin(agent.time, {7});
    net.forward(agent.p, x, a);
    CHECK(std::abs(episodes.last_value[std::size_t(e)] - a[net.value](0, 6)) <= 1e-9);
  }
  // Without a learned value, and where an episode terminates, nothing stands behind the end.
  const auto plain = make_agent<MlpPolicy<double>>({.hidden = {4}});
  Rollout<MlpPolicy<double>, CartPole> without(plain, world, 4, 5);
  for (double v : without.run(plain.p).last_value) CHECK(v == 0);
}

TEST_CASE("rollout: modes are chosen for evaluation, and it repeats itself") {
  const auto agent = make_agent<AttentionPolicy<double>>({.window = 3, .width = 5, .hidden = 6});
  const CartPole world;
  Rollout<AttentionPolicy<double>, CartPole> rollout(agent, world, 5, 5);
  const auto& episodes = rollout.run(agent.p, Choice::mode);
  auto a = recompute(agent, world, episodes);
  for (Index t = 0; t < episodes.steps(); ++t)
    CHECK(Categorical<double>(a[agent.net.logits], t).mode() == episodes.actions[std::size_t(t)]);
  const Returns one = evaluate(agent, world, 20, 8), two = evaluate(agent, world, 20, 8);
  CHECK(one.mean == two.mean);
  CHECK(one.episodes == 20);
  CHECK(one.min <= one.mean);
  CHECK(one.mean <= one.max);
  CHECK(one.mean == Approx(double(one.steps) / 20));
}

TEST_CASE("rollout: errors") {
  using support::check_complaint;
  const auto agent = make_agent<MlpPolicy<double>>({.hidden = {4}}, 2);
  using Of = Rollout<MlpPolicy<double>, Counting>;
  check_complaint("0 episodes", [&] { Of(agent, {}, 0, 1); });
  check_complaint("an observation is not finite at step 0 of episode 0",
                  [&] { Of(agent, {.bad_observation = NAN}, 3, 1).run(agent.p); });
  check_complaint("the reward is nan at step 1 of episode", [&] { Of(agent, {.bad_reward = NAN}, 9, 1).run(agent.p); });
  const auto other = make_agent<MlpPolicy<double>>({.hidden = {4}}, 3);
  check_complaint("observations of 3 and 2 actions, but the world has 2 and 2", [&] { Of(other, {}, 1, 1); });
  const auto attentive = make_agent<TransformerPolicy<double>>({.width = 4, .heads = 1});
  const CartPole world;
  check_complaint("capacity is 2 and it is not a ring",
                  [&] { Rollout<TransformerPolicy<double>, CartPole>(attentive, world, 1, 1, 2).run(attentive.p); });
  const CartPole endless(0);
  check_complaint("axis 0 needs a capacity",
                  [&] { Rollout<TransformerPolicy<double>, CartPole>(attentive, endless, 1, 1); });
  check_complaint("capacity -1", [&] { Rollout<TransformerPolicy<double>, CartPole>(attentive, world, 1, 1, -1); });
  check_complaint("the world shows sets of entities", [&] { Rollout<MlpPolicy<double>, Crowd>(agent, {}, 1, 1); });
  Of rollout(agent, {}, 1, 1);
  check_complaint("parameters, but the agent has", [&] { rollout.run(attentive.p); });
}

TEST_CASE("rollout: a capacity of one's own leaves room for the value of what a cut left") {
  const CartPole world(6);
  const auto agent = make_agent<TransformerPolicy<double>>({.width = 8, .heads = 2, .value = true});
  Rollout<TransformerPolicy<double>, CartPole> given(agent, world, 3, 5, 6), of_world(agent, world, 3, 5);
  CHECK(given.run(agent.p).last_value == of_world.run(agent.p).last_value);
}

namespace {

/// A net that recalls, with parameters that differ from those it was made with.
template <class Net, class World>
void check_parts(Agent<Net> agent, const World& world, double tolerance) {
  using S = typename Net::Scalar;
  constexpr Index lanes = 3, steps = 7;
  Rollout<Net, World> rollout(agent, world, lanes, 11);
  const Index look_back = past_of(agent.net, agent.layout);
  Index past = 0;
  for (int batch = 0; batch < 5; ++batch) {
    const Episodes<S>& e = rollout.run_steps(agent.p, steps);
    Index learned = 0;
    for (Index i = 0; i < e.count(); ++i) {
      const Index old = e.past[std::size_t(i)], first = e.time.first(i), length = e.time.length(i);
      REQUIRE(old >= 0);
      CHECK(old <= look_back);
      learned += length - old;
      past += old;
      for (Index t = first; t < first + old; ++t) CHECK(e.rewards[std::size_t(t)] == 0);
    }
    REQUIRE(learned == lanes * steps);
    auto a = recompute(agent, world, e);
    for (Index i = 0; i < e.count(); ++i)
      for (Index t = e.time.first(i) + e.past[std::size_t(i)]; t < e.time.first(i) + e.time.length(i); ++t) {
        const S log_prob = decision(agent.net, a.view(), t).log_prob(e.actions[std::size_t(t)]);
        CHECK(std::abs(log_prob - e.log_probs[std::size_t(t)]) <= tolerance);
        if (const auto value = value_of(agent.net))
          CHECK(std::abs(double(a[value](0, t)) - e.values[std::size_t(t)]) <= tolerance);
      }
    agent.p.flat += support::random<S>(agent.p.flat.size(), 1, std::uint64_t(batch), 0.05).col(0);  // it has learned
  }
  CHECK((past > 0) == (look_back > 0));
}

}  // namespace

TEST_CASE("rollout: acting and learning agree on parts of episodes, whatever was learned between them") {
  const CartPole world(23);
  check_parts(make_agent<MlpPolicy<double>>({.hidden = {8}, .value = true}), world, 1e-12);
  check_parts(make_agent<AttentionPolicy<double>>({.window = 5, .width = 6, .hidden = 7, .value = true}), world, 1e-12);
  check_parts(make_agent<TransformerPolicy<double>>({.width = 8, .heads = 2, .inner = 9, .value = true}), world, 1e-12);
  check_parts(make_agent<TransformerPolicy<double>>({.width = 8, .heads = 2, .layers = 2, .inner = 9, .window = 4}),
              world, 1e-12);
  check_parts(make_agent<OwnPolicy>({}, 2), Crowd{}, 1e-12);
  for (const Position position : {Position(), rotary(), alibi()}) {
    const auto near = make_agent<TransformerPolicy<double>>(
        {.width = 8, .heads = 2, .layers = 2, .inner = 9, .window = 4, .sinusoidal = false, .position = position});
    CHECK(past_of(near.net, near.layout) == 6);
    check_parts(near, world, 1e-12);
  }
}

TEST_CASE("rollout: parts of episodes join") {
  const auto agent = make_agent<TransformerPolicy<double>>({.width = 8, .heads = 2, .value = true});
  const CartPole world(13);
  using Of = Rollout<TransformerPolicy<double>, CartPole>;
  Of pieces(agent, world, 2, 5), whole(agent, world, 2, 5);
  std::vector<Index> joined[2];
  std::vector<double> values[2];
  double last_value[2] = {0, 0};
  std::size_t finished = 0;
  for (int batch = 0; batch < 4; ++batch) {
    const auto& e = pieces.run_steps(agent.p, 10);
    finished += e.finished.size();
    for (std::size_t lane = 0, i = 0, taken = 0; i < std::size_t(e.count()); ++i) {
      const std::size_t first = std::size_t(e.time.first(Index(i)) + e.past[i]);
      const std::size_t end = std::size_t(e.time.first(Index(i)) + e.time.length(Index(i)));
      if (taken == 0 && e.past[i] > 0) CHECK(std::abs(last_value[lane] - e.values[first]) <= 1e-12);
      for (std::size_t t = first; t < end; ++t)
        joined[lane].push_back(e.actions[t]), values[lane].push_back(e.values[t]);
      taken += end - first;
      last_value[lane] = e.last_value[i];
      if (taken == 10) ++lane, taken = 0;
    }
  }
  const auto& e = whole.run_steps(agent.p, 40);
  CHECK(finished == e.finished.size());
  CHECK(finished > 2);
  std::vector<Index> actions = joined[0];
  actions.insert(actions.end(), joined[1].begin(), joined[1].end());
  CHECK(actions == e.actions);
  for (std::size_t t = 0; t < 40; ++t) CHECK(std::abs(values[0][t] - e.values[t]) <= 1e-12);
  for (const Finished& f : e.finished) CHECK(f.total == double(f.steps));
  support::check_complaint("0 steps", [&] { whole.run_steps(agent.p, 0); });
}
