#pragma once
#include "heed/layers/activation.hpp"
#include "heed/layers/layer_norm.hpp"
#include "heed/layers/linear.hpp"
#include "heed/layers/multi_head_attention.hpp"

namespace heed {

/// One transformer block, as torch.nn.TransformerEncoderLayer without dropout.
///
///   pre-norm (Xiong et al. 2020):         h = x + attention(norm1(x))     y = h + W2 f(W1 norm2(h) + b1) + b2
///   post-norm (Vaswani et al. 2017):      h = norm1(x + attention(x))     y = norm2(h + W2 f(W1 h + b1) + b2)
///
///   x, y: D x n, along the axis of its scope    attention: "self_attn"    W1, b1: "linear1"    W2, b2: "linear2"
///   f: any Nonlinearity (PyTorch has ReLU and GELU)
template <class S, int D = Dynamic>
class TransformerBlock {
 public:
  struct Config {
    Index dim = 0, heads = 1;
    Index inner = 0;  // width of the feed-forward part; 0: 4 dim
    Mask mask = Full();
    bool norm_first = true;
    Nonlinearity activation = Nonlinearity::relu;
  };
  MultiHeadAttention<S, D> attention;
  Linear<S, D, Dynamic> linear1;
  Linear<S, Dynamic, D> linear2;
  LayerNorm<S, D> norm1, norm2;
  Activation<S> activation;
  bool norm_first;
  Columns<D> normed1, attended, h, normed2, fed;
  Columns<> inner, activated;

  TransformerBlock(Scope at, Config c)
      : attention(at / "self_attn", c.dim, c.heads, c.mask),
        linear1(at / "linear1", c.dim, width(c)),
        linear2(at / "linear2", width(c), c.dim),
        norm1(at / "norm1", c.dim),
        norm2(at / "norm2", c.dim),
        activation(c.activation),
        norm_first(c.norm_first),
        normed1(at.columns<D>(c.dim)),
        attended(at.columns<D>(c.dim)),
        h(at.columns<D>(c.dim)),
        normed2(at.columns<D>(c.dim)),
        fed(at.columns<D>(c.dim)),
        inner(at.columns(width(c))),
        activated(at.columns(width(c))) {}

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
    if (norm_first) {
      feed_backward(p, a[normed2], dy, a, g, a.d(normed2));
      norm2.backward(p, a[h], a.d(normed2), a, g, a.d(h));
      a.d(h) += dy;
      attention.backward(p, a[normed1], a.d(h), a, g, a.d(normed1));
      if (dx.wanted()) dx.put(0, a.d(h));
      norm1.backward(p, x, a.d(normed1), a, g, dx.part(0, x.rows(), 0, x.cols()));
    } else {
      norm2.backward(p, a[fed], dy, a, g, a.d(fed));
      feed_backward(p, a[h], a.d(fed), a, g, a.d(h));
      a.d(h) += a.d(fed);
      norm1.backward(p, a[attended], a.d(h), a, g, a.d(attended));
      attention.backward(p, x, a.d(attended), a, g, dx);
      if (dx.wanted()) dx.part(0, x.rows(), 0, x.cols()).put(0, a.d(attended));
    }
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
    if (norm_first) {
      norm1.forward(p, x, a[normed1], a);
      attend(a[normed1], a[attended]);
      a[h] = x + a[attended];
      norm2.forward(p, a[h], a[normed2], a);
      feed(p, a[normed2], a[fed], a);
      y = a[h] + a[fed];
    } else {
      attend(x, a[attended]);
      a[attended] += x;
      norm1.forward(p, a[attended], a[h], a);
      feed(p, a[h], a[fed], a);
      a[fed] += a[h];
      norm2.forward(p, a[fed], y, a);
    }
  }
  void feed(ParametersView<const S> p, Read<S, D> x, Write<S, D> y, ActivationsView<S> a) const {
    linear1.forward(p, x, a[inner]);
    activation.forward(a[inner], a[activated]);
    linear2.forward(p, a[activated], y);
  }
  void feed_backward(ParametersView<const S> p, Read<S, D> x, Read<S, D> dy, ActivationsView<S> a, ParametersView<S> g,
                     Gradient<S, D> dx) const {
    linear2.backward(p, a[activated], dy, g, a.d(activated));
    activation.backward(a[inner], a[activated], a.d(activated), a.d(inner));
    linear1.backward(p, x, a.d(inner), g, dx);
  }
  static Index width(const Config& c) { return c.inner != 0 ? c.inner : 4 * c.dim; }
};

}  // namespace heed
