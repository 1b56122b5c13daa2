#pragma once
#include "heed/core/policy.hpp"
#include "heed/layers/linear.hpp"

namespace heed {

/// A value function on its own: a body that turns observations into features, and their value.
///
///   value = wv features + bv    wv ("value"): orthogonal
template <class Body, class Settings>
class ValueNetwork {
 public:
  using Scalar = typename Body::Scalar;
  using S = Scalar;
  using Config = Settings;
  Body body;
  Linear<S> value_head;
  Columns<1> value;
  Axis time, input;
  Index observation;  ///< rows of what is seen

  ValueNetwork(Scope at, const Config& c)
      : body(at, c),
        value_head(at / "value", body.features.rows, 1, LinearInit::orthogonal(1)),
        value(at.columns<1>()),
        time(at.axis()),
        input(body.input()),
        observation(body.observation()) {}

  void forward(ParametersView<const S> p, Read<S> x, ActivationsView<S> a) const {
    body.forward(p, x, a);
    value_head.forward(p, a[body.features], a[value]);
  }
  void extend(ParametersView<const S> p, Read<S> x, MemoryView<S> m, ActivationsView<S> a) const {
    body.extend(p, x, m, a);
    value_head.forward(p, a[body.features], a[value]);
  }
  /// From a.d(value).
  void backward(ParametersView<const S> p, Read<S> x, ActivationsView<S> a, ParametersView<S> g, Gradient<S> dx) const {
    value_head.backward(p, a[body.features], a.d(value), g, a.d(body.features));
    body.backward(p, x, a, g, dx);
  }

  void graph(Graph& g) const {
    g.output("value", value_head.graph(g, body.graph(g, g.input("observation", input, observation))), time);
  }
};

}  // namespace heed
