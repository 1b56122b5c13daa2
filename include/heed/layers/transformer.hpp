#pragma once
#include "heed/core/graph.hpp"
#include "heed/layers/transformer_decoder.hpp"
#include "heed/layers/transformer_encoder.hpp"

namespace heed {

/// Encoder and decoder (Vaswani et al. 2017, fig. 1, without embeddings and output), as torch.nn.Transformer.
///
///   encoded = encoder(source)    y = decoder(target, encoded)
///
///   target, y: D x n, along the axis of its scope    source, encoded: D x s, along `source`
///   encoder: "encoder", decoder: "decoder", each with a norm at its end; they start as their layers do (PyTorch draws
///   all matrices of this one anew, Xavier uniform)
template <class S>
class Transformer {
 public:
  struct Config {
    Index dim = 0, heads = 1;                      ///< width, and into how many heads it is cut
    Index encoder_layers = 6, decoder_layers = 6;  ///< blocks of each
    Index inner = 0;                               ///< width of the feed-forward parts; 0: 4 dim
    bool norm_first = true;  ///< whether norms stand before the parts (Xiong et al. 2020) or behind the sums
    Nonlinearity activation = Nonlinearity::relu;  ///< between the two layers of the feed-forward part
    double dropout = 0;                            ///< the share that is dropped in training
    Mask source_mask = Full();                     ///< what the source sees of itself
    Mask target_mask = Causal();                   ///< what the target sees of itself
    Mask memory_mask = Full();                     ///< what the target sees of the encoded source
  };
  TransformerEncoder<S> encoder;
  TransformerDecoder<S> decoder;
  Columns<> encoded;

  Transformer(Scope at, Axis source, const Config& c)
      : encoder(at.along(source) / "encoder", {.layers = c.encoder_layers,
                                               .block = {.dim = c.dim,
                                                         .heads = c.heads,
                                                         .inner = c.inner,
                                                         .mask = c.source_mask,
                                                         .norm_first = c.norm_first,
                                                         .activation = c.activation,
                                                         .dropout = c.dropout},
                                               .norm = true}),
        decoder(at / "decoder", source,
                {.layers = c.decoder_layers,
                 .block = {.dim = c.dim,
                           .heads = c.heads,
                           .inner = c.inner,
                           .mask = c.target_mask,
                           .source_mask = c.memory_mask,
                           .norm_first = c.norm_first,
                           .activation = c.activation,
                           .dropout = c.dropout},
                 .norm = true}),
        encoded(at.along(source).columns(c.dim)) {}

  void forward(ParametersView<const S> p, Read<S> source, Read<S> target, Write<S> y, ActivationsView<S> a) const {
    check(source, target, "y", y, a);
    encoder.forward(p, source, a[encoded], a);
    decoder.forward(p, target, a[encoded], y, a);
  }

  /// Forward for the columns that follow what each lane remembers: the source once (with or before the first of the
  /// target), then none of it while the target goes on. A source that comes in pieces sees itself only as far as it has
  /// come, so for that its mask should be causal.
  void extend(ParametersView<const S> p, Read<S> source, Read<S> target, Write<S> y, MemoryView<S> m,
              ActivationsView<S> a) const {
    check(source, target, "y", y, a);
    encoder.extend(p, source, a[encoded], m, a);
    decoder.extend(p, target, a[encoded], y, m, a);
  }

  void backward(ParametersView<const S> p, Read<S> source, Read<S> target, Read<S> dy, ActivationsView<S> a,
                ParametersView<S> g, Gradient<S> dsource, Gradient<S> dtarget) const {
    check(source, target, "dy", dy, a);
    detail::expect_gradient("Transformer", "dsource", dsource, source.rows(), source.cols());
    detail::expect_gradient("Transformer", "dtarget", dtarget, target.rows(), target.cols());
    decoder.backward(p, target, a[encoded], dy, a, g, dtarget, a.d(encoded));
    encoder.backward(p, source, a.d(encoded), a, g, dsource);
  }

  template <class... Nodes>
  Node graph(Graph& g, const Nodes&...) const {
    return g.unsupported("Transformer");
  }

 private:
  template <class Y>
  void check(const Read<S>& source, const Read<S>& target, const char* what, const Y& y, ActivationsView<S> a) const {
    const detail::SequencePairs all("Transformer", a.sequences(decoder.stack.axis), a.sequences(encoder.axis));
    detail::expect_shape("Transformer", "source", source, encoder.dim, all.keys());
    detail::expect_shape("Transformer", "target", target, encoder.dim, all.queries());
    detail::expect_shape("Transformer", what, y, encoder.dim, target.cols());
  }
};

}  // namespace heed
