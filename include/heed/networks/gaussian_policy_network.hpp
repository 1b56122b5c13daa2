#pragma once
#include "heed/core/policy.hpp"
#include "heed/layers/linear.hpp"

namespace heed {

/// A policy whose actions are vectors of numbers: a body that turns observations into features, the means of a Gaussian,
/// deviations that do not depend on what is observed (or do, if asked for) and, if asked for, a learned value.
///
///   mean = Wm features + bm    log_std = l, state-dependent: Wl features + l    value = wv features + bv
///
///   Wm ("mean"), Wl ("log_std"): orthogonal with gain 0.01    l: one number an action's dimension, Config::log_std at
///   first    wv ("value"): orthogonal
///
/// Config::state_dependent and Config::squashed, if it has them, are false at first. A squashed Gaussian's actions lie
/// within the world's bounds, see SquashedGaussian and Decision.
template <class Body, class Settings>
class GaussianPolicyNetwork {
 public:
  using Scalar = typename Body::Scalar;
  using S = Scalar;
  using Config = Settings;
  Body body;
  Linear<S> mean_head, log_std_head, value_head;
  Weight<Dynamic, 1> deviations;  ///< empty where log_std has a head
  bool squashed;                  ///< by tanh, into the bounds of the action
  Columns<> mean, log_std;
  Columns<1> value;
  Axis time, input;
  Index observation;  ///< rows of what is seen

  GaussianPolicyNetwork(Scope at, const Config& c)
      : body(at, c),
        mean_head(at / "mean", body.features.rows, c.actions, LinearInit::orthogonal(0.01)),
        log_std_head({}, {}),
        value_head({}, {}),
        squashed(asks_for_squashed(c)),
        mean(at.columns(c.actions)),
        log_std(at.columns(c.actions)),
        time(at.axis()),
        input(body.input()),
        observation(body.observation()) {
    if (depends_on_state(c))
      log_std_head =
          Linear<S>(at / "log_std", body.features.rows, c.actions, LinearInit{orthogonal(0.01), constant(c.log_std)});
    else
      deviations = at.weight<Dynamic>("log_std", {c.actions}, constant(c.log_std));
    if (!c.value) return;
    value_head = Linear<S>(at / "value", body.features.rows, 1, LinearInit::orthogonal(1));
    value = at.columns<1>();
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
  /// From a.d(mean), a.d(log_std) and a.d(value).
  void backward(ParametersView<const S> p, Read<S> x, ActivationsView<S> a, ParametersView<S> g, Gradient<S> dx) const {
    const auto d = a.d(log_std);
    mean_head.backward(p, a[body.features], a.d(mean), g, a.d(body.features));
    if (deviations)
      detail::add_columns<S>(d.rows(), d.cols(), d.data(), d.outerStride(), g[deviations].data());
    else
      log_std_head.backward(p, a[body.features], d, g, add_to(a.d(body.features)));
    if (value) value_head.backward(p, a[body.features], a.d(value), g, add_to(a.d(body.features)));
    body.backward(p, x, a, g, dx);
  }

  void graph(Graph& g) const {
    const Node features = body.graph(g, g.input("observation", input, observation));
    const Node of_mean = mean_head.graph(g, features);
    g.output("mean", of_mean, time);
    const auto repeated = [&] {
      return g.op("Expand", {g.weight(deviations), g.op("Shape", {of_mean}, 1, {}, 1)}, of_mean.rows, {}, of_mean.rank);
    };
    g.output("log_std", deviations ? repeated() : log_std_head.graph(g, features), time);
    if (value) g.output("value", value_head.graph(g, features), time);
  }

 private:
  static bool depends_on_state([[maybe_unused]] const Config& c) {
    if constexpr (requires { c.state_dependent; })
      return c.state_dependent;
    else
      return false;
  }
  static bool asks_for_squashed([[maybe_unused]] const Config& c) {
    if constexpr (requires { c.squashed; })
      return c.squashed;
    else
      return false;
  }
  void heads(ParametersView<const S> p, ActivationsView<S> a) const {
    mean_head.forward(p, a[body.features], a[mean]);
    if (deviations)
      a[log_std].colwise() = p[deviations];
    else
      log_std_head.forward(p, a[body.features], a[log_std]);
    if (value) value_head.forward(p, a[body.features], a[value]);
  }
};

}  // namespace heed
