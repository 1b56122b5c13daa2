#pragma once
#include "heed/core/activations.hpp"
#include "heed/core/graph.hpp"
#include "heed/core/scope.hpp"

namespace heed {

enum class PoolingKind { mean, max, last };

/// Pools each sequence into one column: the mean, the highest value of each feature, or the last token.
///
///   x: D x n, along `axis`    y: D x sequences, a column for each, along the parent of that axis
///
/// An empty sequence answers zero. Of equal highest values the first gets the gradient.
template <class S, int D = Dynamic>
class Pooling {
 public:
  Axis axis;
  PoolingKind kind;  ///< which

  Pooling(Scope at, PoolingKind kind_) : axis(at.axis()), kind(kind_) {}

  void forward(Read<S, D> x, Write<S, D> y, ActivationsView<S> a) const {
    each_sequence(x, "y", y, a, [&](Index s, Index first, Index n) {
      const auto tokens = x.middleCols(first, n);
      if (n == 0)
        y.col(s).setZero();
      else if (kind == PoolingKind::mean)
        y.col(s) = tokens.rowwise().mean();
      else if (kind == PoolingKind::max)
        y.col(s) = tokens.rowwise().maxCoeff();
      else
        y.col(s) = tokens.col(n - 1);
    });
  }

  // mean: dx_i = dy / n    max: dx_i = dy where x_i is the highest    last: dx_n = dy
  void backward(Read<S, D> x, Read<S, D> dy, ActivationsView<S> a, Gradient<S, D> dx) const {
    detail::expect_gradient("Pooling", "dx", dx, x.rows(), a.columns(axis));
    dx.start();
    each_sequence(x, "dy", dy, a, [&](Index s, Index first, Index n) {
      if (n == 0 || !dx.wanted()) return;
      auto d = dx.middleCols(first, n);
      if (kind == PoolingKind::mean)
        for (Index i = 0; i < n; ++i) d.col(i) += dy.col(s) / S(n);  // colwise() would keep the quotient on the heap
      if (kind == PoolingKind::last) d.col(n - 1) += dy.col(s);
      if (kind == PoolingKind::max)
        for (Index r = 0; r < x.rows(); ++r) {
          Index highest;
          x.row(r).segment(first, n).maxCoeff(&highest);
          d(r, highest) += dy(r, s);
        }
    });
  }

  Node graph(Graph& g, const Node& x) const {
    if (kind == PoolingKind::last)
      return g.gather(x, g.constant(std::vector<std::int64_t>{-1}, {}), -2, x.rows, x.rank - 1);
    return g.op(kind == PoolingKind::mean ? "ReduceMean" : "ReduceMax", {x}, x.rows,
                {{"axes", std::vector<std::int64_t>{-2}}, {"keepdims", std::int64_t(0)}}, x.rank - 1);
  }

 private:
  template <class Y, class F>
  void each_sequence(const Read<S, D>& x, const char* what, const Y& y, ActivationsView<S> a, F&& f) const {
    const SequencesView sequences = a.sequences(axis);
    detail::expect_shape("Pooling", "x", x, x.rows(), sequences.columns());
    detail::expect_shape("Pooling", what, y, x.rows(), sequences.count());
    for (Index s = 0; s < sequences.count(); ++s) f(s, sequences.first(s), sequences.length(s));
  }
};

}  // namespace heed
