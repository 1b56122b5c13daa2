#pragma once
#include "heed/core/graph.hpp"
#include "heed/core/tokens.hpp"

namespace heed {

/// Differences of fractional order down each column, whose rows are samples one after the other (Hosking 1981, sec. 2).
/// A signal of a spectrum like 1/f becomes white with d = 1/2, so that slow waves do not drown the fast ones.
///
///   y_t = sum_k c_k x_(t-k)    c_0 = 1    c_k = c_(k-1) (k - 1 - d) / k: of (1 - B)^d in powers of the shift B
///
///   x, y: samples x n    What was before the first row counts as zero. With d = 0 y = x, with d = 1 x_t - x_(t-1).
///
/// y must not be x, nor dx be dy.
template <class S>
class FractionalDifference {
 public:
  double order;  ///< d

  /// Of the order d.
  explicit FractionalDifference(double d) : order(d) {}

  void forward(Read<S> x, Write<S> y) const {
    detail::expect_shape("FractionalDifference", "y", y, x.rows(), x.cols());
    y = x;
    each(x.rows(), [&](Index k, S c) { y.bottomRows(x.rows() - k) += c * x.topRows(x.rows() - k); });
  }
  // dx_t = sum_k c_k dy_(t+k)
  void backward(Read<S> dy, Gradient<S> dx) const {
    detail::expect_gradient("FractionalDifference", "dx", dx, dy.rows(), dy.cols());
    if (!dx.wanted()) return;
    dx.put(0, dy);
    each(dy.rows(), [&](Index k, S c) { dx.topRows(dy.rows() - k) += c * dy.bottomRows(dy.rows() - k); });
  }

  template <class... Nodes>
  Node graph(Graph& g, const Nodes&...) const {
    return g.unsupported("FractionalDifference");
  }

 private:
  /// f(k, c_k) for k from 1 on, as long as c_k is not zero.
  template <class F>
  void each(Index samples, F f) const {
    double c = 1;
    for (Index k = 1; k < samples; ++k) {
      c *= (double(k) - 1 - order) / double(k);
      if (c == 0) return;
      f(k, S(c));
    }
  }
};

}  // namespace heed
