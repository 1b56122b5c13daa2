#pragma once
#include <vector>

#include "heed/layers/positional_encoding.hpp"
#include "heed/layers/transformer_block.hpp"

namespace heed {

/// A causal transformer over time: one token a time step, pre-norm blocks.
///
///   h0 = We x + be + PE(t)    h_i = block_i(h_(i-1))    features: norm(h_n)
///
///   x: observation x time steps    h, features: width x time steps
///
/// A step sees all steps of its episode so far or, with a window, the last so many; acting remembers keys and values.
template <class S>
class TransformerBody {
 public:
  using Scalar = S;
  Axis time;
  Linear<S> embedding;
  SinusoidalPositionalEncoding<S> position;
  std::vector<TransformerBlock<S>> blocks;
  LayerNorm<S> norm;
  std::vector<Columns<>> stream;  // what goes into block i, and at the end what comes out of the last
  Columns<> features;

  /// Config: observation, width, heads, layers, inner (0: 4 width), window (0: no limit).
  template <class Config>
  TransformerBody(Scope at, const Config& c)
      : time(at.axis()),
        embedding(at / "embedding", c.observation, c.width, LinearInit::orthogonal(std::sqrt(double(c.width)))),
        position(at),
        norm(at / "norm", c.width),
        features(at.columns(c.width)) {
    if (c.layers < 1) detail::fail("TransformerPolicy: %ld layers, but at least 1 is needed", long(c.layers));
    const Mask mask = c.window == 0 ? Mask(Causal()) : Mask(Window(c.window));
    stream.push_back(at.columns(c.width));
    for (Index i = 0; i < c.layers; ++i) {
      blocks.emplace_back(
          at / "layers" / i,
          typename TransformerBlock<S>::Config{
              .dim = c.width, .heads = c.heads, .inner = c.inner, .mask = mask, .activation = Nonlinearity::gelu_tanh});
      stream.push_back(at.columns(c.width));
    }
  }

  Index observation() const { return embedding.in(); }
  Axis input() const { return time; }

  void forward(ParametersView<const S> p, Read<S> x, ActivationsView<S> a) const {
    embedding.forward(p, x, a[stream[0]]);
    position.forward(a[stream[0]], a[stream[0]], a);
    for (std::size_t i = 0; i < blocks.size(); ++i) blocks[i].forward(p, a[stream[i]], a[stream[i + 1]], a);
    norm.forward(p, a[stream.back()], a[features], a);
  }
  void extend(ParametersView<const S> p, Read<S> x, MemoryView<S> m, ActivationsView<S> a) const {
    embedding.forward(p, x, a[stream[0]]);
    position.extend(a[stream[0]], a[stream[0]], m, a);
    for (std::size_t i = 0; i < blocks.size(); ++i) blocks[i].extend(p, a[stream[i]], a[stream[i + 1]], m, a);
    norm.forward(p, a[stream.back()], a[features], a);
  }

  void backward(ParametersView<const S> p, Read<S> x, ActivationsView<S> a, ParametersView<S> g, Gradient<S> dx) const {
    norm.backward(p, a[stream.back()], a.d(features), a, g, a.d(stream.back()));
    for (std::size_t i = blocks.size(); i-- > 0;)
      blocks[i].backward(p, a[stream[i]], a.d(stream[i + 1]), a, g, a.d(stream[i]));
    embedding.backward(p, x, a.d(stream[0]), g, dx);
  }
};

}  // namespace heed
