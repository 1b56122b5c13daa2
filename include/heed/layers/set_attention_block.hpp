#pragma once
#include "heed/layers/activation.hpp"
#include "heed/layers/cross_attention.hpp"
#include "heed/layers/layer_norm.hpp"

namespace heed {

/// The multi-head attention block of the set transformer (Lee et al. 2019, eq. 6-7): queries ask a set.
///
///   MAB(X, Y) = LayerNorm(H + rFF(H))    H = LayerNorm(X + Multihead(X, Y, Y))    rFF(h) = max(W h + b, 0)
///
///   x, y: D x n, along the axis of its scope    source: the Y of the formula, along the axis `source`
///   Multihead: "attention"    W, b: "linear"    the inner LayerNorm: "norm1", the outer: "norm2"
///
/// Sequence i of x asks sequence i of the source. The order of the source's tokens does not matter; those of x are
/// answered each alone. Of an empty set attention answers its bias. MAB(X, X) is the paper's SAB, eq. 8. It remembers
/// nothing: who acts calls `forward` with the set as it is.
template <class S>
class SetAttentionBlock {
 public:
  struct Config {
    Index dim, heads;      ///< width, and into how many heads it is cut
    Index source_dim = 0;  ///< 0: dim
  };
  CrossAttention<S> attention;
  Linear<S> linear;
  LayerNorm<S> norm1, norm2;
  Activation<S> relu{Nonlinearity::relu};
  Columns<> attended, h, fed, sum;

  SetAttentionBlock(Scope at, Axis source, Config c)
      : attention(at / "attention", source, {.dim = c.dim, .heads = c.heads, .remembers = false}, c.source_dim,
                  c.source_dim),
        linear(at / "linear", c.dim, c.dim),
        norm1(at / "norm1", c.dim),
        norm2(at / "norm2", c.dim),
        attended(at.columns(c.dim)),
        h(at.columns(c.dim)),
        fed(at.columns(c.dim)),
        sum(at.columns(c.dim)) {}

  void forward(ParametersView<const S> p, Read<S> x, Read<S> source, Write<S> y, ActivationsView<S> a) const {
    check(x, source, "y", y, a);
    attention.forward(p, x, source, source, a[attended], a);
    a[attended] += x;
    norm1.forward(p, a[attended], a[h], a);
    linear.forward(p, a[h], a[fed]);
    relu.forward(a[fed], a[fed]);
    a[sum] = a[h] + a[fed];
    norm2.forward(p, a[sum], y, a);
  }

  void backward(ParametersView<const S> p, Read<S> x, Read<S> source, Read<S> dy, ActivationsView<S> a,
                ParametersView<S> g, Gradient<S> dx, Gradient<S> dsource) const {
    check(x, source, "dy", dy, a);
    detail::expect_gradient("SetAttentionBlock", "dx", dx, x.rows(), x.cols());
    detail::expect_gradient("SetAttentionBlock", "dsource", dsource, source.rows(), source.cols());
    norm2.backward(p, a[sum], dy, a, g, a.d(sum));
    relu.backward(a[fed], a[fed], a.d(sum), a.d(fed));
    linear.backward(p, a[h], a.d(fed), g, a.d(h));
    a.d(h) += a.d(sum);
    norm1.backward(p, a[attended], a.d(h), a, g, a.d(attended));
    attention.backward(p, x, source, source, a.d(attended), a, g, dx, dsource,
                       dsource.part(0, source.rows(), 0, source.cols()));
    if (dx.wanted()) dx.part(0, x.rows(), 0, x.cols()).put(0, a.d(attended));
  }

  Node graph(Graph& g, const Node& x, const Node& source) const {
    const Node asked = norm1.graph(g, g.add(x, attention.graph(g, x, source, source)));
    return norm2.graph(g, g.add(asked, relu.graph(g, linear.graph(g, asked))));
  }

 private:
  template <class Y>
  void check(const Read<S>& x, const Read<S>& source, const char* what, const Y& y, ActivationsView<S> a) const {
    const detail::SequencePairs all("SetAttentionBlock", a.sequences(h.axis), a.sequences(attention.key_of.axis));
    detail::expect_shape("SetAttentionBlock", "x", x, h.rows, all.queries());
    detail::expect_shape("SetAttentionBlock", "source", source, attention.k_proj.in(), all.keys());
    detail::expect_shape("SetAttentionBlock", what, y, h.rows, all.queries());
  }
};

}  // namespace heed
