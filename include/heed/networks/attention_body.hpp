#pragma once
#include "heed/core/attention_weights.hpp"
#include "heed/layers/activation.hpp"
#include "heed/layers/window_pooling.hpp"

namespace heed {

/// Additive attention over a window of observations: what it computes for time step t depends on the last T observations,
/// each a token.
///
///   c_t = WindowPooling of x_(t - T + 1) ... x_t (fewer at the start of an episode)    features: tanh(Wh c_t + bh)
///
///   x: observation x time steps    c: width    features: hidden
template <class S>
class AttentionBody {
 public:
  using Scalar = S;
  WindowPooling<S> attention;
  Linear<S> hidden;
  Activation<S> activation{Nonlinearity::tanh};
  Columns<> context, before, features;

  /// Config: observation, window, width, hidden.
  template <class Config>
  AttentionBody(Scope at, const Config& c)
      : attention(at, c.observation, c.window, c.width),
        hidden(at / "hidden", c.width, c.hidden),
        context(at.columns(c.width)),
        before(at.columns(c.hidden)),
        features(at.columns(c.hidden)) {}

  Index observation() const { return attention.embedding.in(); }
  Axis input() const { return attention.time; }
  Index past() const { return attention.window - 1; }

  void forward(ParametersView<const S> p, Read<S> x, ActivationsView<S> a) const {
    attention.forward(p, x, a[context], a);
    finish(p, a);
  }
  void extend(ParametersView<const S> p, Read<S> x, MemoryView<S> m, ActivationsView<S> a) const {
    attention.extend(p, x, a[context], m, a);
    finish(p, a);
  }
  void backward(ParametersView<const S> p, Read<S> x, ActivationsView<S> a, ParametersView<S> g, Gradient<S> dx) const {
    activation.backward(a[before], a[features], a.d(features), a.d(before));
    hidden.backward(p, a[context], a.d(before), g, a.d(context));
    attention.backward(p, x, a.d(context), a, g, dx);
  }

  /// See attention_weights.
  template <class Visit>
  void attentions(Visit visit) const {
    visit(AttentionLayer{"attention", input(), input()},
          [this](auto, auto a, Index sequence, Index, auto w) { attention.weights(a, sequence, w); });
  }

  Node graph(Graph& g, const Node& x) const { return activation.graph(g, hidden.graph(g, attention.graph(g, x))); }

 private:
  void finish(ParametersView<const S> p, ActivationsView<S> a) const {
    hidden.forward(p, a[context], a[before]);
    activation.forward(a[before], a[features]);
  }
};

}  // namespace heed
