#pragma once
#include "heed/core/policy.hpp"
#include "heed/layers/linear.hpp"

namespace heed {

/// A policy whose actions are vectors of numbers: a body that turns observations into features, the means of a Gaussian,
/// deviations that do not depend on what is observed and, if asked for, a learned value.
///
///   mean = Wm features + bm    log_std = l    value = wv features + bv
///
///   Wm ("mean"): orthogonal with gain 0.01    l ("log_std"): one number an action's dimension, Config::log_std at first
///   wv ("value"): orthogonal
template <class Body, class Settings>
class GaussianPolicyNetwork {
 public:
  using Scalar = typename Body::Scalar;
  using S = Scalar;
  using Config = Settings;
  Body body;
  Linear<S> mean_head, value_head;
  Weight<Dynamic, 1> deviations;
  Columns<> mean, log_std;
  Columns<1> value;
  Axis time, input;
  Index observation;

  GaussianPolicyNetwork(Scope at, const Config& c)
      : body(at, c),
        mean_head(at / "mean", body.features.rows, c.actions, LinearInit::orthogonal(0.01)),
        value_head({}, {}),
        deviations(at.weight<Dynamic>("log_std", {c.actions}, constant(c.log_std))),
        mean(at.columns(c.actions)),
        log_std(at.columns(c.actions)),
        time(at.axis()),
        input(body.input()),
        observation(body.observation()) {
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
    detail::add_columns<S>(d.rows(), d.cols(), d.data(), d.outerStride(), g[deviations].data());
    mean_head.backward(p, a[body.features], a.d(mean), g, a.d(body.features));
    if (value) value_head.backward(p, a[body.features], a.d(value), g, add_to(a.d(body.features)));
    body.backward(p, x, a, g, dx);
  }

 private:
  void heads(ParametersView<const S> p, ActivationsView<S> a) const {
    mean_head.forward(p, a[body.features], a[mean]);
    a[log_std].colwise() = p[deviations];
    if (value) value_head.forward(p, a[body.features], a[value]);
  }
};

}  // namespace heed
