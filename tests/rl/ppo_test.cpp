#include "heed/rl/ppo.hpp"

#include "heed/core/threads.hpp"
#include "heed/environments/cart_pole.hpp"
#include "heed/environments/pendulum.hpp"
#include "heed/networks/attention_policy.hpp"
#include "heed/networks/mlp_policy.hpp"
#include "heed/networks/transformer_policy.hpp"
#include "heed/networks/with_critic.hpp"
#include "rl/recall.hpp"
#include "support.hpp"
#include "support/adam.hpp"
#include "support/executors.hpp"

using namespace heed;

namespace {

template <class Net>
Agent<Net> make_agent(typename Net::Config config, Index observation = 4) {
  config.observation = observation;
  config.actions = 2;
  config.value = true;
  Agent<Net> agent(config, 3);
  agent.p.flat += support::random<typename Net::Scalar>(agent.p.flat.size(), 1, 4, 0.2).col(0);
  return agent;
}

std::vector<Piece> all_pieces(const Episodes<double>& e, Index length, Index look_back) {
  std::vector<Piece> pieces;
  cut_into_pieces(e, length, look_back, pieces);
  return pieces;
}

/// All pieces, as far as they look back, in one minibatch.
template <class Net>
Minibatch<double> everything(const Agent<Net>& agent, const Episodes<double>& e, Index length = 0) {
  Minibatch<double> all;
  all.gather(e, all_pieces(e, length, past_of(agent.net, agent.layout)));
  return all;
}

/// A cart-pole that must not be pushed further out.
struct Guarded : CartPole {
  using CartPole::CartPole;
  void allowed(const State& s, std::span<bool> mask) const {
    if (std::abs(s.position) > 0.02) mask[s.position > 0] = false;
  }
};

/// Before the first update of an iteration every ratio is 1, however often was learned before.
template <class Net, class World = CartPole>
void check_ratios(Agent<Net> agent, Index piece, const World& world = World(37)) {
  Ppo ppo(agent, world, {.learning_rate = 1e-2, .lanes = 3, .steps = 20, .epochs = 2, .piece = piece, .entropy = 0.1});
  for (int i = 0; i < 4; ++i) {
    ppo.iterate();
    ppo.collect();
    const PpoStatistics now = ppo.gradient(everything(agent, ppo.lived(), piece));
    CHECK(now.kl <= 1e-24);
    CHECK(now.clip_fraction == 0);
    CHECK(ppo.iterate().kl > 1e-9);
  }
}

/// The loss of the docstring over all that was lived, written down plainly.
template <class Net>
double loss(const Agent<Net>& agent, const Ppo<Net, CartPole>& ppo, const Minibatch<double>& all) {
  const Episodes<double>& e = ppo.lived();
  const PpoConfig& c = ppo.config;
  Activations<double> a(agent.layout);
  a.begin(agent.net.time, all.time);
  agent.net.forward(agent.p, all.x(), a);
  double n = 0, mean = 0, square = 0, sum = 0;
  for (Index t : all.step)
    if (t >= 0) n += 1, mean += ppo.advantages()[std::size_t(t)];
  mean /= n;
  for (Index t : all.step)
    if (t >= 0) square += std::pow(ppo.advantages()[std::size_t(t)] - mean, 2) / n;
  for (std::size_t i = 0; i < all.step.size(); ++i) {
    if (all.step[i] < 0) continue;
    const std::size_t t = std::size_t(all.step[i]);
    const Categorical<double> policy(a[agent.net.logits], Index(i));
    const double advantage = (ppo.advantages()[t] - mean) / std::sqrt(square);
    const double ratio = std::exp(policy.log_prob(e.actions[t]) - e.log_probs[t]);
    const double v = a[agent.net.value](0, Index(i)), old = e.values[t], target = ppo.returns()[t];
    const double moved = std::clamp(v, old - c.value_clip, old + c.value_clip);
    const double plain = std::pow(v - target, 2), clipped = c.value_clip > 0 ? std::pow(moved - target, 2) : 0;
    sum += -std::min(ratio * advantage, std::clamp(ratio, 1 - c.clip, 1 + c.clip) * advantage) -
           c.entropy * policy.entropy() + c.value / 2 * std::max(plain, clipped);
  }
  return sum / n;
}

template <class Net>
void check_gradient(Agent<Net> agent, double value_clip) {
  const CartPole world(11);
  Ppo ppo(agent, world,
          {.reward_scale = 0.3, .lanes = 4, .steps = 15, .clip = 0.05, .value_clip = value_clip, .entropy = 0.07});
  for (int i = 0; i < 2; ++i) ppo.collect();
  agent.p.flat += support::random<double>(agent.p.flat.size(), 1, 8, 0.1).col(0);
  const Minibatch<double> all = everything(agent, ppo.lived());
  const PpoStatistics now = ppo.gradient(all);
  CHECK(now.clip_fraction > 0.1);
  CHECK(now.clip_fraction < 0.9);
  const auto g = ppo.gradient().flat;
  Random pick(5);
  for (int k = 0; k < 60; ++k) {
    const Index i = pick.below(g.size());
    if (g[i] == 0) continue;  // of weights that are not trained, too
    constexpr double h = 1e-6;
    double& weight = agent.p.flat[i];
    const double at = weight;
    weight = at + h;
    const double above = loss(agent, ppo, all);
    weight = at - h;
    const double below = loss(agent, ppo, all);
    weight = at;
    CHECK(std::abs((above - below) / (2 * h) - g[i]) <= 1e-6 * std::max(1.0, std::abs(g[i])));
  }
}

/// Statistics of a policy over all that was lived, with plain sums.
template <class Net>
PpoStatistics plain_statistics(const Agent<Net>& agent, const Ppo<Net, CartPole>& ppo) {
  const Episodes<double>& e = ppo.lived();
  const Minibatch<double> all = everything(agent, e);
  Activations<double> a(agent.layout);
  a.begin(agent.net.time, all.time);
  agent.net.forward(agent.p, all.x(), a);
  const auto logits = a[agent.net.logits];
  PpoStatistics sums;
  double n = 0, mean_return = 0, mean_error = 0, returns = 0, errors = 0;
  for (Index t : all.step)
    if (t >= 0) ++n, mean_return += ppo.returns()[std::size_t(t)], mean_error += ppo.advantages()[std::size_t(t)];
  mean_return /= n, mean_error /= n;
  for (std::size_t i = 0; i < all.step.size(); ++i) {
    if (all.step[i] < 0) continue;
    const std::size_t t = std::size_t(all.step[i]);
    const double g = ppo.returns()[t], v = a[agent.net.value](0, Index(i));
    const double p1 = 1 / (1 + std::exp(logits(0, Index(i)) - logits(1, Index(i))));
    const double ratio = (e.actions[t] == 1 ? p1 : 1 - p1) / std::exp(e.log_probs[t]);
    sums.entropy -= (p1 * std::log(p1) + (1 - p1) * std::log(1 - p1)) / n;
    sums.kl += (ratio - 1 - std::log(ratio)) / n;
    sums.clip_fraction += (ratio < 1 - ppo.config.clip || ratio > 1 + ppo.config.clip) / n;
    sums.value_error += (v - g) * (v - g) / n;
    returns += std::pow(g - mean_return, 2) / n;
    errors += std::pow(g - e.values[t] - mean_error, 2) / n;
  }
  sums.explained_variance = 1 - errors / returns;
  return sums;
}

/// An iteration of two epochs says the mean of the policy that acted and of that which one epoch makes of it.
template <class Net>
void check_statistics(const Agent<Net>& start) {
  const CartPole world(11);
  const PpoConfig config{
      .learning_rate = 1e-2, .reward_scale = 0.3, .lanes = 4, .steps = 15, .epochs = 1, .minibatches = 1, .clip = 0.02};
  Agent<Net> agent = start, twin = start;
  Ppo two(agent, world, config), one(twin, world, config);
  for (int i = 0; i < 2; ++i) two.iterate(), one.iterate();
  const Agent<Net> before = twin;
  two.config.epochs = 2;
  one.iterate();
  const PpoStatistics now = two.iterate();
  const PpoStatistics first = plain_statistics(before, two), second = plain_statistics(twin, two);
  REQUIRE(now.updates == 2);
  CHECK(first.kl <= 1e-15);
  CHECK(first.clip_fraction == 0);
  CHECK(second.clip_fraction > 0.1);
  CHECK(second.clip_fraction < 0.9);
  for (const auto of : {&PpoStatistics::entropy, &PpoStatistics::kl, &PpoStatistics::clip_fraction,
                        &PpoStatistics::value_error, &PpoStatistics::explained_variance})
    CHECK(now.*of == Approx((first.*of + second.*of) / 2).epsilon(1e-9));
}

/// Episodes of two steps, which show 1 and 2; action 1 brings what is shown.
struct Two {
  struct State {
    Index t = 0;
  };
  using Action = Index;
  State reset(Random&) const { return {}; }
  Outcome step(State& s, Index action) const {
    ++s.t;
    return {.reward = double(s.t * action), .terminated = s.t == 2};
  }
  Index observation() const { return 1; }
  Index actions() const { return 2; }
  Index time_limit() const { return 2; }
  template <class S>
  void observe(const State& s, Write<S> x) const {
    x(0, 0) = S(s.t + 1);
  }
};

/// Logits (0, w x), and u x as the value.
struct Slopes {
  using Scalar = double;
  struct Config {};
  Weight<1, 1> w, u;
  Columns<> logits;
  Columns<1> value;
  Axis time, input;
  Index observation = 1;

  Slopes(Scope at, const Config&)
      : w(at.weight<1, 1>("w", {1, 1}, constant(0.25))),
        u(at.weight<1, 1>("u", {1, 1}, constant(0.5))),
        logits(at.columns(2)),
        value(at.columns<1>()),
        time(at.axis()),
        input(at.axis()) {}
  void forward(ParametersView<const double> p, Read<double> x, ActivationsView<double> a) const {
    a[logits].row(0).setZero();
    a[logits].row(1) = p[w](0, 0) * x;
    a[value] = p[u](0, 0) * x;
  }
  void extend(ParametersView<const double> p, Read<double> x, MemoryView<double> m, ActivationsView<double> a) const {
    m.begin(time, a.sequences(time));
    forward(p, x, a);
  }
  void backward(ParametersView<const double>, Read<double> x, ActivationsView<double> a, ParametersView<double> g,
                Gradient<double>) const {
    g[w](0, 0) += a.d(logits).row(1).dot(x.row(0));
    g[u](0, 0) += a.d(value).row(0).dot(x.row(0));
  }
};

/// Of an action at x.
double probability(double w, double x, double action) { return 1 / (1 + std::exp(action == 1 ? -w * x : w * x)); }

/// A step of Two as it is learned from; p, v: probability and value when it was lived.
struct Seen {
  double x, action, advantage, target, p, v;
};

/// What the lanes saw, an episode each and a step of another, which is cut: gamma 0.9, lambda 0.8, half of the rewards.
std::vector<Seen> seen_of(const std::vector<Index>& actions, double w, double u) {
  std::vector<Seen> seen;
  const auto see = [&](double x, Index action, double advantage) {
    const double a = double(action);
    seen.push_back({x, a, advantage, advantage + u * x, probability(w, x, a), u * x});
  };
  for (std::size_t t = 0; t < actions.size(); t += 3) {
    const double second = 0.5 * 2 * double(actions[t + 1]) - 2 * u;
    see(1, actions[t], 0.5 * double(actions[t]) + 0.9 * 2 * u - u + 0.9 * 0.8 * second);
    see(2, actions[t + 1], second);
    see(1, actions[t + 2], 0.5 * double(actions[t + 2]) + 0.9 * 2 * u - u);
  }
  double mean = 0, variance = 0;
  for (const Seen& s : seen) mean += s.advantage / double(seen.size());
  for (const Seen& s : seen) variance += std::pow(s.advantage - mean, 2) / double(seen.size());
  for (Seen& s : seen) s.advantage = (s.advantage - mean) / (std::sqrt(variance) + 1e-8);
  return seen;
}

}  // namespace

TEST_CASE("ppo: before the first update every ratio is 1") {
  check_ratios(make_agent<MlpPolicy<double>>({.hidden = {8}}), 0);
  check_ratios(make_agent<AttentionPolicy<double>>({.window = 5, .width = 6, .hidden = 7}), 0);
  check_ratios(make_agent<AttentionPolicy<double>>({.window = 5, .width = 6, .hidden = 7}), 3);
  check_ratios(make_agent<TransformerPolicy<double>>({.width = 8, .heads = 2, .inner = 9}), 0);
  check_ratios(make_agent<TransformerPolicy<double>>({.width = 8, .heads = 2, .layers = 2, .inner = 9, .window = 4}),
               6);
}

TEST_CASE("ppo: before the first update every ratio is 1, with masked actions, positions and episodes that go on") {
  const Guarded world(37);
  check_ratios(make_agent<AttentionPolicy<double>>({.window = 5, .width = 6, .hidden = 7}), 3, world);
  for (const Position& position : {rotary(), alibi(), relative()})
    check_ratios(
        make_agent<TransformerPolicy<double>>(
            {.width = 8, .heads = 2, .layers = 2, .inner = 9, .window = 4, .sinusoidal = false, .position = position}),
        6, world);
  check_ratios(make_agent<TransformerPolicy<double>>({.width = 8, .heads = 2, .inner = 9, .position = alibi()}), 0,
               world);
}

TEST_CASE("ppo: the gradient is that of the loss in its docstring") {
  for (const double value_clip : {0.0, 0.02}) {
    check_gradient(make_agent<MlpPolicy<double>>({.hidden = {8}}), value_clip);
    check_gradient(make_agent<AttentionPolicy<double>>({.window = 3, .width = 6, .hidden = 7}), value_clip);
  }
}

TEST_CASE("ppo: an iteration by hand, down to the weights") {
  Agent<Slopes> agent({}, 1);
  Ppo ppo(agent, Two(),
          {.learning_rate = 0.6,
           .gamma = 0.9,
           .lambda = 0.8,
           .reward_scale = 0.5,
           .lanes = 8,
           .steps = 3,
           .epochs = 2,
           .minibatches = 1,
           .clip = 0.2,
           .value_clip = 0.3,
           .entropy = 0.05,
           .value = 0.7,
           .max_gradient_norm = 0.2});
  const PpoStatistics statistics = ppo.iterate();
  support::AdamWeight w{0.25}, u{0.5};
  const std::vector<Seen> seen = seen_of(ppo.lived().actions, w.at, u.at);
  double norms = 0;
  int above = 0, below = 0, values = 0;  // what is clipped in the second epoch
  for (int t = 1; t <= 2; ++t) {
    double dw = 0, du = 0;
    above = below = values = 0;
    for (const Seen& s : seen) {
      const double p1 = probability(w.at, s.x, 1), ratio = probability(w.at, s.x, s.action) / s.p, v = u.at * s.x;
      const double near = std::clamp(v, s.v - 0.3, s.v + 0.3);
      const bool high = s.advantage > 0 && ratio > 1.2, low = s.advantage < 0 && ratio < 0.8;
      const bool kept = near != v && std::abs(near - s.target) > std::abs(v - s.target);
      if (!high && !low) dw -= ratio * s.advantage * (s.action - p1) * s.x / 24;
      dw += 0.05 * p1 * (1 - p1) * w.at * s.x * s.x / 24;  // dH/dz = -z p (1 - p), z = w x
      if (!kept) du += 0.7 * (v - s.target) * s.x / 24;
      above += high, below += low, values += kept;
    }
    const double norm = std::sqrt(dw * dw + du * du), scale = std::min(1.0, 0.2 / (norm + 1e-6));
    norms += norm;
    w.step(scale * dw, t, 0.6, 1e-5);
    u.step(scale * du, t, 0.6, 1e-5);
  }
  for (const int clipped : {above, below, values}) CHECK((clipped > 0 && clipped < 24));
  CHECK(agent.p[agent.net.w](0, 0) == Approx(w.at).epsilon(1e-12));
  CHECK(agent.p[agent.net.u](0, 0) == Approx(u.at).epsilon(1e-12));
  CHECK(statistics.gradient_norm == Approx(norms / 2).epsilon(1e-12));
}

TEST_CASE("ppo: advantages and what values should have been, by hand") {
  Agent<MlpPolicy<double>> agent = make_agent<MlpPolicy<double>>({.hidden = {4}});
  const CartPole world(6);  // no pole falls within six steps: all episodes are cut there
  Ppo ppo(agent, world, {.gamma = 0.9, .lambda = 0.8, .reward_scale = 0.5, .lanes = 2, .steps = 9});
  ppo.collect();
  const Episodes<double>& e = ppo.lived();
  REQUIRE(e.count() == 4);  // six steps and three, in each lane
  for (Index i = 0; i < e.count(); ++i) {
    REQUIRE(e.truncated[std::size_t(i)] == 1);
    double advantage = 0, next = e.last_value[std::size_t(i)];
    CHECK(next != 0);
    for (std::size_t t = std::size_t(e.time.first(i) + e.time.length(i)); t-- > std::size_t(e.time.first(i));) {
      advantage = 0.5 + 0.9 * next - e.values[t] + 0.9 * 0.8 * advantage;
      next = e.values[t];
      CHECK(ppo.advantages()[t] == Approx(advantage));
      CHECK(ppo.returns()[t] == Approx(advantage + e.values[t]));
    }
  }
}

TEST_CASE("pieces: every step is learned from once, with the past that there is") {
  Episodes<double> e;
  e.time = {5, 0, 3, 7};
  e.past = {2, 0, 0, 1};
  auto x = e.reserve(1, 40);
  for (Index t = 0, c = 0; t < 15; ++t) {
    e.input.append(t % 3);
    for (Index i = 0; i < t % 3; ++i) x(0, c++) = double(t) + 0.1 * double(i);
  }
  for (const Index length : {0, 1, 2})
    for (const Index look_back : {Index(0), Index(2), unlimited}) {
      std::vector<Piece> pieces = all_pieces(e, length, look_back);
      Random random(1);
      shuffle(pieces, random);
      std::vector<int> learned(15);
      Index batches = 0;
      Minibatch<double> m;
      each_minibatch(e, std::span<const Piece>(pieces), 3, m, [&](const Minibatch<double>& some) {
        ++batches;
        Index column = 0;
        for (std::size_t i = 0; i < some.step.size(); ++i) {
          if (some.step[i] >= 0) {
            ++learned[std::size_t(some.step[i])];
            for (Index k = 0; k < some.input.length(Index(i)); ++k)
              CHECK(some.x()(0, column + k) == double(some.step[i]) + 0.1 * double(k));
          }
          column += some.input.length(Index(i));
        }
        CHECK(column == some.input.columns());
        return true;
      });
      CHECK(batches == 3);
      CHECK(learned == std::vector<int>{0, 0, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1});
      for (const Piece& p : pieces) {
        CHECK(p.past <= look_back);
        const Index begin = p.first < 5 ? 0 : p.first < 8 ? 5 : 8;
        CHECK(p.past == std::min(look_back, p.first - begin));
      }
    }
}

TEST_CASE("ppo: what was shown is recalled, which a policy without memory cannot", "[learning]") {
  const support::Recall world;
  const PpoConfig config{
      .learning_rate = 1e-2, .lanes = 16, .steps = 32, .epochs = 4, .minibatches = 4, .entropy = 0.02};
  Agent<AttentionPolicy<float>> attentive(
      {.observation = 2, .actions = 2, .window = 4, .width = 16, .hidden = 16, .value = true}, 1);
  Ppo learns(attentive, world, config);
  for (int i = 0; i < 40; ++i) learns.iterate();
  CHECK(evaluate(attentive, world, 200, 9).min == 1);
  Agent<MlpPolicy<float>> forgetful({.observation = 2, .actions = 2, .value = true}, 1);
  Ppo guesses(forgetful, world, config);
  for (int i = 0; i < 40; ++i) guesses.iterate();
  CHECK(std::abs(evaluate(forgetful, world, 200, 9).mean) < 0.4);
}

TEST_CASE("ppo: actions that are numbers, with a critic of its own") {
  using Net = WithCritic<MlpGaussianPolicy<double>, MlpValue<double>>;
  const Pendulum world;
  Agent<Net> agent({.actor = {.observation = 3, .actions = 1, .hidden = {8}}, .critic = {.observation = 3}}, 3);
  Ppo ppo(agent, world, {.learning_rate = 1e-3, .reward_scale = 0.1, .lanes = 4, .steps = 60, .epochs = 2});
  for (int i = 0; i < 3; ++i) {
    const PpoStatistics statistics = ppo.iterate();
    CHECK(statistics.kl > 0);
    ppo.collect();
    Minibatch<double> all;
    std::vector<Piece> pieces;
    cut_into_pieces(ppo.lived(), 1, 0, pieces);
    all.gather(ppo.lived(), std::span<const Piece>(pieces));
    const PpoStatistics now = ppo.gradient(all);
    CHECK(now.kl <= 1e-24);
    bool beyond = false;  // what is learned from is what was drawn; the world was given what its bounds allow
    for (const auto& action : ppo.lived().actions) beyond = beyond || std::abs(action[0]) > 2;
    CHECK(beyond);
    double entropy = 0.5 + 0.91893853320467274;  // of a normal distribution
    for (const Entry& e : agent.layout.entries())
      if (e.name == "actor.log_std") entropy += agent.p.flat[e.offset];
    CHECK(now.entropy == Approx(entropy));
  }
  Agent<MlpGaussianPolicy<double>> wide({.observation = 3, .actions = 2, .value = true}, 1);
  support::check_complaint("2 actions, but the world has 3 and 1", [&] { Ppo(wide, world); });
}

TEST_CASE("ppo: the same bits whoever runs it") {
  const CartPole world;
  const auto play = [&](Executor executor) {
    Agent<AttentionPolicy<float>> agent({.observation = 4, .actions = 2, .value = true}, 3);
    Ppo ppo(agent, world, {.lanes = 40, .steps = 16, .epochs = 2, .minibatches = 2}, executor);
    for (int i = 0; i < 3; ++i) ppo.iterate();
    return agent.p.flat;
  };
  const auto serial = play({});
  support::Reverse reverse;
  CHECK(play(reverse) == serial);
  for (const Index n : {2, 7}) {
    Threads threads(n);
    CHECK(play(threads) == serial);
  }
}

TEST_CASE("ppo: statistics are the means of sums over what was lived") {
  check_statistics(make_agent<MlpPolicy<double>>({.hidden = {8}}));
  check_statistics(make_agent<AttentionPolicy<double>>({.window = 5, .width = 6, .hidden = 7}));
  check_statistics(make_agent<TransformerPolicy<double>>({.width = 8, .heads = 2, .inner = 9}));
}

TEST_CASE("ppo: statistics, and an end where the policy has moved far") {
  const CartPole world;
  Agent<MlpPolicy<double>> agent = make_agent<MlpPolicy<double>>({.hidden = {8}});
  Ppo ppo(agent, world, {.learning_rate = 1e-3, .lanes = 4, .steps = 50, .epochs = 3, .minibatches = 5});
  const PpoStatistics one = ppo.iterate();
  CHECK(one.steps == 200);
  CHECK(one.updates == 15);
  CHECK(one.entropy > 0);
  CHECK(one.entropy <= std::log(2.0));
  CHECK(one.gradient_norm > 0);
  CHECK(one.episodes == ppo.episodes());
  CHECK(ppo.steps() == 200);
  ppo.config.learning_rate = 0.3;
  ppo.config.target_kl = 1e-3;
  CHECK(ppo.iterate().updates < 15);
  ppo.config.target_kl = 0;
  ppo.config.schedule = {.shape = Schedule::linear};
  ppo.config.total_steps = 400;  // which are lived: no step is left to be made
  const auto before = agent.p.flat;
  ppo.iterate();
  CHECK(agent.p.flat == before);
}

TEST_CASE("ppo: errors") {
  using support::check_complaint;
  const CartPole world;
  Agent<MlpPolicy<double>> agent = make_agent<MlpPolicy<double>>({.hidden = {4}});
  using Of = Ppo<MlpPolicy<double>, CartPole>;
  check_complaint("lanes 0 must be at least 1", [&] { Of(agent, world, {.lanes = 0}); });
  check_complaint("minibatches 0 must be at least 1", [&] { Of(agent, world, {.minibatches = 0}); });
  check_complaint("clip -1", [&] { Of(agent, world, {.clip = -1}); });
  check_complaint("piece -1", [&] { Of(agent, world, {.piece = -1}); });
  check_complaint("gamma 1.5 is not in [0, 1]", [&] { Of(agent, world, {.gamma = 1.5}).iterate(); });
  Agent<MlpPolicy<double>> without({.observation = 4, .actions = 2}, 1);
  check_complaint("no learned value", [&] { Of(without, world); });
  Agent<MlpPolicy<float>> narrow({.observation = 4, .actions = 2, .value = true}, 1);
  Ppo ppo(narrow, world, {.lanes = 2, .steps = 8});
  const auto before = narrow.p.flat;
  ppo.config.reward_scale = 1e300;  // finite, but not its gradient in float
  check_complaint("norm is", [&] { ppo.iterate(); });
  CHECK(narrow.p.flat == before);
}
