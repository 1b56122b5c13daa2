#pragma once
#include "heed/core/attention_weights.hpp"
#include "heed/layers/learned_grid_encoding.hpp"
#include "heed/layers/patch_embedding.hpp"
#include "heed/layers/pooling_by_attention.hpp"
#include "heed/layers/transformer_encoder.hpp"

namespace heed {

/// Attention among the patches of an image, each time step alone (Dosovitskiy et al. 2021, sec. 3.1): it remembers
/// nothing.
///
///   e_i = patch embedding + R[row of i] + C[column of i]    h = norm(layers(e)), each patch seeing all of its image
///   features = PMA_1(h)
///
///   x: (channels H W) x time steps, an image a column: channel by channel, row by row, as PyTorch's
///   e, h: width x patches    features: width x time steps    PMA_1 ("pool"): see PoolingByAttention
///   patch embedding ("embedding"): see PatchEmbedding    R, C ("position"): see LearnedGridEncoding
template <class S>
class PatchBody {
 public:
  using Scalar = S;
  Axis time;
  Columns<> pixels;  ///< channels x pixels
  PatchEmbedding<S> embedding;
  LearnedGridEncoding<S> position;
  TransformerEncoder<S> encoder;
  PoolingByAttention<S> pool;
  Columns<> embedded, encoded;  ///< along the patches
  Columns<> features;           ///< along time

  /// Config: channels, image, patch, width, heads, layers, inner (0: 4 width).
  template <class Config>
  PatchBody(Scope at, const Config& c) : PatchBody(at, at.along(at.child_axis()), c) {}

  Index observation() const { return pixels.rows * cells(); }
  Axis input() const { return time; }

  void forward(ParametersView<const S> p, Read<S> x, ActivationsView<S> a) const {
    detail::expect_shape("PatchBody", "x", x, observation(), a.columns(time));
    a.begin(pixels.axis, x.cols(), [this](Index) { return cells(); });
    embedding.begin(a);
    for (Index t = 0; t < x.cols(); ++t) of_image(a[pixels], t) = channels(x.col(t).data()).transpose();
    embedding.forward(p, a[pixels], a[embedded], a);
    position.forward(p, a[embedded], a[embedded], a);
    encoder.forward(p, a[embedded], a[encoded], a);
    pool.forward(p, a[encoded], a[features], a);
  }
  void extend(ParametersView<const S> p, Read<S> x, MemoryView<S> m, ActivationsView<S> a) const {
    m.begin(time, a.sequences(time));
    forward(p, x, a);
  }

  /// From a.d(features).
  void backward(ParametersView<const S> p, Read<S> x, ActivationsView<S> a, ParametersView<S> g, Gradient<S> dx) const {
    detail::expect_shape("PatchBody", "x", x, observation(), a.columns(time));
    detail::expect_gradient("PatchBody", "dx", dx, x.rows(), x.cols());
    pool.backward(p, a[encoded], a.d(features), a, g, a.d(encoded));
    encoder.backward(p, a[embedded], a.d(encoded), a, g, a.d(embedded));
    position.backward(p, a[embedded], a.d(embedded), a, g, no_gradient);
    if (!dx.wanted()) return embedding.backward(p, a[pixels], a.d(embedded), a, g, no_gradient);
    embedding.backward(p, a[pixels], a.d(embedded), a, g, a.d(pixels));
    dx.start();
    for (Index t = 0; t < x.cols(); ++t) channels(dx.col(t).data()) += of_image(a.d(pixels), t).transpose();
  }

  /// See attention_weights: among the patches of a step, then the pooling.
  template <class Visit>
  void attentions(Visit visit) const {
    detail::visit_blocks("layers.", encoder, visit);
    pool.attentions("pool", visit);
  }

  Node graph(Graph& g, const Node& x) const {
    const Node by_channel = g.reshape(x, {0, 0, pixels.rows, cells()});
    const Node e = position.graph(g, embedding.graph(g, g.transposed(by_channel, pixels.rows)));
    return pool.graph(g, encoder.graph(g, e));
  }

 private:
  template <class Config>
  PatchBody(Scope at, Scope of_pixels, const Config& c)
      : time(at.axis()),
        pixels(of_pixels.columns(c.channels)),
        embedding(of_pixels / "embedding", {.in = c.channels, .dim = c.width, .image = c.image, .patch = c.patch}),
        position(of_patches(at) / "position", embedding.grid(), c.width, normal(0.5)),
        encoder(of_patches(at),
                {.layers = c.layers,
                 .block = {.dim = c.width, .heads = c.heads, .inner = c.inner, .activation = Nonlinearity::gelu_tanh},
                 .norm = true}),
        pool(of_patches(at) / "pool", {.dim = c.width, .heads = c.heads}),
        embedded(of_patches(at).columns(c.width)),
        encoded(of_patches(at).columns(c.width)),
        features(at.columns(c.width)) {}

  Scope of_patches(Scope at) const { return at.along(embedding.tokens()); }
  Index cells() const { return embedding.proj.config.image.cells(); }
  /// An image as it lies in x: pixels x channels.
  template <class Number>
  auto channels(Number* image) const {
    using M = std::conditional_t<std::is_const_v<Number>, const Tokens<S>, Tokens<S>>;
    return Eigen::Map<M>(image, cells(), pixels.rows);
  }
  /// Of image t: channels x pixels.
  template <class M>
  auto of_image(M&& all, Index t) const {
    return all.middleCols(t * cells(), cells());
  }
};

}  // namespace heed
