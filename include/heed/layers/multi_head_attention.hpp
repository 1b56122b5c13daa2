#pragma once
#include "heed/layers/dot_product_attention.hpp"
#include "heed/layers/linear.hpp"

namespace heed {

/// Multi-head self-attention (Vaswani et al. 2017, sec. 3.2.2), as torch.nn.MultiheadAttention.
///
///   [Q; K; V] = Win x + bin    y = Wout [head 1; head 2; ...] + bout    head = V softmax(K' Q / sqrt(D / heads) + mask)
///
///   x, y: D x n, along the axis of its scope; the sequences of a batch never see each other
///   Win ("in_proj_weight"): 3 D x D, Xavier uniform    bin ("in_proj_bias"): 3 D, zero
///   Wout ("out_proj.weight"): D x D, uniform in +-1 / sqrt(D)    bout ("out_proj.bias"): D, zero
template <class S, int D = Dynamic>
class MultiHeadAttention {
 public:
  static constexpr int D3 = D == Dynamic ? Dynamic : 3 * D;
  Linear<S, D, D3> in_proj;
  Linear<S, D, D> out_proj;
  DotProductAttention<S> attention;
  Columns<D3> qkv;
  Columns<D> mixed;
  Index dim;

  MultiHeadAttention(Scope at, Index dim_, Index heads, Mask mask = Full())
      : in_proj{at.weight<D3, D>("in_proj_weight", {3 * dim_, dim_}, xavier_uniform()),
                at.weight<D3>("in_proj_bias", {3 * dim_}, zero())},  // braces: in this order
        out_proj(at / "out_proj", dim_, dim_, {LinearInit::pytorch(dim_).weight, zero()}),
        attention(at, at.axis(), dim_, dim_, checked(dim_, heads), mask),
        qkv(at.columns<D3>(3 * dim_)),
        mixed(at.columns<D>(dim_)),
        dim(dim_) {}

  void forward(ParametersView<const S> p, Read<S, D> x, Write<S, D> y, ActivationsView<S> a) const {
    check(x, "y", y, a);
    in_proj.forward(p, x, a[qkv]);
    attention.forward(part(a[qkv], 0), part(a[qkv], 1), part(a[qkv], 2), a[mixed], a);
    out_proj.forward(p, a[mixed], y);
  }

  void backward(ParametersView<const S> p, Read<S, D> x, Read<S, D> dy, ActivationsView<S> a, ParametersView<S> g,
                Gradient<S, D> dx) const {
    check(x, "dy", dy, a);
    detail::expect_gradient("MultiHeadAttention", "dx", dx, dim, x.cols());
    out_proj.backward(p, a[mixed], dy, g, a.d(mixed));
    attention.backward(part(a[qkv], 0), part(a[qkv], 1), part(a[qkv], 2), a[mixed], a.d(mixed), a, part(a.d(qkv), 0),
                       part(a.d(qkv), 1), part(a.d(qkv), 2));
    in_proj.backward(p, x, a.d(qkv), g, dx);
  }

  /// Forward for the columns that follow what each lane remembers.
  void extend(ParametersView<const S> p, Read<S, D> x, Write<S, D> y, MemoryView<S> m, ActivationsView<S> a) const {
    check(x, "y", y, a);
    in_proj.forward(p, x, a[qkv]);
    attention.extend(part(a[qkv], 0), part(a[qkv], 1), part(a[qkv], 2), a[mixed], m, a);
    out_proj.forward(p, a[mixed], y);
  }

  /// The attention weights of one sequence and head after a forward, keys x queries.
  void weights(ActivationsView<S> a, Index sequence, Index head, Write<S> w) const {
    attention.weights(part(a[qkv], 0), part(a[qkv], 1), a, sequence, head, w);
  }

 private:
  template <class Y>
  void check(const Read<S, D>& x, const char* what, const Y& y, ActivationsView<S> a) const {
    detail::expect_shape("MultiHeadAttention", "x", x, dim, a.columns(qkv.axis));
    detail::expect_shape("MultiHeadAttention", what, y, dim, x.cols());
  }
  template <class M>
  auto part(M&& m, Index which) const {
    return m.middleRows(which * dim, dim);
  }
  static Index checked(Index dim, Index heads) {
    if (heads < 1 || dim % heads != 0)
      detail::fail("MultiHeadAttention: dim %ld is not a multiple of heads %ld", long(dim), long(heads));
    return heads;
  }
};

}  // namespace heed
