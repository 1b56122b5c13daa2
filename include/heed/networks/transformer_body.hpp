#pragma once
#include <optional>

#include "heed/core/attention_weights.hpp"
#include "heed/layers/positional_encoding.hpp"
#include "heed/layers/transformer_encoder.hpp"

namespace heed {

/// A causal transformer over time: one token a time step, pre-norm blocks.
///
///   h0 = We x + be + PE(t)    h_i = block_i(h_(i-1))    features: norm(h_n)
///
///   x: observation x time steps    h, features: width x time steps    PE: sinusoidal, or left out; attention may have
///   positions of its own
///
/// A step sees all steps of its episode so far or, with a window, the last so many; acting remembers keys and values.
/// Where it has a window and knows differences of positions alone, it depends on so many steps, layers x (window - 1).
template <class S, int Most = Dynamic>
class TransformerBody {
 public:
  using Scalar = S;
  Axis time;
  Linear<S> embedding;
  std::optional<SinusoidalPositionalEncoding<S>> position;
  Stack<S, TransformerBlock<S>, Most> encoder;
  Columns<> embedded, features;

  /// Config: observation, width, heads, layers, inner (0: 4 width), window (0: no limit), sinusoidal, position.
  template <class Config>
  TransformerBody(Scope at, const Config& c)
      : time(at.axis()),
        embedding(at / "embedding", c.observation, c.width, LinearInit::orthogonal(std::sqrt(double(c.width)))),
        encoder(at, {.layers = checked(c.layers),
                     .block = {.dim = c.width,
                               .heads = c.heads,
                               .inner = c.inner,
                               .mask = c.window == 0 ? Mask(Causal()) : Mask(Window(c.window)),
                               .position = c.position,
                               .activation = Nonlinearity::gelu_tanh},
                     .norm = true}),
        embedded(at.columns(c.width)),
        features(at.columns(c.width)),
        past_(c.sinusoidal || c.window == 0 ? unlimited : c.layers * (c.window - 1)) {
    if (c.sinusoidal) position.emplace(at);
  }

  /// How many steps before it a step may depend on.
  Index past() const { return past_; }
  Index observation() const { return embedding.in(); }
  Axis input() const { return time; }

  void forward(ParametersView<const S> p, Read<S> x, ActivationsView<S> a) const {
    embedding.forward(p, x, a[embedded]);
    if (position) position->forward(a[embedded], a[embedded], a);
    encoder.forward(p, a[embedded], a[features], a);
  }
  void extend(ParametersView<const S> p, Read<S> x, MemoryView<S> m, ActivationsView<S> a) const {
    embedding.forward(p, x, a[embedded]);
    if (position) position->extend(a[embedded], a[embedded], m, a);
    encoder.extend(p, a[embedded], a[features], m, a);
  }

  void backward(ParametersView<const S> p, Read<S> x, ActivationsView<S> a, ParametersView<S> g, Gradient<S> dx) const {
    encoder.backward(p, a[embedded], a.d(features), a, g, a.d(embedded));
    embedding.backward(p, x, a.d(embedded), g, dx);
  }

  /// See attention_weights.
  template <class Visit>
  void attentions(Visit visit) const {
    detail::visit_blocks("layers.", encoder, visit);
  }

  Node graph(Graph& g, const Node& x) const {
    const Node e = embedding.graph(g, x);
    return encoder.graph(g, position ? position->graph(g, e) : e);
  }

 private:
  static Index checked(Index layers) {
    if (layers < 1) detail::fail("TransformerPolicy: %ld layers, but at least 1 is needed", long(layers));
    return layers;
  }

  Index past_;
};

}  // namespace heed
