#pragma once
#include "heed/layers/activation.hpp"
#include "heed/layers/linear.hpp"

namespace heed::detail {

/// A hidden layer of a perceptron: f(W x + b), and where that lies.
template <class S, int In = Dynamic, int Out = Dynamic>
struct MlpLayer {
  Linear<S, In, Out> linear;
  Activation<S> activation;
  Columns<Out> before, after;

  MlpLayer(Scope at, Scope buffers, Index in, Index out, Nonlinearity f)
      : linear(at, in, out, LinearInit::orthogonal(1.4142135623730951)),
        activation(f),
        before(buffers.columns<Out>(out)),
        after(buffers.columns<Out>(out)) {}

  void forward(ParametersView<const S> p, Read<S, In> x, ActivationsView<S> a) const {
    linear.forward(p, x, a[before]);
    activation.forward(a[before], a[after]);
  }
  /// From a.d(after).
  void backward(ParametersView<const S> p, Read<S, In> x, ActivationsView<S> a, ParametersView<S> g,
                Gradient<S, In> dx) const {
    activation.backward(a[before], a[after], a.d(after), a.d(before));
    linear.backward(p, x, a.d(before), g, dx);
  }
  Node graph(Graph& g, const Node& x) const { return activation.graph(g, linear.graph(g, x)); }
};

}  // namespace heed::detail
