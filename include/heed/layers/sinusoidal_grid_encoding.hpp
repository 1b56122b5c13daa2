#pragma once
#include "heed/core/activations.hpp"
#include "heed/core/grid.hpp"
#include "heed/core/scope.hpp"
#include "heed/detail/absolute_positions.hpp"
#include "heed/detail/graph_positions.hpp"
#include "heed/detail/sinusoid.hpp"

namespace heed {

/// Sinusoidal encoding of the cells of a grid, added to each token: half of the features say the row, half the column
/// (Parmar et al. 2018, sec. 3.1).
///
///   y = x + [PE(t / cols); PE(t % cols)]    PE: Vaswani's sinusoids (SinusoidalPositionalEncoding) of D / 2 features
///
///   x, y: D x n, along the axis of its scope; D is even. Token t of a sequence is cell t of the grid, row by row; with
///   `extend`, t goes on from what a lane has seen. More tokens than cells are an error.
template <class S, int D = Dynamic>
class SinusoidalGridEncoding {
  static_assert(D == Dynamic || D % 2 == 0, "half of the features say the row, half the column: D must be even");

 public:
  Axis axis;
  Grid grid;  ///< rows and columns of the cells
  Index dim;  ///< width

  explicit SinusoidalGridEncoding(Scope at, Grid grid_, Index dim_ = D) : axis(at.axis()), grid(grid_), dim(dim_) {
    detail::expect_at_least("SinusoidalGridEncoding", "grid", grid, 1);
    if (dim < 2 || dim % 2 != 0) detail::fail("SinusoidalGridEncoding: dim %ld is not a multiple of 2", long(dim));
  }

  void forward(Read<S, D> x, Write<S, D> y, ActivationsView<S> a) const { encode(x, y, a.sequences(axis)); }
  void extend(Read<S, D> x, Write<S, D> y, MemoryView<S> m, ActivationsView<S> a) const {
    encode(x, y, {a.sequences(axis), axis, m});
  }
  // dx = dy
  void backward(Read<S, D> dy, Gradient<S, D> dx) const {
    detail::expect_shape("SinusoidalGridEncoding", "dy", dy, dim, dy.cols());
    detail::expect_gradient("SinusoidalGridEncoding", "dx", dx, dim, dy.cols());
    if (dx.wanted()) dx.put(0, dy);
  }

  Node graph(Graph& g, const Node& x) const {
    const detail::GraphCells cells(g, x, grid);
    const auto half = [&](const Node& of) { return detail::sinusoids(g, of, dim / 2); };
    return g.add(x, g.concat({half(cells.row), half(cells.col)}, -1, dim));
  }

 private:
  void encode(const Read<S, D>& x, Write<S, D> y, const detail::AbsolutePositions<S>& positions) const {
    detail::expect_shape("SinusoidalGridEncoding", "x", x, dim, positions.columns());
    detail::expect_shape("SinusoidalGridEncoding", "y", y, dim, x.cols());
    positions.expect_below("SinusoidalGridEncoding", grid.cells());
    const auto add = [&](Index feature, Index step, auto position_of) {  // half of the features, from this one on
      detail::each_sinusoid(
          dim / 2, step,
          [&](auto run) {
            positions.each(grid, [&](Index row, Index col, Index count, Index column) {
              run(position_of(row, col), count, column);
            });
          },
          [&](Index i, Index column, double value) { y(feature + i, column) = x(feature + i, column) + S(value); });
    };
    add(0, 0, [](Index row, Index) { return row; });  // the same along a piece of a row
    add(dim / 2, 1, [](Index, Index col) { return col; });
  }
};

}  // namespace heed
