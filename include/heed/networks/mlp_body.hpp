#pragma once
#include <vector>

#include "heed/core/memory.hpp"
#include "heed/detail/mlp_layer.hpp"

namespace heed {

/// A multi-layer perceptron of each observation alone: it remembers nothing.
///
///   features: f(Wn ... f(W1 x + b1) ... + bn)    f: tanh, or what the Config says
///
///   x: observation x time steps    W ("layers.i"): orthogonal with gain sqrt(2), as is usual for policies
template <class S>
class MlpBody {
 public:
  using Scalar = S;
  Axis time;
  std::vector<detail::MlpLayer<S>> layers;  ///< one behind the other
  Columns<> features;

  /// Config: observation, hidden (a width for each layer), activation.
  template <class Config>
  MlpBody(Scope at, const Config& c) : time(at.axis()) {
    if (c.hidden.empty()) detail::fail("MlpPolicy: at least one hidden layer is needed");
    Index in = c.observation, i = 0;
    for (Index out : c.hidden) {
      layers.emplace_back(at / "layers" / i++, at, in, out, c.activation);
      in = out;
    }
    features = layers.back().after;
  }

  Index observation() const { return layers.front().linear.in(); }
  Axis input() const { return time; }

  void forward(ParametersView<const S> p, Read<S> x, ActivationsView<S> a) const {
    for (std::size_t i = 0; i < layers.size(); ++i)
      layers[i].forward(p, i == 0 ? x : Read<S>(a[layers[i - 1].after]), a);
  }
  void extend(ParametersView<const S> p, Read<S> x, MemoryView<S> m, ActivationsView<S> a) const {
    m.begin(time, a.sequences(time));
    forward(p, x, a);
  }

  void backward(ParametersView<const S> p, Read<S> x, ActivationsView<S> a, ParametersView<S> g, Gradient<S> dx) const {
    for (std::size_t i = layers.size(); i-- > 0;)
      if (i == 0)
        layers[i].backward(p, x, a, g, dx);
      else
        layers[i].backward(p, a[layers[i - 1].after], a, g, a.d(layers[i - 1].after));
  }

  Node graph(Graph& g, Node x) const {
    for (const auto& layer : layers) x = layer.graph(g, x);
    return x;
  }
};

}  // namespace heed
