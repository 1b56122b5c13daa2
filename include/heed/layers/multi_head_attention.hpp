#pragma once
#include "heed/detail/inner_attention.hpp"
#include "heed/layers/dot_product_attention.hpp"
#include "heed/layers/linear.hpp"

namespace heed {

/// Multi-head self-attention (Vaswani et al. 2017, sec. 3.2.2), as torch.nn.MultiheadAttention.
///
///   [Q; K; V] = Win x + bin    y = Wout [head 1; head 2; ...] + bout    head = V softmax(K' Q / sqrt(D / heads) + mask)
///
///   x, y: D x n, along the axis of its scope; the sequences of a batch never see each other
///   Win ("in_proj_weight"): 3 D x D, Xavier uniform    bin ("in_proj_bias"): 3 D, zero    (fewer rows with key_heads)
///   Wout ("out_proj.weight"): D x D, uniform in +-1 / sqrt(D)    bout ("out_proj.bias"): D, zero
///   no bin and bout where Config::bias is false
///
/// Attention is what comes between the projections: DotProductAttention with all that its Config may say, LinearAttention,
/// SelectiveAttention, HardAttention or another type with their functions.
template <class S, int D = Dynamic, class Attention = DotProductAttention<S>>
class MultiHeadAttention {
 public:
  using Config = typename Attention::Config;
  detail::HeadWidths widths;  ///< of queries, keys and values
  Linear<S, D, Dynamic> in_proj;
  Linear<S, Dynamic, D> out_proj;
  Attention attention;
  Columns<> qkv, mixed;
  Index dim;  ///< width

  MultiHeadAttention(Scope at, const Config& c)
      : widths("MultiHeadAttention", c),
        in_proj{at.weight<Dynamic, D>("in_proj_weight", {widths.packed(), c.dim}, xavier_uniform()),
                widths.packed_bias(at)},  // braces: in this order
        out_proj(at / "out_proj", widths.answers, c.dim, {LinearInit::pytorch(widths.answers).weight, zero()},
                 widths.bias),
        attention(at, at.axis(), c),
        qkv(at.columns(widths.packed())),
        mixed(at.columns(widths.answers)),
        dim(c.dim) {}
  MultiHeadAttention(Scope at, Index dim_, Index heads, Mask mask = Full())
      : MultiHeadAttention(at, Config{.dim = dim_, .heads = heads, .mask = mask}) {}

  void forward(ParametersView<const S> p, Read<S, D> x, Write<S, D> y, ActivationsView<S> a) const {
    check(x, "y", y, a);
    in_proj.forward(p, x, a[qkv]);
    detail::inner_forward<S>(attention, p, query(a[qkv]), key(a[qkv]), value(a[qkv]), a[mixed], a);
    out_proj.forward(p, a[mixed], y);
  }

  void backward(ParametersView<const S> p, Read<S, D> x, Read<S, D> dy, ActivationsView<S> a, ParametersView<S> g,
                Gradient<S, D> dx) const {
    check(x, "dy", dy, a);
    detail::expect_gradient("MultiHeadAttention", "dx", dx, dim, x.cols());
    out_proj.backward(p, a[mixed], dy, g, a.d(mixed));
    detail::inner_backward<S>(attention, p, query(a[qkv]), key(a[qkv]), value(a[qkv]), a[mixed], a.d(mixed), a, g,
                              query(a.d(qkv)), key(a.d(qkv)), value(a.d(qkv)));
    in_proj.backward(p, x, a.d(qkv), g, dx);
  }

  /// Forward for the columns that follow what each lane remembers.
  void extend(ParametersView<const S> p, Read<S, D> x, Write<S, D> y, MemoryView<S> m, ActivationsView<S> a) const {
    check(x, "y", y, a);
    in_proj.forward(p, x, a[qkv]);
    detail::inner_extend<S>(attention, p, query(a[qkv]), key(a[qkv]), value(a[qkv]), a[mixed], m, a);
    out_proj.forward(p, a[mixed], y);
  }

  Index heads() const { return detail::inner_heads(attention); }
  /// The attention weights of one sequence and head after a forward, keys x queries.
  void weights(ParametersView<const S> p, ActivationsView<S> a, Index sequence, Index head, Write<S> w) const {
    detail::inner_weights<S>(attention, p, query(a[qkv]), key(a[qkv]), a, sequence, head, w);
  }

  Node graph(Graph& g, const Node& x) const {
    const Node all = in_proj.graph(g, x), q = g.part(all, 0, widths.queries);
    const Node k = g.part(all, widths.queries, widths.keys),
               v = g.part(all, widths.queries + widths.keys, widths.values);
    return out_proj.graph(g, attention.graph(g, q, k, v));
  }

 private:
  template <class Y>
  void check(const Read<S, D>& x, const char* what, const Y& y, ActivationsView<S> a) const {
    detail::expect_shape("MultiHeadAttention", "x", x, dim, a.columns(qkv.axis));
    detail::expect_shape("MultiHeadAttention", what, y, dim, x.cols());
  }
  auto query(auto m) const { return m.topRows(widths.queries); }
  auto key(auto m) const { return m.middleRows(widths.queries, widths.keys); }
  auto value(auto m) const { return m.bottomRows(widths.values); }
};

}  // namespace heed
