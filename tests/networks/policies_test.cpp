#include "support.hpp"

#include "heed/core/agent.hpp"
#include "heed/networks/attention_policy.hpp"
#include "heed/networks/mlp_policy.hpp"
#include "heed/networks/transformer_policy.hpp"
#include "heed/networks/with_critic.hpp"

using namespace heed;
using support::random;
using support::same_bits;

namespace {

/// A network of each kind, small, with all its weights away from their special first values.
template <class Net>
struct Case {
  Agent<Net> agent;
  Activations<double> a;

  explicit Case(typename Net::Config config) : agent(with_observation(config), 3), a(agent.layout) {
    agent.p.flat += random<double>(agent.p.flat.size(), 1, 4, 0.2);
  }
  template <class Config>
  static Config with_observation(Config config) {
    if constexpr (requires { config.actor; }) {
      config.actor = with_observation(config.actor);
      config.critic = with_observation(config.critic);
    } else {
      config.observation = 3;
      if constexpr (requires { config.actions; }) config.actions = 2;
    }
    return config;
  }
  template <class F>
  void each_output(F f) const {
    if constexpr (requires { agent.net.logits; }) f(agent.net.logits);
    if constexpr (requires { agent.net.mean; }) f(agent.net.mean), f(agent.net.log_std);
    if (const auto value = value_of(agent.net)) f(value);
  }
  /// What it computes, one above the other.
  Tokens<double> outputs() {
    Index rows = 0;
    each_output([&](const auto& h) { rows += h.rows; });
    Tokens<double> y(rows, a.columns(agent.time));
    if (y.cols() == 0) return y;  // all lanes wait
    rows = 0;
    each_output([&](const auto& h) {
      y.middleRows(rows, h.rows) = a[h];
      rows += h.rows;
    });
    return y;
  }
  void set_gradients(const Tokens<double>& dy) {
    Index rows = 0;
    each_output([&](const auto& h) {
      a.d(h) = dy.middleRows(rows, h.rows);
      rows += h.rows;
    });
  }
  Tokens<double> forward(const Tokens<double>& x) {
    agent.net.forward(agent.p, x, a);
    return outputs();
  }
};

const Sequences ragged{3, 0, 1, 14};

template <class Net>
void check_gradient(typename Net::Config config) {
  Case<Net> c(config);
  for (const double size : {1.0, 0.0}) {
    c.a.begin(c.agent.time, ragged);
    Tokens<double> x = random<double>(3, ragged.columns(), 5, size), dx(3, ragged.columns());
    const auto report = testing::gradient_check(
        c.agent.layout, c.agent.p, {{"x", x, dx}}, [&] { return c.forward(x); },
        [&](const Tokens<double>& dy, Parameters<double>& g) {
          c.set_gradients(dy);
          c.agent.net.backward(c.agent.p, x, c.a, g, dx);
        });
    INFO(report.worst_name());
    CHECK(report.worst() <= 1e-6);
  }
}

/// Three lanes that live through sequences of `lengths`, in pieces of up to `most` steps; some wait now and then.
template <class Net>
void check_extend(typename Net::Config config, Index most) {
  Case<Net> c(config);
  const Sequences lengths{3, 9, 20};
  const Tokens<double> x = random<double>(3, lengths.columns(), 5);
  c.a.begin(c.agent.time, lengths);
  const Tokens<double> whole = c.forward(x);
  Memory<double> m(c.agent.layout, 3, Capacity{.columns = 20, .chunk = most});
  Random random(1);
  for (bool all = false; !all;) {
    Index piece[3];
    all = true;
    for (Index lane = 0; lane < 3; ++lane) {
      const Index left = lengths.length(lane) - m.length(c.agent.time, lane);
      piece[lane] = std::min(left, random.below(most + 1));
      all = all && left == piece[lane];
    }
    c.a.begin(c.agent.time, 3, [&](Index lane) { return piece[lane]; });
    const SequencesView now = c.a.sequences(c.agent.time);
    Tokens<double> part(3, now.columns());
    const auto place = [&](Index lane) { return lengths.first(lane) + m.length(c.agent.time, lane); };
    for (Index lane = 0; lane < 3; ++lane)
      part.middleCols(now.first(lane), piece[lane]) = x.middleCols(place(lane), piece[lane]);
    c.agent.net.extend(c.agent.p, part, m, c.a);
    const Tokens<double> y = c.outputs();
    for (Index lane = 0; lane < 3; ++lane)
      CHECK(support::distance(y.middleCols(now.first(lane), piece[lane]), whole.middleCols(place(lane), piece[lane])) <=
            1e-12);
    m.advance();
  }
}

/// A later observation, or one of another episode, leaves the bits of a step as they were.
template <class Net>
void check_no_leak(typename Net::Config config, Index window) {
  Case<Net> c(config);
  c.a.begin(c.agent.time, ragged);
  Tokens<double> x = random<double>(3, ragged.columns(), 5);
  const Tokens<double> before = c.forward(x);
  for (Index s = 0; s < ragged.count(); ++s)
    for (Index t = 0; t < ragged.length(s); ++t) {
      Tokens<double> changed = x;
      changed.col(ragged.first(s) + t).array() += 0.5;
      const Tokens<double> after = c.forward(changed);
      for (Index u = 0; u < ragged.columns(); ++u) {
        const Index later = u - ragged.first(s) - t;
        const bool same_episode = u >= ragged.first(s) && u < ragged.first(s) + ragged.length(s);
        const bool sees = same_episode && later >= 0 && later < window;
        INFO("step " << t << " of episode " << s << " seen from column " << u);
        CHECK(same_bits(before.col(u), after.col(u)) != sees);
      }
    }
}

}  // namespace

TEST_CASE("policies and value networks: gradients") {
  for (const bool value : {false, true}) {
    check_gradient<MlpPolicy<double>>({.hidden = {5, 4}, .value = value});
    check_gradient<MlpGaussianPolicy<double>>({.hidden = {5}, .value = value, .activation = Nonlinearity::silu});
    check_gradient<MlpGaussianPolicy<double>>({.hidden = {5}, .value = value, .state_dependent = true});
    check_gradient<MlpMultiPolicy<double>>({.choices = {2, 3}, .hidden = {5}, .value = value});
    check_gradient<AttentionPolicy<double>>({.window = 4, .width = 5, .hidden = 6, .value = value});
    check_gradient<TransformerPolicy<double>>({.width = 6, .heads = 2, .layers = 2, .inner = 7, .value = value});
  }
  check_gradient<TransformerPolicy<double>>({.width = 6, .heads = 3, .layers = 1, .window = 3});
  check_gradient<TransformerPolicy<double>>({.width = 8, .heads = 2, .sinusoidal = false, .position = rotary()});
  check_gradient<MlpValue<double>>({.hidden = {5}});
  check_gradient<WithCritic<MlpGaussianPolicy<double>, MlpValue<double>>>({.actor = {.hidden = {5}}, .critic = {}});
  check_gradient<WithCritic<AttentionPolicy<double>, AttentionValue<double>>>(
      {.actor = {.window = 4, .width = 5, .hidden = 6}, .critic = {.window = 4, .width = 3, .hidden = 6}});
  check_gradient<AttentionValue<double>>({.window = 1, .width = 5, .hidden = 6});
  check_gradient<TransformerValue<double>>({.width = 6, .heads = 2, .layers = 1, .inner = 7});
}

TEST_CASE("policies and value networks: extending piece by piece equals the full pass") {
  for (const Index most : {1, 4, 20}) {
    check_extend<MlpPolicy<double>>({.hidden = {5, 4}, .value = true}, most);
    check_extend<AttentionPolicy<double>>({.window = 4, .width = 5, .hidden = 6, .value = true}, most);
    check_extend<TransformerPolicy<double>>({.width = 6, .heads = 2, .layers = 2, .inner = 7, .value = true}, most);
    check_extend<TransformerPolicy<double>>({.width = 6, .heads = 2, .layers = 2, .inner = 7, .window = 3}, most);
    check_extend<TransformerPolicy<double>>(
        {.width = 8, .heads = 2, .window = 3, .sinusoidal = false, .position = relative()}, most);
    check_extend<AttentionValue<double>>({.window = 4, .width = 5, .hidden = 6}, most);
    check_extend<MlpGaussianPolicy<double>>({.hidden = {5}, .value = true}, most);
    check_extend<WithCritic<AttentionPolicy<double>, AttentionValue<double>>>(
        {.actor = {.window = 4, .width = 5, .hidden = 6}, .critic = {.window = 4, .width = 3, .hidden = 6}}, most);
  }
}

TEST_CASE("policies: no step sees a later one, or another episode") {
  check_no_leak<MlpPolicy<double>>({.hidden = {5}}, 1);
  check_no_leak<AttentionPolicy<double>>({.window = 4, .width = 5, .hidden = 6}, 4);
  check_no_leak<TransformerPolicy<double>>({.width = 6, .heads = 2, .layers = 1}, 100);
  check_no_leak<TransformerPolicy<double>>({.width = 6, .heads = 2, .layers = 1, .window = 3}, 3);
}

TEST_CASE("policies: the first action is a free choice") {
  Agent<AttentionPolicy<double>> agent({.observation = 3, .actions = 4}, 1);
  Activations<double> a(agent.layout);
  a.begin(agent.time, ragged);
  agent.net.forward(agent.p, random<double>(3, ragged.columns(), 5), a);
  CHECK(a[agent.net.logits].cwiseAbs().maxCoeff() < 0.1);
}

TEST_CASE("policies: errors name the thing and the numbers") {
  using Catch::Matchers::Equals;
  using support::check_complaint;
  using Policy = AttentionPolicy<float>;
  check_complaint("window 0 must be at least 1", [] { Agent<Policy>({.observation = 3, .actions = 2, .window = 0}); });
  check_complaint("policy.weight: size 0 of its shape is 0", [] { Agent<Policy>({.observation = 3, .actions = 0}); });
  check_complaint("embedding.weight: size 1 of its shape is 0",
                  [] { Agent<Policy>({.observation = 0, .actions = 2}); });
  check_complaint("at least one hidden layer",
                  [] { Agent<MlpPolicy<float>>({.observation = 3, .actions = 2, .hidden = {}}); });
  check_complaint("dim 32 is not a multiple of heads 5",
                  [] { Agent<TransformerPolicy<float>>({.observation = 3, .actions = 2, .heads = 5}); });
  check_complaint("0 layers", [] { Agent<TransformerPolicy<float>>({.observation = 3, .actions = 2, .layers = 0}); });
  Agent<Policy> agent({.observation = 3, .actions = 2});
  Activations<float> a(agent.layout);
  a.begin(agent.time, {2, 2});
  check_complaint("WindowPooling: x is 4 x 4, but 3 x 4",
                  [&] { agent.net.forward(agent.p, Tokens<float>(4, 4).setZero(), a); });
  check_complaint("WindowPooling: x is 3 x 3, but 3 x 4",
                  [&] { agent.net.forward(agent.p, Tokens<float>(3, 3).setZero(), a); });

  using Both = WithCritic<MlpPolicy<float>, MlpValue<float>>;
  check_complaint("the actor is to have no value of its own", [] {
    Agent<Both>({.actor = {.observation = 3, .actions = 2, .value = true}, .critic = {.observation = 3}});
  });
  check_complaint("the actor observes 3 numbers, but the critic 4",
                  [] { Agent<Both>({.actor = {.observation = 3, .actions = 2}, .critic = {.observation = 4}}); });
}
