#include "heed/rl/actor_critic.hpp"

#include "heed/core/threads.hpp"
#include "heed/environments/cart_pole.hpp"
#include "heed/io/checkpoint.hpp"
#include "heed/networks/attention_policy.hpp"
#include "heed/networks/mlp_policy.hpp"
#include "heed/networks/transformer_policy.hpp"
#include "heed/rl/ppo.hpp"
#include "rl/recall.hpp"
#include "support.hpp"
#include "support/executors.hpp"
#include "support/files.hpp"

using namespace heed;

namespace {

template <class Net>
Agent<Net> make_agent(typename Net::Config config) {
  config.observation = 4;
  config.actions = 2;
  config.value = true;
  Agent<Net> agent(config, 3);
  agent.p.flat += support::random<typename Net::Scalar>(agent.p.flat.size(), 1, 4, 0.2).col(0);
  return agent;
}
Agent<AttentionPolicy<double>> attentive() {
  return make_agent<AttentionPolicy<double>>({.window = 4, .width = 6, .hidden = 7});
}
Agent<TransformerPolicy<double>> looking_back() {
  return make_agent<TransformerPolicy<double>>({.width = 8, .heads = 2, .inner = 9});
}

/// All that was lived, in one batch.
template <class Net>
Minibatch<double> everything(const Agent<Net>& agent, const Episodes<double>& e) {
  std::vector<Piece> pieces;
  cut_into_pieces(e, 0, past_of(agent.net, agent.layout), pieces);
  Minibatch<double> all;
  all.gather(e, std::span<const Piece>(pieces));
  return all;
}

/// f(column, t) for each step that was lived in the last iteration.
template <class F>
void each_step(const Episodes<double>& e, F f) {
  for (Index i = 0; i < e.count(); ++i)
    for (Index t = e.time.first(i) + e.past[std::size_t(i)]; t < e.time.first(i) + e.time.length(i); ++t)
      f(t, std::size_t(t));
}

/// The loss of the docstring over all that was lived, written down plainly.
template <class Net>
double loss(const Agent<Net>& agent, const ActorCritic<Net, CartPole>& trainer) {
  const Episodes<double>& e = trainer.lived();
  Activations<double> a(agent.layout);
  a.begin(agent.net.time, e.time);
  agent.net.forward(agent.p, e.x(), a);
  double n = 0, mean = 0, deviation = 1, sum = 0;
  const auto each = [&](auto f) { each_step(e, f); };
  each([&](Index, std::size_t) { ++n; });
  if (trainer.config.normalise) {
    each([&](Index, std::size_t t) { mean += trainer.advantages()[t] / n; });
    double square = 0;
    each([&](Index, std::size_t t) { square += std::pow(trainer.advantages()[t] - mean, 2) / n; });
    deviation = std::sqrt(square);
  }
  each([&](Index column, std::size_t t) {
    const Categorical<double> policy(a[agent.net.logits], column);
    const double advantage = (trainer.advantages()[t] - mean) / deviation;
    const double error = a[agent.net.value](0, column) - trainer.returns()[t];
    sum += -advantage * policy.log_prob(e.actions[t]) - trainer.config.entropy * policy.entropy() +
           trainer.config.value / 2 * error * error;
  });
  return sum / n;
}

template <class Net>
void check_gradient(Agent<Net> agent, bool normalise) {
  const CartPole world(11);
  ActorCritic trainer(
      agent, world,
      {.lambda = 0.9, .reward_scale = 0.3, .lanes = 4, .steps = 7, .normalise = normalise, .entropy = 0.07});
  for (int i = 0; i < 3; ++i) trainer.collect();
  Index straddling = 0;
  for (Index past : trainer.lived().past) straddling += past > 0;
  CHECK((straddling > 0) == (past_of(agent.net, agent.layout) > 0));
  agent.p.flat += support::random<double>(agent.p.flat.size(), 1, 8, 0.1).col(0);  // values are not what they were
  trainer.gradient(everything(agent, trainer.lived()));
  const auto g = trainer.gradient().flat;
  Random pick(5);
  for (int k = 0; k < 60; ++k) {
    const Index i = pick.below(g.size());
    if (g[i] == 0) continue;  // of weights that are not trained, too
    constexpr double h = 1e-6;
    double& weight = agent.p.flat[i];
    const double at = weight;
    weight = at + h;
    const double above = loss(agent, trainer);
    weight = at - h;
    const double below = loss(agent, trainer);
    weight = at;
    CHECK(std::abs((above - below) / (2 * h) - g[i]) <= 1e-7 * std::max(1.0, std::abs(g[i])));
  }
}

/// What an iteration says of itself is what sums over its steps say, of the policy that it was acted with.
template <class Net>
void check_statistics(Agent<Net> agent) {
  ActorCritic trainer(agent, CartPole(11), {.lambda = 0.9, .reward_scale = 0.3, .lanes = 4, .steps = 7});
  for (int i = 0; i < 2; ++i) trainer.iterate();
  const Agent<Net> before = agent;
  const ActorCriticStatistics now = trainer.iterate();
  const Episodes<double>& e = trainer.lived();
  Activations<double> a(before.layout);
  a.begin(before.net.time, e.time);
  before.net.forward(before.p, e.x(), a);
  double n = 0, entropy = 0, error = 0, mean_return = 0, mean_error = 0, returns = 0, errors = 0;
  each_step(e, [&](Index, std::size_t t) {
    ++n, mean_return += trainer.returns()[t], mean_error += trainer.returns()[t] - e.values[t];
  });
  mean_return /= n, mean_error /= n;
  each_step(e, [&](Index column, std::size_t t) {
    const double p = 1 / (1 + std::exp(a[before.net.logits](1, column) - a[before.net.logits](0, column)));
    const double g = trainer.returns()[t], v = a[before.net.value](0, column);
    entropy -= (p * std::log(p) + (1 - p) * std::log(1 - p)) / n;
    error += (v - g) * (v - g) / n;
    returns += std::pow(g - mean_return, 2) / n;
    errors += std::pow(g - e.values[t] - mean_error, 2) / n;
  });
  CHECK(n == 28);
  CHECK(now.entropy == Approx(entropy).epsilon(1e-9));
  CHECK(now.value_error == Approx(error).epsilon(1e-9));
  CHECK(now.explained_variance == Approx(1 - errors / returns).epsilon(1e-9));
}

/// With ratios of 1, nothing clipped and nothing normalised Ppo's gradient is the same.
template <class Net>
void check_same_as_ppo(Agent<Net> agent) {
  const CartPole world(23);
  ActorCritic trainer(agent, world, {.lambda = 0.9, .lanes = 3, .steps = 17});
  Ppo ppo(agent, world, {.lambda = 0.9, .lanes = 3, .steps = 17, .normalise = false});
  for (int i = 0; i < 3; ++i) trainer.collect(), ppo.collect();
  REQUIRE(trainer.lived().actions == ppo.lived().actions);
  const Minibatch<double> all = everything(agent, ppo.lived());
  const ActorCriticStatistics of_trainer = trainer.gradient(all);
  const PpoStatistics of_ppo = ppo.gradient(all);
  CHECK(trainer.gradient().flat.norm() > 1e-3);
  CHECK(support::distance(trainer.gradient().flat, ppo.gradient().flat) <= 1e-14);
  CHECK(of_trainer.entropy == of_ppo.entropy);
  CHECK(of_trainer.value_error == of_ppo.value_error);
}

/// One state, whose second action brings 1: an episode is one step.
struct Bandit {
  struct State {};
  using Action = Index;
  State reset(Random&) const { return {}; }
  Outcome step(State&, Index action) const { return {.reward = double(action), .terminated = true}; }
  Index observation() const { return 1; }
  Index actions() const { return 2; }
  Index time_limit() const { return 1; }
  template <class S>
  void observe(const State&, Write<S> x) const {
    x(0, 0) = 1;
  }
};

/// Two numbers are logits and a third is the value, whatever is observed.
template <class Real>
struct Plain {
  using Scalar = Real;
  struct Config {};
  Weight<Dynamic, 1> weights;
  Columns<> logits;
  Columns<1> value;
  Axis time, input;
  Index observation = 1;

  Plain(Scope at, const Config&)
      : weights(at.weight<Dynamic>("weights", {3}, constant(0.25))),
        logits(at.columns(2)),
        value(at.template columns<1>()),
        time(at.axis()),
        input(at.axis()) {}
  void forward(ParametersView<const Real> p, Read<Real>, ActivationsView<Real> a) const {
    for (Index i = 0; i < a[logits].cols(); ++i) {
      a[logits].col(i) = p[weights].head(2);
      a[value](0, i) = p[weights](2);
    }
  }
  void extend(ParametersView<const Real> p, Read<Real> x, MemoryView<Real> m, ActivationsView<Real> a) const {
    m.begin(time, a.sequences(time));
    forward(p, x, a);
  }
  void backward(ParametersView<const Real>, Read<Real>, ActivationsView<Real> a, ParametersView<Real> g,
                Gradient<Real>) const {
    for (Index i = 0; i < a.d(logits).cols(); ++i) {
      g[weights].head(2) += a.d(logits).col(i);
      g[weights](2) += a.d(value)(0, i);
    }
  }
};

struct Broken : Bandit {
  Outcome step(State&, Index) const { return {.reward = std::nan(""), .terminated = true}; }
};

}  // namespace

TEST_CASE("actor_critic: the gradient is that of the loss in its docstring") {
  for (const bool normalise : {false, true}) {
    check_gradient(make_agent<MlpPolicy<double>>({.hidden = {8}}), normalise);
    check_gradient(attentive(), normalise);
    check_gradient(looking_back(), normalise);
  }
}

TEST_CASE("actor_critic: without clipping and normalising Ppo has the same gradient at first") {
  check_same_as_ppo(make_agent<MlpPolicy<double>>({.hidden = {8}}));
  check_same_as_ppo(attentive());
  check_same_as_ppo(looking_back());
}

TEST_CASE("actor_critic: an iteration by hand") {
  Agent<Plain<double>> agent({}, 1);
  ActorCritic trainer(
      agent, Bandit(),
      {.learning_rate = 0.5, .lanes = 4, .steps = 1, .entropy = 0.3, .value = 0.5, .max_gradient_norm = 0});
  const ActorCriticStatistics statistics = trainer.iterate();
  double ones = 0;
  for (Index action : trainer.lived().actions) ones += double(action);
  REQUIRE(ones > 0);
  REQUIRE(ones < 4);
  // Both actions have p = 1/2, where the entropy has no slope; A = r - 1/4.
  Eigen::Vector3d g(0, 0, 0);
  for (Index action : trainer.lived().actions) {
    const double advantage = double(action) - 0.25;
    g[0] -= 0.25 * advantage * (action == 0 ? 0.5 : -0.5);
    g[1] -= 0.25 * advantage * (action == 1 ? 0.5 : -0.5);
    g[2] -= 0.25 * 0.5 * advantage;
  }
  CHECK((trainer.gradient().flat - g).norm() <= 1e-15);
  CHECK(statistics.gradient_norm == Approx(g.norm()));
  CHECK(statistics.entropy == Approx(std::log(2.0)));
  CHECK(statistics.value_error == Approx((ones * 0.5625 + (4 - ones) * 0.0625) / 4));
  CHECK(statistics.steps == 4);
  CHECK(statistics.episodes == 4);
  CHECK(trainer.mean_return() == ones / 4);
  for (Index i = 0; i < 3; ++i)  // the first step of Adam
    CHECK(agent.p.flat[i] == Approx(0.25 - 0.5 * g[i] / (std::abs(g[i]) + 1e-5)).epsilon(1e-12));
}

TEST_CASE("actor_critic: returns of lambda 1 are those to the end of what was lived") {
  auto agent = attentive();
  const CartPole world(6);  // no pole falls within six steps: all episodes are cut there
  ActorCritic trainer(agent, world, {.gamma = 0.9, .reward_scale = 0.5, .lanes = 2, .steps = 4});
  for (int i = 0; i < 3; ++i) {
    trainer.iterate();
    const Episodes<double>& e = trainer.lived();
    for (Index part = 0; part < e.count(); ++part) {
      double wanted = e.last_value[std::size_t(part)];
      CHECK(wanted != 0);
      const std::size_t first = std::size_t(e.time.first(part)), past = std::size_t(e.past[std::size_t(part)]);
      for (std::size_t t = first + std::size_t(e.time.length(part)); t-- > first + past;) {
        wanted = 0.5 + 0.9 * wanted;
        CHECK(trainer.returns()[t] == Approx(wanted));
        CHECK(trainer.advantages()[t] == Approx(wanted - e.values[t]));
      }
    }
  }
}

TEST_CASE("actor_critic: the same bits whoever runs it") {
  const CartPole world;
  const auto play = [&](Executor executor) {
    Agent<AttentionPolicy<float>> agent({.observation = 4, .actions = 2, .value = true}, 3);
    ActorCritic trainer(agent, world, {.lanes = 64, .steps = 8}, executor);
    for (int i = 0; i < 4; ++i) trainer.iterate();
    return agent.p.flat;
  };
  const auto serial = play({});
  support::Reverse reverse;
  CHECK(play(reverse) == serial);
  for (const Index n : {1, 2, 7}) {
    Threads threads(n);
    CHECK(play(threads) == serial);
  }
}

TEST_CASE("actor_critic: what was shown is recalled", "[learning]") {
  const support::Recall world;
  Agent<AttentionPolicy<float>> agent(
      {.observation = 2, .actions = 2, .window = 4, .width = 16, .hidden = 16, .value = true}, 1);
  ActorCritic trainer(agent, world, {.learning_rate = 1e-2, .lanes = 32, .steps = 5, .entropy = 0.02});
  for (int i = 0; i < 300; ++i) trainer.iterate();
  CHECK(evaluate(agent, world, 200, 9).min == 1);
}

TEST_CASE("actor_critic: statistics are sums over what was lived") {
  check_statistics(make_agent<MlpPolicy<double>>({.hidden = {8}}));
  check_statistics(attentive());
  check_statistics(looking_back());
}

TEST_CASE("actor_critic: the schedule, and statistics") {
  auto agent = attentive();
  ActorCritic trainer(agent, CartPole(),
                      {.schedule = {.shape = Schedule::linear}, .total_steps = 40, .lanes = 4, .steps = 10});
  const auto before = agent.p.flat;
  const ActorCriticStatistics one = trainer.iterate();
  CHECK(agent.p.flat != before);
  CHECK(one.steps == 40);
  CHECK(one.entropy > 0);
  CHECK(one.entropy <= std::log(2.0));
  CHECK(one.gradient_norm > 0);
  CHECK(one.steps_per_second > 0);
  const auto after = agent.p.flat;
  trainer.iterate();  // all steps of the schedule are over
  CHECK(agent.p.flat == after);
}

TEST_CASE("actor_critic: goes on from a checkpoint in the same bits") {
  const CartPole world(37);
  const auto config = [](std::uint64_t seed) { return ActorCriticConfig{.lanes = 3, .steps = 5, .seed = seed}; };
  auto first = looking_back(), second = looking_back();
  ActorCritic whole(first, world, config(1));
  for (int i = 0; i < 5; ++i) whole.iterate();
  const support::Folder folder;
  save_checkpoint(folder / "run.ckpt", whole);
  ActorCritic resumed(second, world, config(9));
  resumed.iterate();
  load_checkpoint(folder / "run.ckpt", resumed);
  for (int i = 0; i < 5; ++i) whole.iterate(), resumed.iterate();
  CHECK(first.p.flat == second.p.flat);
  CHECK(whole.steps() == resumed.steps());
  CHECK(whole.mean_return() == resumed.mean_return());
}

TEST_CASE("actor_critic: errors") {
  using support::check_complaint;
  auto agent = attentive();
  const CartPole world;
  using Of = ActorCritic<AttentionPolicy<double>, CartPole>;
  check_complaint("ActorCritic: lanes 0 must be at least 1", [&] { Of(agent, world, {.lanes = 0}); });
  check_complaint("ActorCritic: steps 0 must be at least 1", [&] { Of(agent, world, {.steps = 0}); });
  check_complaint("ActorCritic: entropy -1", [&] { Of(agent, world, {.entropy = -1}); });
  check_complaint("ActorCritic: value nan", [&] { Of(agent, world, {.value = std::nan("")}); });
  check_complaint("lambda 1.5 is not in [0, 1]", [&] { Of(agent, world, {.lambda = 1.5}).iterate(); });
  Of changed(agent, world);
  changed.config.steps = -3;
  check_complaint("ActorCritic: steps -3 must be at least 1", [&] { changed.iterate(); });
  Agent<AttentionPolicy<double>> without({.observation = 4, .actions = 2}, 1);
  check_complaint("ActorCritic: the policy has no learned value", [&] { Of(without, world); });
  Agent<Plain<double>> plain({}, 1);
  ActorCritic broken(plain, Broken());
  const auto before = plain.p.flat;
  check_complaint("the reward is nan at step 0 of episode 0", [&] { broken.iterate(); });
  Agent<Plain<float>> narrow({}, 1);
  ActorCritic huge(narrow, Bandit(), {.reward_scale = 1e300});  // finite, but not its gradient in float
  check_complaint("norm is", [&] { huge.iterate(); });
  CHECK(plain.p.flat == before);
  CHECK((narrow.p.flat.array() == 0.25f).all());
}
