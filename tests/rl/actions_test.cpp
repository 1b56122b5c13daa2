#include "heed/core/threads.hpp"
#include "heed/environments/observation_window.hpp"
#include "heed/environments/pendulum.hpp"
#include "heed/environments/time_limit.hpp"
#include "heed/environments/with_previous_action.hpp"
#include "heed/io/checkpoint.hpp"
#include "heed/networks/attention_policy.hpp"
#include "heed/networks/mlp_policy.hpp"
#include "heed/rl/actor_critic.hpp"
#include "heed/rl/ppo.hpp"
#include "heed/rl/reinforce.hpp"
#include "support.hpp"
#include "support/files.hpp"

// Actions of all kinds, and masks of actions, from acting to learning.

using namespace heed;

namespace {

using Two = std::array<Index, 2>;

/// One of three doors is closed at each step, and while it is the first, the light (0, 1) cannot be on. An action is a door,
/// or a door and the light. What is not allowed is an error.
template <class A>
struct Doors {
  static constexpr bool light = std::same_as<A, Two>;
  struct State {
    Index steps = 0, closed = 0;
    Random random{0};
  };
  using Action = A;
  Index limit = 7;

  State reset(Random& random) const {
    State s;
    s.random = Random(random.bits());
    s.closed = s.random.below(3);
    return s;
  }
  Outcome step(State& s, const Action& action) const {
    const Two both = two(action);
    if (both[0] == s.closed || (s.closed == 0 && both[1] == 1))
      detail::fail("Doors: door %ld, light %ld, but %ld is closed", long(both[0]), long(both[1]), long(s.closed));
    const double reward = double(both[0] == (s.closed + 1) % 3) + 0.5 * double(both[1]);
    s.closed = s.random.below(3);
    return {.reward = reward, .truncated = ++s.steps == limit};
  }
  void allowed(const State& s, std::span<bool> mask) const {
    mask[std::size_t(s.closed)] = false;
    if (light && s.closed == 0) mask[4] = false;
  }
  Index actions() const requires(!light) { return 3; }
  Two choices() const requires light { return {3, 2}; }
  Index observation() const { return 3; }
  Index time_limit() const { return limit; }
  template <class S>
  void observe(const State& s, Write<S> x) const {
    x.setZero();
    x(s.closed, 0) = 1;
  }

 private:
  static Two two(const Action& action) {
    if constexpr (light)
      return action;
    else
      return {action, 0};
  }
};
static_assert(MultiDiscreteEnvironment<Doors<Two>> && !DiscreteEnvironment<Doors<Two>>);
static_assert(DiscreteEnvironment<Doors<Index>> && !MultiDiscreteEnvironment<Doors<Index>>);
static_assert(!MultiDiscreteEnvironment<Pendulum> && !masks_actions<Pendulum>);
static_assert(masks_actions<Doors<Index>> && masks_actions<TimeLimit<Doors<Two>>>);
static_assert(MultiDiscreteEnvironment<ObservationWindow<Doors<Two>>> && masks_actions<ObservationWindow<Doors<Two>>>);
static_assert(masks_actions<WithPreviousAction<Doors<Two>>> && MultiDiscreteEnvironment<TimeLimit<Doors<Two>>>);

/// Agents beside each other, of which each may only take the action of its number, or the one after it.
struct Crew {
  struct State {
    Index steps = 0;
  };
  using Action = Index;
  Index agents() const { return 3; }
  bool acts(const State&, Index) const { return true; }
  State reset(Random&) const { return {}; }
  void step(State& s, std::span<const Index> actions, std::span<Outcome> outcomes) const {
    ++s.steps;
    for (std::size_t i = 0; i < 3; ++i) {
      if (actions[i] != Index(i) && actions[i] != Index(i) + 1) detail::fail("Crew: %ld", long(actions[i]));
      outcomes[i] = {.reward = double(actions[i]), .truncated = s.steps == 5};
    }
  }
  void allowed(const State&, Index agent, std::span<bool> mask) const {
    for (Index i = 0; i < 4; ++i) mask[std::size_t(i)] = i == agent || i == agent + 1;
  }
  Index actions() const { return 4; }
  Index observation() const { return 3; }
  Index time_limit() const { return 5; }
  template <class S>
  void observe(const State&, Index agent, Write<S> x) const {
    x.setZero();
    x(agent, 0) = 1;
  }
};
static_assert(ManyAgentsEnvironment<Crew> && masks_actions<Crew>);

/// One step, whose reward is the larger the nearer the action is to 1.2, within 0.5 and 4.5.
struct Target {
  struct State {};
  using Action = Eigen::Matrix<double, 1, 1>;
  State reset(Random&) const { return {}; }
  Outcome step(State&, const Action& action) const {
    if (!(action[0] >= 0.5 && action[0] <= 4.5)) detail::fail("Target: %g", action[0]);
    return {.reward = -std::pow(action[0] - 1.2, 2), .terminated = true};
  }
  Action low() const { return Action(0.5); }
  Action high() const { return Action(4.5); }
  Index observation() const { return 1; }
  Index time_limit() const { return 1; }
  template <class S>
  void observe(const State&, Write<S> x) const {
    x(0, 0) = 1;
  }
};

/// The body of AttentionPolicy with other heads.
struct SeveralConfig {
  Index observation = 3;
  std::vector<Index> choices = {3, 2};
  Index window = 3, width = 6, hidden = 7;
  bool value = true;
};
using Several = PolicyNetwork<AttentionBody<double>, SeveralConfig>;
struct NumbersConfig {
  Index observation = 3, actions = 1;
  Index window = 3, width = 6, hidden = 7;
  bool value = true;
  double log_std = -0.5;
  bool state_dependent = false, squashed = false;
};
using Numbers = GaussianPolicyNetwork<AttentionBody<double>, NumbersConfig>;
AttentionPolicyConfig one_of(Index actions) {
  return {.observation = 3, .actions = actions, .window = 3, .width = 6, .hidden = 7, .value = true};
}

template <class Net>
Agent<Net> make_agent(typename Net::Config config) {
  Agent<Net> agent(config, 3);
  agent.p.flat += support::random<typename Net::Scalar>(agent.p.flat.size(), 1, 4, 0.3).col(0);
  return agent;
}

/// All that was lived, in one batch.
template <class Net, class Action>
Minibatch<double> everything(const Agent<Net>& agent, const Episodes<double, Action>& e) {
  std::vector<Piece> pieces;
  cut_into_pieces(e, 0, past_of(agent.net, agent.layout), pieces);
  Minibatch<double> all;
  all.gather(e, std::span<const Piece>(pieces));
  return all;
}

/// Before the first update every ratio is 1; a checkpoint goes on in the same bits, whoever runs it.
template <class Net, class World>
void check_training(const typename Net::Config& config, const World& world) {
  auto agent = make_agent<Net>(config), other = make_agent<Net>(config);
  PpoConfig parts{.learning_rate = 1e-2, .lanes = 3, .steps = 11, .epochs = 2, .entropy = 0.05};
  Ppo ppo(agent, world, parts);
  for (int i = 0; i < 4; ++i) {
    ppo.iterate();
    ppo.collect();
    const PpoStatistics now = ppo.gradient(everything(agent, ppo.lived()));
    CHECK(now.kl <= 1e-24);
    CHECK(now.clip_fraction == 0);
    CHECK(ppo.iterate().kl > 1e-9);
  }
  const support::Folder folder;
  save_checkpoint(folder / "run.ckpt", ppo);
  parts.seed = 7;
  Threads threads(2);
  Ppo resumed(other, world, parts, threads);
  load_checkpoint(folder / "run.ckpt", resumed);
  for (int i = 0; i < 3; ++i) ppo.iterate(), resumed.iterate();
  CHECK(agent.p.flat == other.p.flat);
}

/// The gradient of ActorCritic is that of the loss whose parts for step t are log_prob(a, i, t) and entropy(a, i, t), from
/// the outputs at column i.
template <class Net, class World, class LogProb, class Entropy>
void check_gradient(const typename Net::Config& config, const World& world, LogProb log_prob, Entropy entropy,
                    double entropy_weight = 0.3) {
  auto agent = make_agent<Net>(config);
  ActorCritic trainer(agent, world, {.lanes = 3, .steps = 9, .entropy = entropy_weight});
  for (int i = 0; i < 3; ++i) trainer.collect();
  agent.p.flat += support::random<double>(agent.p.flat.size(), 1, 8, 0.1).col(0);
  const Minibatch<double> all = everything(agent, trainer.lived());
  Activations<double> a(agent.layout);
  const auto loss = [&] {
    a.begin(agent.net.time, all.time);
    agent.net.forward(agent.p, all.x(), a);
    double sum = 0;
    for (std::size_t i = 0; i < all.step.size(); ++i) {
      if (all.step[i] < 0) continue;
      const std::size_t t = std::size_t(all.step[i]);
      const double error = a[agent.net.value](0, Index(i)) - trainer.returns()[t];
      sum += -trainer.advantages()[t] * log_prob(agent.net, a, Index(i), trainer.lived(), t) -
             entropy_weight * entropy(agent.net, a, Index(i), trainer.lived(), t) + 0.25 * error * error;
    }
    return sum / double(all.steps);
  };
  trainer.gradient(all);
  const auto g = trainer.gradient().flat;
  Random pick(5);
  Index checked = 0;
  for (int k = 0; k < 80; ++k) {
    const Index i = k < 20 ? g.size() - 1 - k : pick.below(g.size());  // the heads come last
    if (g[i] == 0) continue;
    ++checked;
    constexpr double h = 1e-6;
    double& weight = agent.p.flat[i];
    const double at = weight;
    weight = at + h;
    const double above = loss();
    weight = at - h;
    const double below = loss();
    weight = at;
    CHECK(std::abs((above - below) / (2 * h) - g[i]) <= 2e-7 * std::max(1.0, std::abs(g[i])));
  }
  CHECK(checked > 40);
}

/// log p and entropy of some logits of which not all are allowed, plainly.
struct Plain {
  double log_prob, entropy = 0;
  Plain(const Tokens<double>& logits, const std::vector<bool>& mask, Index action) {
    double sum = 0;
    for (Index i = 0; i < logits.size(); ++i)
      if (mask[std::size_t(i)]) sum += std::exp(logits(i, 0));
    for (Index i = 0; i < logits.size(); ++i) {
      if (!mask[std::size_t(i)]) continue;
      const double p = std::exp(logits(i, 0)) / sum;
      entropy -= p * std::log(p);
    }
    log_prob = std::log(std::exp(logits(action, 0)) / sum);
  }
};
/// What was closed at step t, as the policy saw it.
template <class E>
Index closed(const E& e, std::size_t t) {
  Index door = 0;
  e.x().col(Index(t)).maxCoeff(&door);
  return door;
}
template <class E>
std::vector<bool> doors(const E& e, std::size_t t) {
  std::vector<bool> mask(3, true);
  mask[std::size_t(closed(e, t))] = false;
  return mask;
}

constexpr double half_log_two_pi = 0.91893853320467274;
/// Log-density of a normal number.
double normal(double x, double mean, double log_std) {
  const double z = (x - mean) / std::exp(log_std);
  return -z * z / 2 - log_std - half_log_two_pi;
}

}  // namespace

TEST_CASE("actions: ratios are 1 and checkpoints go on, whatever an action is") {
  check_training<AttentionPolicy<double>>(one_of(3), Doors<Index>());
  check_training<Several>({}, Doors<Two>());
  check_training<Several>({.observation = 6}, ObservationWindow(Doors<Two>(), 2));
  check_training<Several>({.observation = 9}, WithPreviousAction(Doors<Two>()));
  check_training<Several>({}, TimeLimit(Doors<Two>(), 5));
  check_training<MlpMultiPolicy<double>>({.observation = 3, .choices = {3, 2}, .hidden = {8}, .value = true},
                                         Doors<Two>());
  for (const bool squashed : {false, true})
    for (const bool state_dependent : {false, true})
      check_training<Numbers>({.state_dependent = state_dependent, .squashed = squashed}, Pendulum(30));
}

TEST_CASE("actions: the gradient of a choice of which not all is allowed") {
  const auto plain = [](const auto& net, auto& a, Index i, const auto& e, std::size_t t) {
    return Plain(a[net.logits].col(i), doors(e, t), e.actions[t]);
  };
  check_gradient<AttentionPolicy<double>>(
      one_of(3), Doors<Index>(), [&](auto&&... of) { return plain(of...).log_prob; },
      [&](auto&&... of) { return plain(of...).entropy; });
}

TEST_CASE("actions: the gradient of several choices of which not all is allowed") {
  const auto plain = [](const auto& net, auto& a, Index i, const auto& e, std::size_t t) {
    const Tokens<double> logits = a[net.logits].col(i);
    const Plain door(logits.topRows(3), doors(e, t), e.actions[t][0]);
    const Plain light(logits.bottomRows(2), {true, closed(e, t) != 0}, e.actions[t][1]);
    return std::pair(door.log_prob + light.log_prob, door.entropy + light.entropy);
  };
  check_gradient<Several>(
      {}, Doors<Two>(), [&](auto&&... of) { return plain(of...).first; },
      [&](auto&&... of) { return plain(of...).second; });
}

TEST_CASE("actions: the gradient of deviations that depend on what is observed, squashed or not") {
  const auto log_prob = [](const auto& net, auto& a, Index i, const auto& e, std::size_t t) {
    const double z = e.actions[t][0], slope = 1 - std::pow(std::tanh(z), 2);
    return normal(z, a[net.mean](0, i), a[net.log_std](0, i)) - (net.squashed ? std::log(slope) : 0);
  };
  const auto entropy = [](const auto& net, auto& a, Index i, const auto&, std::size_t) {
    return a[net.log_std](0, i) + half_log_two_pi + 0.5;
  };
  for (const bool state_dependent : {false, true}) {
    check_gradient<Numbers>({.state_dependent = state_dependent}, Pendulum(11), log_prob, entropy);
    check_gradient<Numbers>({.state_dependent = state_dependent, .squashed = true}, Pendulum(11), log_prob, entropy, 0);
  }
}

TEST_CASE("actions: the entropy of what is squashed is an estimate, and its gradient that with the noise kept") {
  auto agent = make_agent<Numbers>({.state_dependent = true, .squashed = true});
  Activations<double> a(agent.layout);
  a.begin(agent.net.time, Sequences{1});
  agent.net.forward(agent.p, support::random<double>(3, 1, 2), a);
  using Of = Decision<Numbers, Eigen::Matrix<double, 1, 1>>;
  const Eigen::Matrix<double, 1, 1> z(0.7);
  const double mean = a[agent.net.mean](0, 0), log_std = a[agent.net.log_std](0, 0);
  const double noise = (z[0] - mean) / std::exp(log_std);
  const auto surprise = [&](double m, double l) {
    const double at = m + std::exp(l) * noise;
    return -normal(at, m, l) + std::log(1 - std::pow(std::tanh(at), 2));
  };
  Of::clear_gradients(agent.net, a.view());
  const Of policy(agent.net, a.view(), 0);
  CHECK(policy.entropy(z) == Approx(surprise(mean, log_std)));
  CHECK(policy.log_prob(z) == Approx(-surprise(mean, log_std)));
  policy.add_entropy_gradient(z, 2);
  constexpr double h = 1e-6;
  CHECK(a.d(agent.net.mean)(0, 0) ==
        Approx((surprise(mean + h, log_std) - surprise(mean - h, log_std)) / h).epsilon(1e-6));
  CHECK(a.d(agent.net.log_std)(0, 0) ==
        Approx((surprise(mean, log_std + h) - surprise(mean, log_std - h)) / h).epsilon(1e-6));
  CHECK(policy.mode()[0] == mean);
  double average = 0;  // over z of this policy: the entropy of the action, here by a sum over the interval
  Random random(1);
  for (int i = 0; i < 20000; ++i) average += policy.entropy(policy.sample(random)) / 20000;
  double entropy = 0;
  for (double u = -0.99995; u < 1; u += 1e-4) {
    const double log_p = policy.log_prob(Eigen::Matrix<double, 1, 1>(std::atanh(u)));
    entropy -= 1e-4 * std::exp(log_p) * log_p;
  }
  CHECK(average == Approx(entropy).margin(0.03));
}

TEST_CASE("actions: a world is given what is squashed, or cut, into its bounds") {
  const Pendulum world;
  const auto squashing = make_agent<Numbers>({.squashed = true}), cutting = make_agent<Numbers>({});
  for (const double z : {-30.0, -1.0, 0.0, 0.3, 30.0}) {
    const Pendulum::Action action(z);
    CHECK(given_to(world, squashing.net, action)[0] == Approx(2 * std::tanh(z)));
    CHECK(std::abs(given_to(world, squashing.net, action)[0]) <= 2);
    CHECK(given_to(world, cutting.net, action)[0] == std::clamp(z, -2.0, 2.0));
  }
}

TEST_CASE("actions: what is not allowed is never chosen, whoever learns") {
  const Doors<Index> one;
  const Doors<Two> two;
  auto policy = make_agent<AttentionPolicy<double>>(one_of(3));
  auto several = make_agent<Several>({});
  for (const Choice choice : {Choice::sample, Choice::mode}) {
    CHECK(evaluate(policy, one, 50, 1, choice).steps == 350);  // anything else is an error
    CHECK(evaluate(several, two, 50, 1, choice).steps == 350);
  }
  Rollout<Several, Doors<Two>> rollout(several, two, 4, 1);
  const auto& e = rollout.run_steps(several.p, 10);
  for (std::size_t t = 0; t < e.actions.size(); ++t) {
    REQUIRE(e.allowed[t].size() == 5);
    for (std::size_t i = 0; i < 5; ++i)
      CHECK(e.allowed[t][i] == !(Index(i) == closed(e, t) || (i == 4 && closed(e, t) == 0)));
  }
  Reinforce reinforce(policy, one, {.batch = 8, .baseline = Baseline::value});
  for (int i = 0; i < 30; ++i) CHECK(reinforce.iterate().entropy <= std::log(2.0));  // two of three doors
  Agent<MlpMultiPolicy<float>> learner({.observation = 3, .choices = {3, 2}, .hidden = {16}, .value = true}, 1);
  ActorCritic trainer(learner, two, {.learning_rate = 1e-2, .gamma = 0, .lanes = 16});
  for (int i = 0; i < 200; ++i) trainer.iterate();
  const Returns returns = evaluate(learner, two, 200, 5);
  CHECK(returns.mean > 0.97 * 7 * (1 + 0.5 * 2 / 3));  // the right door, and light where it can be
}

TEST_CASE("actions: of each of many agents what it may not do is never chosen") {
  check_training<AttentionPolicy<double>>(one_of(4), Crew());
  const auto agent = make_agent<AttentionPolicy<double>>(one_of(4));
  Rollout<AttentionPolicy<double>, Crew> rollout(agent, Crew(), 2, 1);
  const auto& e = rollout.run(agent.p);
  REQUIRE(e.count() == 6);
  for (std::size_t t = 0; t < e.actions.size(); ++t)
    for (std::size_t i = 0; i < 4; ++i) CHECK(e.allowed[t][i] == (i == t / 5 % 3 || i == t / 5 % 3 + 1));
}

TEST_CASE("actions: squashed ones learn to come near a target within the bounds", "[learning]") {
  for (const bool state_dependent : {false, true}) {
    Agent<MlpGaussianPolicy<float>> agent({.observation = 1,
                                           .actions = 1,
                                           .hidden = {8},
                                           .value = true,
                                           .state_dependent = state_dependent,
                                           .squashed = true},
                                          1);
    ActorCritic trainer(agent, Target(), {.learning_rate = 1e-2, .lanes = 64, .steps = 1, .entropy = 0.001});
    for (int i = 0; i < 600; ++i) trainer.iterate();
    CHECK(evaluate(agent, Target(), 1, 1).mean > -0.01);
    CHECK(evaluate(agent, Target(), 400, 1, Choice::sample).mean > -0.1);
  }
}

TEST_CASE("actions: a step after another shows several choices, nothing at first") {
  const WithPreviousAction world{Doors<Two>()};
  REQUIRE(world.observation() == 9);
  Random random(1);
  auto state = world.reset(random);
  Tokens<double> x(9, 1);
  world.observe(state, Write<double>(x));
  CHECK((x.bottomRows(6).array() == 0).all());
  const Index closed = state.inner.closed;
  const Two action{(closed + 1) % 3, closed == 0 ? 0 : 1};
  const Outcome outcome = world.step(state, action);
  world.observe(state, Write<double>(x));
  for (Index i = 0; i < 3; ++i) CHECK(x(3 + i, 0) == double(i == action[0]));
  for (Index i = 0; i < 2; ++i) CHECK(x(6 + i, 0) == double(i == action[1]));
  CHECK(x(8, 0) == outcome.reward);
}

TEST_CASE("actions: errors") {
  using support::check_complaint;
  struct Unbounded : Pendulum {
    Action high() const { return Action::Constant(std::numeric_limits<double>::infinity()); }
  };
  const auto squashing = make_agent<Numbers>({.squashed = true});
  check_complaint("squashed into bounds that are infinite", [&] { evaluate(squashing, Unbounded(), 1, 1); });
  const auto turned = make_agent<Several>({.choices = {2, 3}}), more = make_agent<Several>({.choices = {3, 3}});
  check_complaint("choices are among other numbers of actions", [&] { evaluate(turned, Doors<Two>(), 1, 1); });
  check_complaint("3 and 6 actions, but the world has 3 and 5", [&] { evaluate(more, Doors<Two>(), 1, 1); });
  struct Shut : Doors<Index> {
    void allowed(const State&, std::span<bool> mask) const { std::fill(mask.begin(), mask.end(), false); }
  };
  const auto policy = make_agent<AttentionPolicy<double>>(one_of(3));
  check_complaint("each of the 3 actions in column 0 is masked", [&] { evaluate(policy, Shut(), 1, 1); });
}
