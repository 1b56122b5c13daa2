#pragma once
#include "heed/core/policy.hpp"
#include "heed/layers/linear.hpp"

namespace heed {

/// Values of actions: a body that turns observations into features, and the value of each action.
///
///   q = Wq features + bq
///   dueling (Wang et al. 2016, eq. 9):  q_i = v + A_i - mean A    v = wv features + bv    A = Wa features + ba
///
///   q, A: actions x time steps    Wq ("q"), wv ("value"), Wa ("advantage"): orthogonal, of actions with gain 0.01, so
///   that no action is better at the start
///
/// As a policy its logits are q: the most probable action is the one of the highest value.
template <class Body, class Settings>
class QNetwork {
 public:
  using Scalar = typename Body::Scalar;
  using S = Scalar;
  using Config = Settings;
  Body body;
  Linear<S> action_head, state_head;  ///< the latter only where they duel
  Columns<> q, logits;                ///< the same
  Columns<> advantage;                ///< empty where they do not duel
  Columns<1> state;
  Axis time, input;
  Index observation;  ///< rows of what is seen

  QNetwork(Scope at, const Config& c)
      : body(at, c),
        action_head(at / (c.dueling ? "advantage" : "q"), body.features.rows, c.actions, LinearInit::orthogonal(0.01)),
        state_head({}, {}),
        q(at.columns(c.actions)),
        logits(q),
        time(at.axis()),
        input(body.input()),
        observation(body.observation()) {
    if (!c.dueling) return;
    state_head = Linear<S>(at / "value", body.features.rows, 1, LinearInit::orthogonal(1));
    advantage = at.columns(c.actions);
    state = at.columns<1>();
  }

  /// See past_of.
  Index past() const requires requires(const Body b) { b.past(); }
  { return body.past(); }

  void forward(ParametersView<const S> p, Read<S> x, ActivationsView<S> a) const {
    body.forward(p, x, a);
    heads(p, a);
  }
  void extend(ParametersView<const S> p, Read<S> x, MemoryView<S> m, ActivationsView<S> a) const {
    body.extend(p, x, m, a);
    heads(p, a);
  }
  // From a.d(q). Dueling: dv = sum dq    dA_i = dq_i - mean dq
  void backward(ParametersView<const S> p, Read<S> x, ActivationsView<S> a, ParametersView<S> g, Gradient<S> dx) const {
    if (advantage) {
      const auto dq = a.d(q);
      auto dadvantage = a.d(advantage);
      auto dstate = a.d(state);
      for (Index t = 0; t < dq.cols(); ++t) {
        dstate(0, t) = dq.col(t).sum();
        dadvantage.col(t) = dq.col(t).array() - dstate(0, t) / S(q.rows);
      }
    }
    action_head.backward(p, a[body.features], a.d(advantage ? advantage : q), g, a.d(body.features));
    if (advantage) state_head.backward(p, a[body.features], a.d(state), g, add_to(a.d(body.features)));
    body.backward(p, x, a, g, dx);
  }

  void graph(Graph& g) const {
    const Node features = body.graph(g, g.input("observation", input, observation));
    Node values = action_head.graph(g, features);
    if (advantage) {
      const Node mean = g.op("ReduceMean", {values}, 1, {{"axes", std::vector<std::int64_t>{-1}}});
      values = g.add(g.subtract(values, mean), state_head.graph(g, features));
    }
    g.output("q", values, time);
  }

 private:
  void heads(ParametersView<const S> p, ActivationsView<S> a) const {
    action_head.forward(p, a[body.features], a[advantage ? advantage : q]);
    if (!advantage) return;
    state_head.forward(p, a[body.features], a[state]);
    const auto of_action = a[advantage];
    const auto of_state = a[state];
    auto both = a[q];
    for (Index t = 0; t < both.cols(); ++t)
      both.col(t) = of_action.col(t).array() + (of_state(0, t) - of_action.col(t).mean());
  }
};

}  // namespace heed
