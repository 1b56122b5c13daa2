#pragma once
#include "heed/core/attention_weights.hpp"
#include "heed/core/graph.hpp"
#include "heed/layers/cross_attention.hpp"
#include "heed/layers/feed_forward.hpp"
#include "heed/layers/multi_head_attention.hpp"
#include "heed/layers/residual.hpp"

namespace heed {

/// One block of a decoder, as torch.nn.TransformerDecoderLayer: each token attends to those of its own axis, then to those
/// of a source. In training dropout falls on attention weights, on f and on what is added to the stream.
///
///   pre-norm (Xiong et al. 2020):       h1 = x + attention(norm1(x))
///                                       h2 = h1 + cross_attention(norm2(h1), source)
///                                       y = h2 + W2 f(W1 norm3(h2) + b1) + b2
///   post-norm (Vaswani et al. 2017):    h1 = norm1(x + attention(x))
///                                       h2 = norm2(h1 + cross_attention(h1, source))
///                                       y = norm3(h2 + W2 f(W1 h2 + b1) + b2)
///
///   x, y: D x n, along the axis of its scope    source: source_dim x s, along `source`
///   attention: "self_attn"    cross_attention: "multihead_attn"    W1, b1: "linear1"    W2, b2: "linear2"
template <class S, int D = Dynamic>
class TransformerDecoderBlock {
 public:
  struct Config {
    Index dim = 0, heads = 1;   ///< width, and into how many heads it is cut
    Index inner = 0;            ///< width of the feed-forward part; 0: 4 dim
    Index source_dim = 0;       ///< 0: dim
    Mask mask = Causal();       ///< which keys a query sees
    Mask source_mask = Full();  ///< what it sees of the source
    Position position = {};     ///< of the tokens among themselves: rotary(), alibi(), relative()
    bool norm_first = true;     ///< whether norms stand before the parts (Xiong et al. 2020) or behind the sums
    Nonlinearity activation = Nonlinearity::relu;  ///< between the two layers of the feed-forward part
    double dropout = 0;                            ///< the share that is dropped in training
  };
  MultiHeadAttention<S, D> attention;
  CrossAttention<S, D> cross_attention;
  FeedForward<S, D> feed_forward;
  LayerNorm<S, D> norm1, norm2, norm3;
  Residual<S, D> attended;
  Columns<D> h1;
  Residual<S, D> informed;
  Columns<D> h2;
  Residual<S, D> fed;

  TransformerDecoderBlock(Scope at, Axis source, Config c)
      : attention(at / "self_attn",
                  {.dim = c.dim, .heads = c.heads, .mask = c.mask, .position = c.position, .dropout = c.dropout}),
        cross_attention(at / "multihead_attn", source,
                        {.dim = c.dim, .heads = c.heads, .mask = c.source_mask, .dropout = c.dropout}, c.source_dim,
                        c.source_dim),
        feed_forward(at, c.dim, c.inner, c.activation, c.dropout),
        norm1(at / "norm1", c.dim),
        norm2(at / "norm2", c.dim),
        norm3(at / "norm3", c.dim),
        attended(at, norm1, {at / "dropout1", c.dropout}, c.norm_first),
        h1(at.columns<D>(c.dim)),
        informed(at, norm2, {at / "dropout2", c.dropout}, c.norm_first),
        h2(at.columns<D>(c.dim)),
        fed(at, norm3, {at / "dropout3", c.dropout}, c.norm_first) {}

  Index source_dim() const { return cross_attention.k_proj.in(); }

  void forward(ParametersView<const S> p, Read<S, D> x, Read<S> source, Write<S, D> y, ActivationsView<S> a) const {
    run(
        p, x, source, y, a, [&](Read<S, D> from, Write<S, D> to) { attention.forward(p, from, to, a); },
        [&](Read<S, D> from, Write<S, D> to) { cross_attention.forward(p, from, source, source, to, a); });
  }
  /// Forward for the columns that follow what each lane remembers, of the source, too: none, where it stays as it is.
  void extend(ParametersView<const S> p, Read<S, D> x, Read<S> source, Write<S, D> y, MemoryView<S> m,
              ActivationsView<S> a) const {
    run(
        p, x, source, y, a, [&](Read<S, D> from, Write<S, D> to) { attention.extend(p, from, to, m, a); },
        [&](Read<S, D> from, Write<S, D> to) { cross_attention.extend(p, from, source, source, to, m, a); });
  }

  void backward(ParametersView<const S> p, Read<S, D> x, Read<S> source, Read<S, D> dy, ActivationsView<S> a,
                ParametersView<S> g, Gradient<S, D> dx, Gradient<S> dsource) const {
    check(x, source, "dy", dy, a);
    detail::expect_gradient("TransformerDecoderBlock", "dx", dx, x.rows(), x.cols());
    detail::expect_gradient("TransformerDecoderBlock", "dsource", dsource, source.rows(), source.cols());
    fed.backward(p, a[h2], dy, a, g, a.d(h2), [&](Read<S, D> from, Read<S, D> dto, Gradient<S, D> dfrom) {
      feed_forward.backward(p, from, dto, a, g, dfrom);
    });
    dsource.start();
    informed.backward(p, a[h1], a.d(h2), a, g, a.d(h1), [&](Read<S, D> from, Read<S, D> dto, Gradient<S, D> dfrom) {
      const Gradient<S> each = dsource.part(0, source.rows(), 0, source.cols());  // as keys, and as values
      cross_attention.backward(p, from, source, source, dto, a, g, dfrom, each, each);
    });
    attended.backward(p, x, a.d(h1), a, g, dx, [&](Read<S, D> from, Read<S, D> dto, Gradient<S, D> dfrom) {
      attention.backward(p, from, dto, a, g, dfrom);
    });
  }

  /// Of a network with it: see attention_weights. First its own tokens, then the source.
  template <class Visit>
  void attentions(const std::string& name, Visit& visit) const {
    detail::visit_heads(name + ".self_attn", h1.axis, h1.axis, true, attention, visit);
    detail::visit_heads(name + ".multihead_attn", cross_attention.key_of.axis, h1.axis, false, cross_attention, visit);
  }

  template <class... Nodes>
  Node graph(Graph& g, const Nodes&...) const {
    return g.unsupported("TransformerDecoderBlock");
  }

 private:
  template <class Y>
  void check(const Read<S, D>& x, const Read<S>& source, const char* what, const Y& y, ActivationsView<S> a) const {
    const detail::SequencePairs all("TransformerDecoderBlock", a.sequences(h1.axis),
                                    a.sequences(cross_attention.key_of.axis));
    detail::expect_shape("TransformerDecoderBlock", "x", x, h1.rows, all.queries());
    detail::expect_shape("TransformerDecoderBlock", "source", source, source_dim(), all.keys());
    detail::expect_shape("TransformerDecoderBlock", what, y, h1.rows, x.cols());
  }
  template <class Attend, class Inform>
  void run(ParametersView<const S> p, const Read<S, D>& x, const Read<S>& source, Write<S, D> y, ActivationsView<S> a,
           Attend attend, Inform inform) const {
    check(x, source, "y", y, a);
    attended.forward(p, x, a[h1], a, attend);
    informed.forward(p, a[h1], a[h2], a, inform);
    fed.forward(p, a[h2], y, a, [&](Read<S, D> from, Write<S, D> to) { feed_forward.forward(p, from, to, a); });
  }
};

}  // namespace heed
