#pragma once
#include "heed/layers/activation.hpp"
#include "heed/layers/dropout.hpp"
#include "heed/layers/linear.hpp"

namespace heed {

/// The feed-forward part of a transformer block: each token alone (Vaswani et al. 2017, eq. 2).
///
///   y = W2 dropout(f(W1 x + b1)) + b2
///
///   x, y: D x n, along the axis of its scope    W1, b1: "linear1", inner x D    W2, b2: "linear2", D x inner
///   f: any Nonlinearity    inner: 0 means 4 D    initial values: PyTorch's, see LinearInit
template <class S, int D = Dynamic>
class FeedForward {
 public:
  Linear<S, D, Dynamic> linear1;
  Linear<S, Dynamic, D> linear2;
  Activation<S> activation;
  Dropout<S> dropout;
  Columns<> inner, activated, kept;  ///< kept: what dropout leaves; none where nothing is dropped

  FeedForward(Scope at, Index dim, Index width = 0, Nonlinearity f = Nonlinearity::relu, double dropout_rate = 0)
      : linear1(at / "linear1", dim, width != 0 ? width : 4 * dim),
        linear2(at / "linear2", linear1.out(), dim),
        activation(f),
        dropout(at / "dropout", dropout_rate),
        inner(at.columns(linear1.out())),
        activated(at.columns(linear1.out())),
        kept(dropout_rate > 0 ? at.columns(linear1.out()) : Columns<>()) {}

  void forward(ParametersView<const S> p, Read<S, D> x, Write<S, D> y, ActivationsView<S> a) const {
    check(x, "y", y, a);
    each_run(x.cols(), [&](const Run& run) {
      linear1.forward(p, run.of(x), run.of(a[inner]));
      activation.forward(run.of(a[inner]), run.of(a[activated]));
      if (kept) dropout.forward(a[activated], a[kept], a);
      linear2.forward(p, run.of(a[used()]), run.of(y));
    });
  }

  void backward(ParametersView<const S> p, Read<S, D> x, Read<S, D> dy, ActivationsView<S> a, ParametersView<S> g,
                Gradient<S, D> dx) const {
    check(x, "dy", dy, a);
    detail::expect_gradient("FeedForward", "dx", dx, x.rows(), x.cols());
    each_run(x.cols(), [&](const Run& run) {
      linear2.backward(p, run.of(a[used()]), run.of(dy), g, run.of(a.d(used())));
      if (kept) dropout.backward(a.d(kept), a, a.d(activated));
      activation.backward(run.of(a[inner]), run.of(a[activated]), run.of(a.d(activated)), run.of(a.d(inner)));
      linear1.backward(p, run.of(x), run.of(a.d(inner)), g, dx.columns(run.first, run.count));
    });
  }

  Node graph(Graph& g, const Node& x) const { return linear2.graph(g, activation.graph(g, linear1.graph(g, x))); }

 private:
  /// Tokens that go through both layers before the next ones do, so that what lies between the layers is still in the cache.
  struct Run {
    Index first, count;
    auto of(auto&& m) const { return m.middleCols(first, count); }
  };
  /// f(run); all tokens are one where there is dropout, which draws for all at once.
  template <class F>
  void each_run(Index tokens, F&& f) const {
    const Index most = kept ? tokens : 2 * detail::product_panel;  // whole panels: dW sums over tokens
    for (Index first = 0; first < tokens; first += most) f(Run{first, std::min(most, tokens - first)});
  }
  const Columns<>& used() const { return kept ? kept : activated; }
  template <class Y>
  void check(const Read<S, D>& x, const char* what, const Y& y, ActivationsView<S> a) const {
    detail::expect_shape("FeedForward", "x", x, linear1.in(), a.columns(inner.axis));
    detail::expect_shape("FeedForward", what, y, linear1.in(), x.cols());
  }
};

}  // namespace heed
