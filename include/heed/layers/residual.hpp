#pragma once
#include "heed/layers/dropout.hpp"
#include "heed/layers/layer_norm.hpp"

namespace heed {

/// A residual around a sublayer f, with a norm of it and dropout (He et al. 2016; Ba et al. 2016).
///
///   pre-norm (Xiong et al. 2020):       y = x + dropout(f(norm(x)))
///   post-norm (Vaswani et al. 2017):    y = norm(x + dropout(f(x)))
///
///   x, y: D x n, along the axis of its scope    norm: a layer of the block that it is part of
template <class S, int D = Dynamic>
class Residual {
 public:
  LayerNorm<S, D> norm;
  Dropout<S, D> dropout;
  bool norm_first;  ///< whether the norm stands before the part or behind the sum
  Columns<D> normed, out;

  Residual(Scope at, const LayerNorm<S, D>& norm_, const Dropout<S, D>& dropout_, bool norm_first_)
      : norm(norm_),
        dropout(dropout_),
        norm_first(norm_first_),
        normed(at.columns<D>(norm.weight.rows)),
        out(at.columns<D>(norm.weight.rows)) {}

  /// With f(from, to), forward or extend of the sublayer.
  template <class F>
  void forward(ParametersView<const S> p, Read<S, D> x, Write<S, D> y, ActivationsView<S> a, F f) const {
    check(x, "y", y, a);
    if (norm_first) {
      norm.forward(p, x, a[normed], a);
      f(a[normed], a[out]);
      dropout.forward(a[out], a[out], a);
      y = x + a[out];
    } else {
      f(x, a[out]);
      dropout.forward(a[out], a[out], a);
      a[out] += x;
      norm.forward(p, a[out], y, a);
    }
  }

  /// With f(from, dto, dfrom), backward of the sublayer.
  //
  //   pre-norm: dx = dy + norm'(f'(dropped dy))    post-norm: dout = norm'(dy), dx = dout + f'(dropped dout)
  template <class F>
  void backward(ParametersView<const S> p, Read<S, D> x, Read<S, D> dy, ActivationsView<S> a, ParametersView<S> g,
                Gradient<S, D> dx, F f) const {
    check(x, "dy", dy, a);
    detail::expect_gradient("Residual", "dx", dx, x.rows(), x.cols());
    if (norm_first) {
      f(a[normed], dropped(dy, a, a.d(out)), a.d(normed));
      if (dx.wanted()) dx.put(0, dy);
      norm.backward(p, x, a.d(normed), a, g, dx.part(0, x.rows(), 0, x.cols()));
    } else {
      norm.backward(p, a[out], dy, a, g, a.d(out));
      f(x, dropped(a.d(out), a, a.d(normed)), dx);
      if (dx.wanted()) dx.part(0, x.rows(), 0, x.cols()).put(0, a.d(out));
    }
  }

  /// With f(from), the sublayer's piece.
  template <class F>
  Node graph(Graph& g, const Node& x, F f) const {
    return norm_first ? g.add(x, f(norm.graph(g, x))) : norm.graph(g, g.add(x, f(x)));
  }

 private:
  template <class Y>
  void check(const Read<S, D>& x, const char* what, const Y& y, ActivationsView<S> a) const {
    detail::expect_shape("Residual", "x", x, out.rows, a.columns(out.axis));
    detail::expect_shape("Residual", what, y, out.rows, x.cols());
  }
  Read<S, D> dropped(Read<S, D> d, ActivationsView<S> a, Write<S, D> room) const {
    if (!dropout.active(a)) return d;
    dropout.backward(d, a, room);
    return room;
  }
};

}  // namespace heed
