#include "heed/networks/signal_policy.hpp"

#include "heed/core/agent.hpp"
#include "support.hpp"

using namespace heed;
using support::random;

namespace {

using Net = SignalPolicy<double>;

const Sequences steps{3, 0, 1, 4};
const Sequences seen{2, 0, 1, 3, 0, 5, 1, 2};  // tokens at each step

/// Three samples and two numbers that say where they are, with weights away from their first values.
struct Case {
  Agent<Net> agent;
  Activations<double> a;

  explicit Case(Net::Config config = {}) : agent(completed(config), 3), a(agent.layout) {
    agent.p.flat += random<double>(agent.p.flat.size(), 1, 4, 0.2);
  }
  static Net::Config completed(Net::Config config) {
    config.observation = 5, config.actions = 3, config.width = 4, config.inner = 6;
    return config;
  }
  const SignalBody<double>& body() const { return agent.net.body; }
  void begin(SequencesView of_time, SequencesView of_tokens) {
    a.begin(agent.net.time, of_time);
    a.begin(agent.net.input, of_tokens);
  }
  Tokens<double> outputs() {
    const Index rows = agent.net.value ? 4 : 3;
    Tokens<double> y(rows, a.columns(agent.net.time));
    y.topRows(3) = a[agent.net.logits];
    if (agent.net.value) y.row(3) = a[agent.net.value];
    return y;
  }
  void set_gradients(const Tokens<double>& dy) {
    a.d(agent.net.logits) = dy.topRows(3);
    if (agent.net.value) a.d(agent.net.value) = dy.row(3);
  }
  Tokens<double> forward(const Tokens<double>& x) {
    agent.net.forward(agent.p, x, a);
    return outputs();
  }
};

void check_gradient(const Net::Config& config) {
  Case c(config);
  c.begin(steps, seen);
  for (const double size : {1.0, 0.0}) {
    Tokens<double> x = random<double>(5, seen.columns(), 5, size), dx(5, x.cols());
    const auto report = testing::gradient_check(
        c.agent.layout, c.agent.p, {{"x", x, dx}}, [&] { return c.forward(x); },
        [&](const Tokens<double>& dy, Parameters<double>& g) {
          c.set_gradients(dy);
          dx.setConstant(-3);
          c.agent.net.backward(c.agent.p, x, c.a, g, dx);
          Parameters<double> again(c.agent.layout);
          Tokens<double> added = Tokens<double>::Constant(5, x.cols(), 7);
          c.set_gradients(dy);
          c.agent.net.backward(c.agent.p, x, c.a, again, add_to(added));
          CHECK(support::distance(added, (dx.array() + 7).matrix()) <= 1e-12);
          c.set_gradients(dy);
          c.agent.net.backward(c.agent.p, x, c.a, again, no_gradient);
          CHECK(support::distance(again.flat, 2 * g.flat) <= 1e-12);
        });
    INFO(report.worst_name());
    CHECK(report.worst() <= 1e-6);
  }
}

}  // namespace

TEST_CASE("signal policy: gradients, with steps that show no token") {
  for (const Index samples : {0, 3, 5})
    for (const Index heads : {1, 2})
      check_gradient({.samples = samples, .heads = heads, .sharpness = 2, .value = samples == 3});
}

TEST_CASE("signal policy: tokens are of samples made white, and of where they are") {
  Case c({.samples = 3, .whitening = 0.5});
  c.begin(steps, seen);
  const Tokens<double> x = random<double>(5, seen.columns(), 5);
  c.forward(x);
  const auto& body = c.body();
  for (Index i = 0; i < x.cols(); ++i) {
    Eigen::VectorXd is = x.col(i);
    is(1) -= 0.5 * x(0, i);
    is(2) -= 0.5 * x(1, i) + 0.125 * x(0, i);
    Eigen::VectorXd h = c.agent.p[body.linear1.weight] * is + c.agent.p[body.linear1.bias];
    h = h.unaryExpr(
        [](double v) { return v / 2 * (1 + std::tanh(std::sqrt(2 / std::acos(-1.0)) * (v + 0.044715 * v * v * v))); });
    const Eigen::VectorXd e = (c.agent.p[body.linear2.weight] * h + c.agent.p[body.linear2.bias]).array().tanh();
    CHECK(support::distance(c.a[body.embedded].col(i), e) <= 1e-12);
  }
}

TEST_CASE("signal policy: the glance, sharpened, asks all tokens of its step") {
  Case c({.samples = 3, .heads = 2, .sharpness = 5});
  c.begin(steps, seen);
  c.forward(random<double>(5, seen.columns(), 5));
  const auto& body = c.body();
  const Tokens<double> embedded = c.a[body.embedded], features = c.a[body.features];
  Tokens<double> glanced(4, seen.count()), answer(4, seen.count());
  body.glance.forward(c.agent.p, embedded, glanced, c.a);
  glanced *= 5;
  body.look.forward(c.agent.p, glanced, embedded, embedded, answer, c.a);
  CHECK(support::distance(features, answer) <= 1e-14);
}

TEST_CASE("signal policy: weights of each step and head are those that the features are made with") {
  Case c({.samples = 3, .heads = 2, .sharpness = 20});
  c.begin(steps, seen);
  c.forward(random<double>(5, seen.columns(), 5));
  const auto& look = c.body().look;
  bool some_zero = false;
  for (Index t = 0; t < seen.count(); ++t) {
    const Index n = seen.length(t);
    for (Index head = 0; head < 2; ++head) {
      Tokens<double> w(n, 1);
      c.body().weights(c.agent.p, c.a, t, head, w);
      if (n > 0) CHECK(w.sum() == Approx(1));
      some_zero = some_zero || (w.array() == 0).any();
      const Tokens<double> mixed = c.a[look.value_of].block(2 * head, seen.first(t), 2, n) * w;
      CHECK(support::distance(c.a[look.mixed].block(2 * head, t, 2, 1), mixed) <= 1e-12);
    }
  }
  CHECK(some_zero);  // sparsemax
}

TEST_CASE("signal policy: each step alone, whatever the order of its tokens, and acting equals learning") {
  Case c({.samples = 3, .value = true});
  c.begin(steps, seen);
  const Tokens<double> x = random<double>(5, seen.columns(), 5), before = c.forward(x);
  for (Index t = 0; t < seen.count(); ++t) {
    if (seen.length(t) == 0) continue;
    Tokens<double> changed = x;
    changed.middleCols(seen.first(t), seen.length(t)).array() += 0.5;
    const Tokens<double> after = c.forward(changed);
    for (Index u = 0; u < seen.count(); ++u) CHECK(support::same_bits(before.col(u), after.col(u)) == (u != t));
    changed = x;
    changed.middleCols(seen.first(t), seen.length(t)) =
        x.middleCols(seen.first(t), seen.length(t)).rowwise().reverse().eval();
    CHECK(support::distance(c.forward(changed), before) <= 1e-12);
  }
  CHECK(past_of(c.agent.net, c.agent.layout) == 0);
  Memory<double> m(c.agent.layout, 2);
  for (Index t = 0; t + 1 < seen.count(); ++t) {
    c.begin(Sequences{1, 1}, Sequences{seen.length(t), seen.length(t + 1)});
    c.agent.net.extend(c.agent.p, x.middleCols(seen.first(t), seen.length(t) + seen.length(t + 1)), m, c.a);
    m.advance();
    CHECK(support::distance(c.outputs(), before.middleCols(t, 2)) <= 1e-12);
  }
  c.begin(Sequences{0, 1}, Sequences{0});  // a lane that waits, and a step that shows nothing
  c.agent.net.extend(c.agent.p, Tokens<double>(5, 0), m, c.a);
  CHECK(c.outputs().allFinite());
}

TEST_CASE("signal policy: equal tokens and huge ones") {
  Case c({.samples = 3, .value = true});
  c.begin(Sequences{2}, Sequences{3, 2});
  for (const double size : {0.0, 1.0, 1e6}) {
    const Tokens<double> x = Tokens<double>::Constant(5, 5, size), y = c.forward(x);
    CHECK(y.allFinite());
    CHECK(support::distance(y.col(0), y.col(1)) <= 1e-12);
    Parameters<double> g(c.agent.layout);
    c.set_gradients(y);
    c.agent.net.backward(c.agent.p, x, c.a, g, no_gradient);
    CHECK(g.flat.allFinite());
  }
}

TEST_CASE("signal policy: errors name the thing and the numbers") {
  using support::check_complaint;
  const auto make = [](const Net::Config& config) { return [config] { Agent<Net>{config}; }; };
  check_complaint("SignalBody: 6 samples in an observation of 5", make({.observation = 5, .actions = 2, .samples = 6}));
  check_complaint("SignalBody: -1 samples", make({.observation = 5, .actions = 2, .samples = -1}));
  check_complaint("SignalBody: sharpness 0 must be positive", make({.observation = 5, .actions = 2, .sharpness = 0}));
  check_complaint("SignalBody: whitening 1.5 must be in [0, 1]",
                  make({.observation = 5, .actions = 2, .whitening = 1.5}));
  check_complaint("dim 32 is not a multiple of heads 5", make({.observation = 5, .actions = 2, .heads = 5}));
  Case c({.samples = 3});
  CHECK(c.agent.net.observation == 5);
  c.begin(Sequences{2}, Sequences{1, 2});
  Parameters<double> g(c.agent.layout);
  Tokens<double> x = Tokens<double>::Zero(5, 3), high = Tokens<double>::Zero(6, 3), wide = Tokens<double>::Zero(5, 4);
  check_complaint("SignalBody: x is 6 x 3, but 5 x 3", [&] { c.forward(high); });
  check_complaint("SignalBody: x is 5 x 4, but 5 x 3", [&] { c.forward(wide); });
  c.forward(x);
  check_complaint("SignalBody: dx is 6 x 3, but 5 x 3", [&] { c.body().backward(c.agent.p, x, c.a, g, high); });
  check_complaint("SignalBody: x is 5 x 4, but 5 x 3",
                  [&] { c.body().backward(c.agent.p, wide, c.a, g, no_gradient); });
  Tokens<double> w(2, 1);
  c.body().weights(c.agent.p, c.a, 1, 0, w);
  check_complaint("head 1 asked for, but there are 1", [&] { c.body().weights(c.agent.p, c.a, 1, 1, w); });
}
