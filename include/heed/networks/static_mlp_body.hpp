#pragma once
#include "heed/core/memory.hpp"
#include "heed/detail/mlp_layer.hpp"

namespace heed {
namespace detail {

/// Hidden layers of constant widths, one behind the other.
template <class S, int In, int Out, int... More>
struct MlpChain {
  MlpLayer<S, In, Out> first;
  MlpChain<S, Out, More...> rest;

  MlpChain(Scope at, Nonlinearity f, Index i) : first(at / "layers" / i, at, In, Out, f), rest(at, f, i + 1) {}
  const auto& features() const { return rest.features(); }

  void forward(ParametersView<const S> p, Read<S, In> x, ActivationsView<S> a) const {
    first.forward(p, x, a);
    rest.forward(p, a[first.after], a);
  }
  void backward(ParametersView<const S> p, Read<S, In> x, ActivationsView<S> a, ParametersView<S> g,
                Gradient<S, In> dx) const {
    rest.backward(p, a[first.after], a, g, a.d(first.after));
    first.backward(p, x, a, g, dx);
  }
  Node graph(Graph& g, const Node& x) const { return rest.graph(g, first.graph(g, x)); }
};
template <class S, int In, int Out>
struct MlpChain<S, In, Out> : MlpLayer<S, In, Out> {
  MlpChain(Scope at, Nonlinearity f, Index i) : MlpLayer<S, In, Out>(at / "layers" / i, at, In, Out, f) {}
  const auto& features() const { return this->after; }
};

}  // namespace detail

/// MlpBody, every size of it a constant of the program: it needs no heap, and acts faster where registers hold several
/// numbers.
template <class S, int Observation, int... Hidden>
class StaticMlpBody {
  static_assert(sizeof...(Hidden) > 0, "at least one hidden layer is needed");

 public:
  using Scalar = S;
  Axis time;
  detail::MlpChain<S, Observation, Hidden...> layers;         ///< one behind the other
  std::remove_cvref_t<decltype(layers.features())> features;  ///< of the last layer

  /// Config: activation.
  template <class Config>
  StaticMlpBody(Scope at, const Config& c)
      : time(at.axis()), layers(at, c.activation, 0), features(layers.features()) {}

  Index observation() const { return Observation; }
  Axis input() const { return time; }

  void forward(ParametersView<const S> p, Read<S> x, ActivationsView<S> a) const { layers.forward(p, x, a); }
  void extend(ParametersView<const S> p, Read<S> x, MemoryView<S> m, ActivationsView<S> a) const {
    m.begin(time, a.sequences(time));
    forward(p, x, a);
  }
  void backward(ParametersView<const S> p, Read<S> x, ActivationsView<S> a, ParametersView<S> g, Gradient<S> dx) const {
    layers.backward(p, x, a, g, dx);
  }
  Node graph(Graph& g, const Node& x) const { return layers.graph(g, x); }
};

}  // namespace heed
