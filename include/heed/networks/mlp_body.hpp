#pragma once
#include "heed/core/memory.hpp"
#include "heed/detail/list.hpp"
#include "heed/layers/activation.hpp"
#include "heed/layers/linear.hpp"

namespace heed {

/// A multi-layer perceptron of each observation alone: it remembers nothing.
///
///   features: f(Wn ... f(W1 x + b1) ... + bn)    f: tanh, or what the Config says
///
///   x: observation x time steps    W ("layers.i"): orthogonal with gain sqrt(2), as is usual for policies
///   Most: how many layers there may be, which then need no heap
template <class S, int Most = Dynamic>
class MlpBody {
 public:
  using Scalar = S;
  /// A hidden layer.
  struct Layer {
    Linear<S> linear;
    Columns<> before, after;
  };
  Axis time;
  detail::List<Layer, Most> layers;  ///< one behind the other
  Activation<S> activation;
  Columns<> features;

  /// Config: observation, hidden (a width for each layer), activation.
  template <class Config>
  MlpBody(Scope at, const Config& c) : time(at.axis()), activation(c.activation) {
    if (c.hidden.empty()) detail::fail("MlpPolicy: at least one hidden layer is needed");
    Index in = c.observation, i = 0;
    for (Index out : c.hidden) {
      layers.push_back({Linear<S>(at / "layers" / i++, in, out, LinearInit::orthogonal(1.4142135623730951)),
                        at.columns(out), at.columns(out)});
      in = out;
    }
    features = layers.back().after;
  }

  Index observation() const { return layers.front().linear.in(); }
  Axis input() const { return time; }

  void forward(ParametersView<const S> p, Read<S> x, ActivationsView<S> a) const {
    for (std::size_t i = 0; i < layers.size(); ++i) {
      layers[i].linear.forward(p, i == 0 ? x : Read<S>(a[layers[i - 1].after]), a[layers[i].before]);
      activation.forward(a[layers[i].before], a[layers[i].after]);
    }
  }
  void extend(ParametersView<const S> p, Read<S> x, MemoryView<S> m, ActivationsView<S> a) const {
    m.begin(time, a.sequences(time));
    forward(p, x, a);
  }

  void backward(ParametersView<const S> p, Read<S> x, ActivationsView<S> a, ParametersView<S> g, Gradient<S> dx) const {
    for (std::size_t i = layers.size(); i-- > 0;) {
      activation.backward(a[layers[i].before], a[layers[i].after], a.d(layers[i].after), a.d(layers[i].before));
      if (i == 0)
        layers[i].linear.backward(p, x, a.d(layers[i].before), g, dx);
      else
        layers[i].linear.backward(p, a[layers[i - 1].after], a.d(layers[i].before), g, a.d(layers[i - 1].after));
    }
  }

  Node graph(Graph& g, Node x) const {
    for (const Layer& layer : layers) x = activation.graph(g, layer.linear.graph(g, x));
    return x;
  }
};

}  // namespace heed
