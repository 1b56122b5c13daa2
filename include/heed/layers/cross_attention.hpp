#pragma once
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
template <class S, int D = Dynamic>
class CrossAttention {
 public:
  struct Config {
    Index dim;
    Index heads;
    Index key_dim = 0;    // 0: dim
    Index value_dim = 0;  // 0: dim
    Mask mask = Full();
  };
  Linear<S, D, Dynamic> q_proj;
  Linear<S> k_proj, v_proj;
  Linear<S, D, D> out_proj;
  DotProductAttention<S> attention;
  Columns<> query, mixed;      // along its own axis
  Columns<> key_of, value_of;  // along the source

  CrossAttention(Scope at, Axis source, Config c)
      : CrossAttention{at, source, completed(c), projections(at, completed(c)),  // braces: in this order
                       at.weight<Dynamic>("in_proj_bias", {3 * c.dim}, zero())} {}

  void forward(ParametersView<const S> p, Read<S, D> x, Read<S> key, Read<S> value, Write<S, D> y,
               ActivationsView<S> a) const {
    check(x, key, value, "y", y, a);
    project(p, x, key, value, a);
    attention.forward(a[query], a[key_of], a[value_of], a[mixed], a);
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
    attention.backward(a[query], a[key_of], a[value_of], a[mixed], a.d(mixed), a, a.d(query), a.d(key_of),
                       a.d(value_of));
    q_proj.backward(p, x, a.d(query), g, dx);
    k_proj.backward(p, key, a.d(key_of), g, dkey);
    v_proj.backward(p, value, a.d(value_of), g, dvalue);
  }

  /// Forward for new queries and new source tokens of each lane (none, where the source stays as it is).
  void extend(ParametersView<const S> p, Read<S, D> x, Read<S> key, Read<S> value, Write<S, D> y, MemoryView<S> m,
              ActivationsView<S> a) const {
    check(x, key, value, "y", y, a);
    project(p, x, key, value, a);
    attention.extend(a[query], a[key_of], a[value_of], a[mixed], m, a);
    out_proj.forward(p, a[mixed], y);
  }

  /// The attention weights of one sequence and head after a forward, keys x queries.
  void weights(ActivationsView<S> a, Index sequence, Index head, Write<S> w) const {
    attention.weights(a[query], a[key_of], a, sequence, head, w);
  }

 private:
  struct Projections {
    Weight<> q, k, v;
  };

  CrossAttention(Scope at, Axis source, Config c, Projections w, Weight<Dynamic, 1> b)
      : q_proj({w.q.offset, w.q.rows, w.q.cols}, b.middle_rows(0, c.dim)),
        k_proj(w.k, b.middle_rows(c.dim, c.dim)),
        v_proj(w.v, b.middle_rows(2 * c.dim, c.dim)),
        out_proj(at / "out_proj", c.dim, c.dim, {LinearInit::pytorch(c.dim).weight, zero()}),
        attention(at, source, c.dim, c.dim, c.heads, c.mask),
        query(at.columns(c.dim)),
        mixed(at.columns(c.dim)),
        key_of(at.along(source).columns(c.dim)),
        value_of(at.along(source).columns(c.dim)) {}

  static Config completed(Config c) {
    if (c.heads < 1 || c.dim % c.heads != 0)
      detail::fail("CrossAttention: dim %ld is not a multiple of heads %ld", long(c.dim), long(c.heads));
    if (c.key_dim == 0) c.key_dim = c.dim;
    if (c.value_dim == 0) c.value_dim = c.dim;
    return c;
  }
  static Projections projections(Scope at, const Config& c) {
    if (c.key_dim == c.dim && c.value_dim == c.dim) {
      const auto packed = at.weight<Dynamic, Dynamic>("in_proj_weight", {3 * c.dim, c.dim}, xavier_uniform());
      return {packed.middle_rows(0, c.dim), packed.middle_rows(c.dim, c.dim), packed.middle_rows(2 * c.dim, c.dim)};
    }
    return {at.weight<Dynamic, Dynamic>("q_proj_weight", {c.dim, c.dim}, xavier_uniform()),
            at.weight<Dynamic, Dynamic>("k_proj_weight", {c.dim, c.key_dim}, xavier_uniform()),
            at.weight<Dynamic, Dynamic>("v_proj_weight", {c.dim, c.value_dim}, xavier_uniform())};
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
