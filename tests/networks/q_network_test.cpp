#include "heed/networks/q_network.hpp"

#include "heed/core/agent.hpp"
#include "heed/networks/attention_q.hpp"
#include "heed/networks/entity_q.hpp"
#include "heed/networks/mlp_q.hpp"
#include "heed/networks/patch_q.hpp"
#include "heed/networks/transformer_q.hpp"
#include "heed/rl/decision.hpp"
#include "support.hpp"

using namespace heed;
using support::random;

namespace {

/// A network of each kind, small, with all its weights away from their special first values.
template <class Net>
struct Case {
  Agent<Net> agent;
  Activations<double> a;

  explicit Case(typename Net::Config config) : agent(completed(config), 3), a(agent.layout) {
    agent.p.flat += random<double>(agent.p.flat.size(), 1, 4, 0.2);
  }
  static typename Net::Config completed(typename Net::Config config) {
    if constexpr (requires { config.observation; }) config.observation = 3;
    config.actions = 2;
    return config;
  }
  /// Begins the steps, and where entities are seen some at each; how many columns of x that makes.
  Index begin(const Sequences& steps) {
    a.begin(agent.net.time, steps);
    if (!(agent.net.input == agent.net.time))
      a.begin(agent.net.input, steps.columns(), [](Index t) { return t * t % 4; });
    return a.columns(agent.net.input);
  }
  Tokens<double> forward(const Tokens<double>& x) {
    agent.net.forward(agent.p, x, a);
    return a[agent.net.q];
  }
};

template <class Net>
void check_gradient(typename Net::Config config) {
  for (const bool dueling : {false, true}) {
    config.dueling = dueling;
    Case<Net> c(config);
    const Index columns = c.begin({3, 0, 1, 5});
    Tokens<double> x = random<double>(c.agent.net.observation, columns, 5), dx(x.rows(), x.cols());
    const auto report = testing::gradient_check(
        c.agent.layout, c.agent.p, {{"x", x, dx}}, [&] { return c.forward(x); },
        [&](const Tokens<double>& dy, Parameters<double>& g) {
          c.a.d(c.agent.net.q) = dy;
          c.agent.net.backward(c.agent.p, x, c.a, g, dx);
        });
    INFO(report.worst_name());
    CHECK(report.worst() <= 1e-6);
  }
}

/// Step by step, in two lanes, as in one pass.
template <class Net>
void check_extend(typename Net::Config config) {
  config.dueling = true;
  Case<Net> c(config);
  const Tokens<double> x = random<double>(c.agent.net.observation, c.begin({6, 6}), 5);
  const Tokens<double> whole = c.forward(x);
  Memory<double> m(c.agent.layout, 2, 6);
  for (Index t = 0; t < 6; ++t) {
    c.a.begin(c.agent.time, {1, 1});
    Tokens<double> now(x.rows(), 2);
    now << x.col(t), x.col(6 + t);
    c.agent.net.extend(c.agent.p, now, m, c.a);
    m.advance();
    Tokens<double> then(2, 2);
    then << whole.col(t), whole.col(6 + t);
    CHECK(support::distance(c.a[c.agent.net.q], then) <= 1e-12);
  }
}

}  // namespace

TEST_CASE("q-networks: gradients") {
  check_gradient<MlpQ<double>>({.hidden = {5, 4}});
  check_gradient<AttentionQ<double>>({.window = 3, .width = 5, .hidden = 6});
  check_gradient<TransformerQ<double>>({.width = 6, .heads = 2, .inner = 7});
  check_gradient<EntityQ<double>>({.width = 4, .heads = 2, .inner = 5});
  check_gradient<PatchQ<double>>({.image = {2, 4}, .patch = {2}, .width = 4, .heads = 2, .inner = 5});
}

TEST_CASE("q-networks: extending equals the full pass") {
  check_extend<MlpQ<double>>({.hidden = {5, 4}});
  check_extend<AttentionQ<double>>({.window = 3, .width = 5, .hidden = 6});
  check_extend<TransformerQ<double>>({.width = 6, .heads = 2, .inner = 7});
  check_extend<PatchQ<double>>({.image = {2, 4}, .patch = {2}, .width = 4, .heads = 2, .inner = 5});
}

TEST_CASE("q-networks: values by hand") {
  for (const bool dueling : {false, true}) {
    Case<MlpQ<double>> c({.hidden = {4}, .dueling = dueling});
    const auto& net = c.agent.net;
    const auto& p = c.agent.p;
    const Tokens<double> x = random<double>(3, c.begin({5}), 5), q = c.forward(x), f = c.a[net.body.features];
    for (Index t = 0; t < 5; ++t) {
      double of[2], v = 0;
      for (Index i = 0; i < 2; ++i) {
        of[i] = p[net.action_head.bias](i, 0);
        for (Index k = 0; k < 4; ++k) of[i] += p[net.action_head.weight](i, k) * f(k, t);
      }
      if (dueling) {
        v = p[net.state_head.bias](0, 0) - (of[0] + of[1]) / 2;
        for (Index k = 0; k < 4; ++k) v += p[net.state_head.weight](0, k) * f(k, t);
      }
      for (Index i = 0; i < 2; ++i) CHECK(q(i, t) == Approx(v + of[i]));
      // As a policy it prefers what is worth most, and it has no value of its own that a rollout would keep.
      CHECK(decision(net, c.a.view(), t).mode() == (q(1, t) > q(0, t)));
    }
    CHECK(!value_of(net));
  }
}

TEST_CASE("q-networks: no action is better at the start, and heads have names") {
  Agent<MlpQ<double>> agent({.observation = 3, .actions = 4}, 1),
      dueling({.observation = 3, .actions = 4, .dueling = true});
  Activations<double> a(agent.layout);
  a.begin(agent.time, {5});
  agent.net.forward(agent.p, random<double>(3, 5, 5), a);
  CHECK(a[agent.net.q].cwiseAbs().maxCoeff() < 0.1);
  const auto has = [](const auto& of, const std::string& name) {
    for (const Entry& e : of.layout.entries())
      if (e.name == name) return true;
    return false;
  };
  CHECK(has(agent, "q.weight"));
  CHECK(!has(agent, "value.weight"));
  CHECK(has(dueling, "advantage.weight"));
  CHECK(has(dueling, "value.weight"));
  support::check_complaint("q.weight: size 0 of its shape is 0",
                           [] { Agent<MlpQ<double>>({.observation = 3, .actions = 0}); });
}
