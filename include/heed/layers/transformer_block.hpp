#pragma once
#include "heed/layers/feed_forward.hpp"
#include "heed/layers/multi_head_attention.hpp"
#include "heed/layers/residual.hpp"

namespace heed {

/// One transformer block, as torch.nn.TransformerEncoderLayer. In training dropout falls on attention weights, on f and on
/// what is added to the stream.
///
///   pre-norm (Xiong et al. 2020):         h = x + attention(norm1(x))     y = h + W2 f(W1 norm2(h) + b1) + b2
///   post-norm (Vaswani et al. 2017):      h = norm1(x + attention(x))     y = norm2(h + W2 f(W1 h + b1) + b2)
///
///   x, y: D x n, along the axis of its scope    attention: "self_attn"    W1, b1: "linear1"    W2, b2: "linear2"
///   f: any Nonlinearity (PyTorch has ReLU and GELU)
///
/// Attention may be SegmentAttention, too, which learns from episodes in segments.
template <class S, int D = Dynamic, class Attention = MultiHeadAttention<S, D>>
class TransformerBlock {
 public:
  struct Config {
    Index dim = 0, heads = 1;  ///< width, and into how many heads it is cut
    Index inner = 0;           ///< width of the feed-forward part; 0: 4 dim
    Mask mask = Full();        ///< which keys a query sees
    Position position = {};    ///< rotary(), alibi(), relative()
    bool norm_first = true;    ///< whether norms stand before the parts (Xiong et al. 2020) or behind the sums
    Nonlinearity activation = Nonlinearity::relu;  ///< between the two layers of the feed-forward part
    double dropout = 0;                            ///< the share that is dropped in training
  };
  Attention attention;
  FeedForward<S, D> feed_forward;
  LayerNorm<S, D> norm1, norm2;
  Residual<S, D> attended;
  Columns<D> h;
  Residual<S, D> fed;

  TransformerBlock(Scope at, const Config& c)
      : TransformerBlock(
            at, c, {.dim = c.dim, .heads = c.heads, .mask = c.mask, .position = c.position, .dropout = c.dropout}) {}
  /// With all that the attention may be told, in place of what c says of it.
  TransformerBlock(Scope at, const Config& c, const typename Attention::Config& of_attention)
      : attention(at / "self_attn", of_attention),
        feed_forward(at, c.dim, c.inner, c.activation, c.dropout),
        norm1(at / "norm1", c.dim),
        norm2(at / "norm2", c.dim),
        attended(at, norm1, {at / "dropout1", c.dropout}, c.norm_first),
        h(at.columns<D>(c.dim)),
        fed(at, norm2, {at / "dropout2", c.dropout}, c.norm_first) {}

  void forward(ParametersView<const S> p, Read<S, D> x, Write<S, D> y, ActivationsView<S> a) const {
    run(p, x, y, a, [&](Read<S, D> from, Write<S, D> to) { attention.forward(p, from, to, a); });
  }
  /// Forward for the columns that follow what each lane remembers.
  void extend(ParametersView<const S> p, Read<S, D> x, Write<S, D> y, MemoryView<S> m, ActivationsView<S> a) const {
    run(p, x, y, a, [&](Read<S, D> from, Write<S, D> to) { attention.extend(p, from, to, m, a); });
  }

  void backward(ParametersView<const S> p, Read<S, D> x, Read<S, D> dy, ActivationsView<S> a, ParametersView<S> g,
                Gradient<S, D> dx) const {
    check(x, "dy", dy, a);
    detail::expect_gradient("TransformerBlock", "dx", dx, x.rows(), x.cols());
    fed.backward(p, a[h], dy, a, g, a.d(h), [&](Read<S, D> from, Read<S, D> dto, Gradient<S, D> dfrom) {
      feed_forward.backward(p, from, dto, a, g, dfrom);
    });
    attended.backward(p, x, a.d(h), a, g, dx, [&](Read<S, D> from, Read<S, D> dto, Gradient<S, D> dfrom) {
      attention.backward(p, from, dto, a, g, dfrom);
    });
  }

  Node graph(Graph& g, const Node& x) const {
    const Node h_ = attended.graph(g, x, [&](const Node& from) { return attention.graph(g, from); });
    return fed.graph(g, h_, [&](const Node& from) { return feed_forward.graph(g, from); });
  }

 private:
  template <class Y>
  void check(const Read<S, D>& x, const char* what, const Y& y, ActivationsView<S> a) const {
    detail::expect_shape("TransformerBlock", "x", x, h.rows, a.columns(h.axis));
    detail::expect_shape("TransformerBlock", what, y, h.rows, x.cols());
  }
  template <class Attend>
  void run(ParametersView<const S> p, const Read<S, D>& x, Write<S, D> y, ActivationsView<S> a, Attend attend) const {
    check(x, "y", y, a);
    attended.forward(p, x, a[h], a, attend);
    fed.forward(p, a[h], y, a, [&](Read<S, D> from, Write<S, D> to) { feed_forward.forward(p, from, to, a); });
  }
};

}  // namespace heed
