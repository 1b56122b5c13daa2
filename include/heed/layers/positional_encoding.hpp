#pragma once
#include "heed/core/activations.hpp"
#include "heed/core/scope.hpp"
#include "heed/detail/absolute_positions.hpp"
#include "heed/detail/graph_positions.hpp"
#include "heed/detail/sinusoid.hpp"

namespace heed {

/// Sinusoidal positional encoding, added to each token (Vaswani et al. 2017, sec. 3.5).
///
///   y = x + PE(position)    PE(t, 2 i) = sin(t w_i)    PE(t, 2 i + 1) = cos(t w_i)    w_i = 10000^(-2 i / D)
///
///   x, y: D x n, along the axis of its scope; positions count from 0 in each sequence, or go on from what a lane has seen.
template <class S, int D = Dynamic>
class SinusoidalPositionalEncoding {
 public:
  Axis axis;

  explicit SinusoidalPositionalEncoding(Scope at) : axis(at.axis()) {}

  void forward(Read<S, D> x, Write<S, D> y, ActivationsView<S> a) const { encode(x, y, a.sequences(axis)); }
  void extend(Read<S, D> x, Write<S, D> y, MemoryView<S> m, ActivationsView<S> a) const {
    encode(x, y, {a.sequences(axis), axis, m});
  }
  // dx = dy
  void backward(Read<S, D> dy, Gradient<S, D> dx) const {
    detail::expect_gradient("SinusoidalPositionalEncoding", "dx", dx, dy.rows(), dy.cols());
    if (dx.wanted()) dx.put(0, dy);
  }

  Node graph(Graph& g, const Node& x) const {
    return g.add(x, detail::sinusoids(g, detail::positions_of(g, x), x.rows));
  }

 private:
  void encode(const Read<S, D>& x, Write<S, D> y, const detail::AbsolutePositions<S>& positions) const {
    detail::expect_shape("SinusoidalPositionalEncoding", "x", x, x.rows(), positions.columns());
    detail::expect_shape("SinusoidalPositionalEncoding", "y", y, x.rows(), x.cols());
    detail::each_sinusoid(
        x.rows(), 1, [&](auto run) { positions.each(run); },
        [&](Index i, Index column, double value) { y(i, column) = x(i, column) + S(value); });
  }
};

}  // namespace heed
