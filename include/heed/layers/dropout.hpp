#pragma once
#include "heed/core/activations.hpp"
#include "heed/core/graph.hpp"
#include "heed/core/scope.hpp"
#include "heed/detail/segments.hpp"

namespace heed {

/// Dropout (Srivastava et al. 2014), as torch.nn.Dropout: in training each number is zero with probability `rate`, and the
/// others are divided by 1 - rate; otherwise y = x.
///
///   x, y: D x n, along the axis of its scope; in place if wished
///
/// What is dropped is a hash of a.mode.seed, the layer's name, the column of the batch and the row: nothing is stored for the
/// way back. Whoever acts in training mode needs another seed for each step.
template <class S, int D = Dynamic>
class Dropout {
 public:
  double rate;  ///< the share that is dropped
  Axis axis;

  Dropout(Scope at, double rate_) : rate(rate_), axis(at.axis()), stream_(at.stream()) {
    detail::expect_within("Dropout", "rate", rate, 0, 1);
  }

  /// Whether anything is dropped in this batch.
  bool active(ActivationsView<S> a) const { return a.mode.training && rate > 0; }

  void forward(Read<S, D> x, Write<S, D> y, ActivationsView<S> a) const {
    detail::expect_shape("Dropout", "x", x, x.rows(), a.columns(axis));
    detail::expect_shape("Dropout", "y", y, x.rows(), x.cols());
    if (!active(a)) {
      if (y.data() != x.data()) y = x;
    } else {
      each(x, a, [&](Index i, Index j, S factor) { y(i, j) = x(i, j) * factor; });
    }
  }

  // dx = dy o mask / (1 - rate)
  void backward(Read<S, D> dy, ActivationsView<S> a, Gradient<S, D> dx) const {
    detail::expect_shape("Dropout", "dy", dy, dy.rows(), a.columns(axis));
    detail::expect_gradient("Dropout", "dx", dx, dy.rows(), dy.cols());
    if (!dx.wanted()) return;
    if (!active(a)) {
      if (dx.data() != dy.data() || dx.adds()) dx.put(0, dy);
    } else {
      each(dy, a, [&](Index i, Index j, S factor) {
        const S d = dy(i, j) * factor;
        dx(i, j) = dx.adds() ? dx(i, j) + d : d;
      });
    }
  }

  Node graph(Graph&, const Node& x) const { return x; }

 private:
  template <class F>
  void each(const Read<S, D>& x, ActivationsView<S> a, F f) const {
    const Random random(a.mode.seed, stream_);
    const S kept = S(1 / (1 - rate));
    for (Index j = 0; j < x.cols(); ++j)
      for (Index i = 0; i < x.rows(); ++i)
        f(i, j, random.uniform_at(std::uint64_t(j * x.rows() + i)) < rate ? S(0) : kept);
  }
  std::uint64_t stream_;
};

}  // namespace heed
