#pragma once
#include "heed/layers/feed_forward.hpp"
#include "heed/layers/gated_residual.hpp"
#include "heed/layers/layer_norm.hpp"
#include "heed/layers/multi_head_attention.hpp"

namespace heed {

/// One block of a gated transformer, GTrXL (Parisotto et al. 2019, sec. 3.2 and fig. 1, right): the norms come first, and
/// gates stand in place of the residuals.
///
///   e = relu(attention(norm1(x)))    h = gate1(x, e)    f = relu(feed_forward(norm2(h)))    y = gate2(h, f)
///
///   x, y: D x n, along the axis of its scope    attention: "self_attn"    feed_forward: "linear1", "linear2"
///
/// Attention may be SegmentAttention, too, which learns from episodes in segments. Dropout falls on attention weights, on the
/// inner part of feed_forward and on e and f.
template <class S, int D = Dynamic, class Attention = MultiHeadAttention<S, D>>
class GatedBlock {
 public:
  struct Config {
    Index dim = 0, heads = 1;                      ///< width, and into how many heads it is cut
    Index inner = 0;                               ///< width of the feed-forward part; 0: 4 dim
    Mask mask = Full();                            ///< which keys a query sees
    Position position = {};                        ///< rotary(), alibi(), relative(): the paper's are relative
    Nonlinearity activation = Nonlinearity::relu;  ///< between the two layers of the feed-forward part
    double gate_bias = 2;                          ///< the larger, the less the branches add at first
    double dropout = 0;                            ///< the share that is dropped in training
  };
  Attention attention;
  FeedForward<S, D> feed_forward;
  LayerNorm<S, D> norm1, norm2;
  GatedResidual<S, D> gate1, gate2;
  Activation<S, D> relu{Nonlinearity::relu};
  Dropout<S, D> dropout1, dropout2;
  Columns<D> normed1, e, h, normed2, f;

  GatedBlock(Scope at, const Config& c)
      : GatedBlock(at, c,
                   {.dim = c.dim, .heads = c.heads, .mask = c.mask, .position = c.position, .dropout = c.dropout}) {}
  /// With all that the attention may be told, in place of what c says of it.
  GatedBlock(Scope at, const Config& c, const typename Attention::Config& of_attention)
      : attention(at / "self_attn", of_attention),
        feed_forward(at, c.dim, c.inner, c.activation, c.dropout),
        norm1(at / "norm1", c.dim),
        norm2(at / "norm2", c.dim),
        gate1(at / "gate1", c.dim, c.gate_bias),
        gate2(at / "gate2", c.dim, c.gate_bias),
        dropout1(at / "dropout1", c.dropout),
        dropout2(at / "dropout2", c.dropout),
        normed1(at.columns<D>(c.dim)),
        e(at.columns<D>(c.dim)),
        h(at.columns<D>(c.dim)),
        normed2(at.columns<D>(c.dim)),
        f(at.columns<D>(c.dim)) {}

  void forward(ParametersView<const S> p, Read<S, D> x, Write<S, D> y, ActivationsView<S> a) const {
    run(p, x, y, a, [&] { attention.forward(p, a[normed1], a[e], a); });
  }
  /// Forward for the columns that follow what each lane remembers.
  void extend(ParametersView<const S> p, Read<S, D> x, Write<S, D> y, MemoryView<S> m, ActivationsView<S> a) const {
    run(p, x, y, a, [&] { attention.extend(p, a[normed1], a[e], m, a); });
  }

  void backward(ParametersView<const S> p, Read<S, D> x, Read<S, D> dy, ActivationsView<S> a, ParametersView<S> g,
                Gradient<S, D> dx) const {
    check(x, "dy", dy, a);
    detail::expect_gradient("GatedBlock", "dx", dx, x.rows(), x.cols());
    gate2.backward(p, a[h], a[f], dy, a, g, a.d(h), a.d(f));
    dropout2.backward(a.d(f), a, a.d(f));
    relu.backward(a[f], a[f], a.d(f), a.d(f));  // what was dropped is zero, and stays so
    feed_forward.backward(p, a[normed2], a.d(f), a, g, a.d(normed2));
    norm2.backward(p, a[h], a.d(normed2), a, g, add_to(a.d(h)));
    gate1.backward(p, x, a[e], a.d(h), a, g, dx, a.d(e));
    dropout1.backward(a.d(e), a, a.d(e));
    relu.backward(a[e], a[e], a.d(e), a.d(e));
    attention.backward(p, a[normed1], a.d(e), a, g, a.d(normed1));
    norm1.backward(p, x, a.d(normed1), a, g, dx.part(0, x.rows(), 0, x.cols()));
  }

  Node graph(Graph& g, const Node& x) const {
    const Node attended = relu.graph(g, attention.graph(g, norm1.graph(g, x))), stream = gate1.graph(g, x, attended);
    return gate2.graph(g, stream, relu.graph(g, feed_forward.graph(g, norm2.graph(g, stream))));
  }

 private:
  template <class Y>
  void check(const Read<S, D>& x, const char* what, const Y& y, ActivationsView<S> a) const {
    detail::expect_shape("GatedBlock", "x", x, h.rows, a.columns(h.axis));
    detail::expect_shape("GatedBlock", what, y, h.rows, x.cols());
  }
  template <class Attend>
  void run(ParametersView<const S> p, const Read<S, D>& x, Write<S, D> y, ActivationsView<S> a, Attend attend) const {
    check(x, "y", y, a);
    norm1.forward(p, x, a[normed1], a);
    attend();
    relu.forward(a[e], a[e]);
    dropout1.forward(a[e], a[e], a);
    gate1.forward(p, x, a[e], a[h], a);
    norm2.forward(p, a[h], a[normed2], a);
    feed_forward.forward(p, a[normed2], a[f], a);
    relu.forward(a[f], a[f]);
    dropout2.forward(a[f], a[f], a);
    gate2.forward(p, a[h], a[f], y, a);
  }
};

}  // namespace heed
