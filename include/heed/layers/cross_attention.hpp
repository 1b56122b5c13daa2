#pragma once
#include "heed/detail/inner_attention.hpp"
#include "heed/layers/dot_product_attention.hpp"
#include "heed/layers/linear.hpp"

namespace heed {

/// Multi-head cross-attention (Vaswani et al. 2017, sec. 3.2.2), as torch.nn.MultiheadAttention with kdim and vdim: the
/// tokens of one axis ask those of another.
///
///   Q = Wq x + bq    K = Wk key + bk    V = Wv value + bv    y = Wout [head 1; head 2; ...] + bout
///
///   x, y: D x n, along the axis of its scope    key: kdim x s, value: vdim x s, along `source` (often the same tokens)
///   Wq, Wk, Wv: packed as "in_proj_weight" where kdim = vdim = D, else "q_proj_weight", "k_proj_weight",
///   "v_proj_weight"; Xavier uniform    bq, bk, bv: packed as "in_proj_bias", zero    Wout, bout: "out_proj"
///   no biases where Config::bias is false
template <class S, int D = Dynamic, class Attention = DotProductAttention<S>>
class CrossAttention {
 public:
  using Config = typename Attention::Config;
  detail::HeadWidths widths;  ///< of queries, keys and values
  Linear<S, D, Dynamic> q_proj;
  Linear<S> k_proj, v_proj;
  Linear<S, Dynamic, D> out_proj;
  Attention attention;
  Columns<> query, mixed;      ///< along its own axis
  Columns<> key_of, value_of;  ///< along the source

  /// kdim, vdim: features of key and value; 0: dim.
  CrossAttention(Scope at, Axis source, const Config& c, Index kdim = 0, Index vdim = 0)
      : CrossAttention{at,
                       source,
                       c,
                       detail::HeadWidths("CrossAttention", c),
                       kdim == 0 ? c.dim : kdim,
                       vdim == 0 ? c.dim : vdim} {}

  void forward(ParametersView<const S> p, Read<S, D> x, Read<S> key, Read<S> value, Write<S, D> y,
               ActivationsView<S> a) const {
    check(x, key, value, "y", y, a);
    project(p, x, key, value, a);
    detail::inner_forward<S>(attention, p, a[query], a[key_of], a[value_of], a[mixed], a);
    out_proj.forward(p, a[mixed], y);
  }

  /// dvalue is written after dkey, so with `add_to` both may be the gradient of one source.
  void backward(ParametersView<const S> p, Read<S, D> x, Read<S> key, Read<S> value, Read<S, D> dy,
                ActivationsView<S> a, ParametersView<S> g, Gradient<S, D> dx, Gradient<S> dkey,
                Gradient<S> dvalue) const {
    check(x, key, value, "dy", dy, a);
    detail::expect_gradient("CrossAttention", "dx", dx, q_proj.in(), x.cols());
    detail::expect_gradient("CrossAttention", "dkey", dkey, k_proj.in(), key.cols());
    detail::expect_gradient("CrossAttention", "dvalue", dvalue, v_proj.in(), value.cols());
    out_proj.backward(p, a[mixed], dy, g, a.d(mixed));
    detail::inner_backward<S>(attention, p, a[query], a[key_of], a[value_of], a[mixed], a.d(mixed), a, g, a.d(query),
                              a.d(key_of), a.d(value_of));
    q_proj.backward(p, x, a.d(query), g, dx);
    k_proj.backward(p, key, a.d(key_of), g, dkey);
    v_proj.backward(p, value, a.d(value_of), g, dvalue);
  }

  /// Forward for new queries and new source tokens of each lane (none, where the source stays as it is).
  void extend(ParametersView<const S> p, Read<S, D> x, Read<S> key, Read<S> value, Write<S, D> y, MemoryView<S> m,
              ActivationsView<S> a) const {
    check(x, key, value, "y", y, a);
    project(p, x, key, value, a);
    detail::inner_extend<S>(attention, p, a[query], a[key_of], a[value_of], a[mixed], m, a);
    out_proj.forward(p, a[mixed], y);
  }

  Index heads() const { return detail::inner_heads(attention); }
  /// The attention weights of one sequence and head after a forward, keys x queries.
  void weights(ParametersView<const S> p, ActivationsView<S> a, Index sequence, Index head, Write<S> w) const {
    detail::inner_weights<S>(attention, p, a[query], a[key_of], a, sequence, head, w);
  }

  Node graph(Graph& g, const Node& x, const Node& key, const Node& value) const {
    const Node q = q_proj.graph(g, x), k = k_proj.graph(g, key), v = v_proj.graph(g, value);
    return out_proj.graph(g, attention.graph(g, q, k, v));
  }

 private:
  struct Projections {
    Weight<> q, k, v;
  };

  CrossAttention(Scope at, Axis source, const Config& c, detail::HeadWidths w, Index kdim, Index vdim)
      : CrossAttention{at,
                       source,
                       c,
                       w,
                       projections(at, w, c.dim, kdim, vdim),  // braces: in this order
                       w.packed_bias(at)} {}
  CrossAttention(Scope at, Axis source, const Config& c, detail::HeadWidths w, Projections in, Weight<Dynamic, 1> b)
      : widths(w),
        q_proj({in.q.offset, in.q.rows, in.q.cols}, b.middle_rows(0, w.queries)),
        k_proj(in.k, b.middle_rows(w.queries, w.keys)),
        v_proj(in.v, b.middle_rows(w.queries + w.keys, w.values)),
        out_proj(at / "out_proj", w.answers, c.dim, {LinearInit::pytorch(w.answers).weight, zero()}, w.bias),
        attention(at, source, c),
        query(at.columns(w.queries)),
        mixed(at.columns(w.answers)),
        key_of(at.along(source).columns(w.keys)),
        value_of(at.along(source).columns(w.values)) {}

  static Projections projections(Scope at, const detail::HeadWidths& w, Index dim, Index kdim, Index vdim) {
    if (kdim == dim && vdim == dim) {
      const auto packed = at.weight<Dynamic, Dynamic>("in_proj_weight", {w.packed(), dim}, xavier_uniform());
      return {packed.middle_rows(0, w.queries), packed.middle_rows(w.queries, w.keys),
              packed.middle_rows(w.queries + w.keys, w.values)};
    }
    return {at.weight<Dynamic, Dynamic>("q_proj_weight", {w.queries, dim}, xavier_uniform()),
            at.weight<Dynamic, Dynamic>("k_proj_weight", {w.keys, kdim}, xavier_uniform()),
            at.weight<Dynamic, Dynamic>("v_proj_weight", {w.values, vdim}, xavier_uniform())};
  }
  template <class Y>
  void check(const Read<S, D>& x, const Read<S>& key, const Read<S>& value, const char* what, const Y& y,
             ActivationsView<S> a) const {
    const detail::SequencePairs all("CrossAttention", a.sequences(query.axis), a.sequences(key_of.axis));
    detail::expect_shape("CrossAttention", "x", x, q_proj.in(), all.queries());
    detail::expect_shape("CrossAttention", "key", key, k_proj.in(), all.keys());
    detail::expect_shape("CrossAttention", "value", value, v_proj.in(), all.keys());
    detail::expect_shape("CrossAttention", what, y, q_proj.in(), all.queries());
  }
  void project(ParametersView<const S> p, const Read<S, D>& x, const Read<S>& key, const Read<S>& value,
               ActivationsView<S> a) const {
    q_proj.forward(p, x, a[query]);
    k_proj.forward(p, key, a[key_of]);
    v_proj.forward(p, value, a[value_of]);
  }
};

}  // namespace heed
