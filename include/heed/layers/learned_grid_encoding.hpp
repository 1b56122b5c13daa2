#pragma once
#include "heed/core/activations.hpp"
#include "heed/core/grid.hpp"
#include "heed/core/parameters.hpp"
#include "heed/core/scope.hpp"
#include "heed/detail/absolute_positions.hpp"
#include "heed/detail/graph_positions.hpp"

namespace heed {

/// A learned vector for each row and one for each column of a grid, added to each token (Ho et al. 2019).
///
///   y_t = x_t + R[t / cols] + C[t % cols]
///
///   x, y: D x n, along the axis of its scope. Token t of a sequence is cell t of the grid, row by row; with `extend`, t
///   goes on from what a lane has seen. More tokens than cells are an error.
///   R ("row.weight"): rows x D, C ("col.weight"): cols x D, start normal with deviation 0.02, or as is said
template <class S, int D = Dynamic>
class LearnedGridEncoding {
 public:
  Axis axis;
  Grid grid;  ///< rows and columns of the cells
  Weight<Dynamic, D> row, col;

  explicit LearnedGridEncoding(Scope at, Grid grid_, Index dim = D, Initialiser init = normal(0.02))
      : axis(at.axis()),
        grid(checked(grid_)),
        row((at / "row").weight<Dynamic, D>("weight", {grid.rows, dim}, init)),
        col((at / "col").weight<Dynamic, D>("weight", {grid.cols, dim}, init)) {}

  void forward(ParametersView<const S> p, Read<S, D> x, Write<S, D> y, ActivationsView<S> a) const {
    encode(p, x, y, a.sequences(axis));
  }
  void extend(ParametersView<const S> p, Read<S, D> x, Write<S, D> y, MemoryView<S> m, ActivationsView<S> a) const {
    encode(p, x, y, {a.sequences(axis), axis, m});
  }

  // dR[t / cols] += dy_t    dC[t % cols] += dy_t    dx = dy
  void backward(ParametersView<const S>, Read<S, D> x, Read<S, D> dy, ActivationsView<S> a, ParametersView<S> g,
                Gradient<S, D> dx) const {
    const detail::AbsolutePositions<S> positions(a.sequences(axis));
    check(x, "dy", dy, positions);
    detail::expect_gradient("LearnedGridEncoding", "dx", dx, row.cols, dy.cols());
    auto rows = g[row];
    auto cols = g[col];
    positions.each(grid, [&](Index r, Index c, Index count, Index column) {
      for (Index j = 0; j < count; ++j) rows.row(r) += dy.col(column + j).transpose();
      cols.middleRows(c, count) += dy.middleCols(column, count).transpose();
    });
    if (dx.wanted()) dx.put(0, dy);
  }

  Node graph(Graph& g, const Node& x) const {
    const detail::GraphCells cells(g, x, grid);
    const Node of_row = g.gather(g.weight(row), cells.row, 0, x.rows, 2);
    return g.add(g.add(x, of_row), g.gather(g.weight(col), cells.col, 0, x.rows, 2));
  }

 private:
  template <class Y>
  void check(const Read<S, D>& x, const char* what, const Y& y, const detail::AbsolutePositions<S>& positions) const {
    detail::expect_shape("LearnedGridEncoding", "x", x, row.cols, positions.columns());
    detail::expect_shape("LearnedGridEncoding", what, y, row.cols, x.cols());
    positions.expect_below("LearnedGridEncoding", grid.cells());
  }
  void encode(ParametersView<const S> p, const Read<S, D>& x, Write<S, D> y,
              const detail::AbsolutePositions<S>& positions) const {
    check(x, "y", y, positions);
    const auto rows = p[row];
    const auto cols = p[col];
    positions.each(grid, [&](Index r, Index c, Index count, Index column) {
      for (Index j = 0; j < count; ++j)
        y.col(column + j) = x.col(column + j) + rows.row(r).transpose() + cols.row(c + j).transpose();
    });
  }
  static Grid checked(Grid grid) {
    detail::expect_at_least("LearnedGridEncoding", "grid", grid, 1);
    return grid;
  }
};

}  // namespace heed
