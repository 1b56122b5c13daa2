#pragma once
#include <cmath>

#include "heed/core/graph.hpp"
#include "heed/core/grid.hpp"

namespace heed::detail {

/// 0, 1, ..., a whole number for each token of x; or from `first` up to `end`, which is not included.
inline Node positions_of(Graph& g, const Node& first, const Node& end) {
  return g.op("Range", {first, end, g.constant(std::vector<std::int64_t>{1}, {})}, 1, {}, 1);
}
inline Node positions_of(Graph& g, const Node& x) {
  return positions_of(g, g.constant(std::vector<std::int64_t>{0}, {}), g.length(x));
}

/// The row and column of each token on a grid that is filled row by row.
struct GraphCells {
  Node row, col;
  GraphCells(Graph& g, const Node& x, const Grid& grid) {
    const Node t = positions_of(g, x), cols = g.constant(std::vector<std::int64_t>{grid.cols}, {});
    row = g.divide(t, cols);
    col = g.op("Mod", {t, cols}, 1);
  }
};

/// position w_i + phase_i in double, positions x features.
inline Node angles(Graph& g, const Node& positions, const std::vector<double>& w, const std::vector<double>& phases) {
  const Node t = g.cast(g.unsqueeze(positions, {1}), Graph::Type::float64);
  return g.add(g.multiply(t, g.constant(w)), g.constant(phases));
}

/// The sinusoids of SinusoidalPositionalEncoding: sin(t w_i) and, as sin(t w_i + pi / 2), the cosines.
inline Node sinusoids(Graph& g, const Node& positions, Index features) {
  std::vector<double> w, phases;
  for (Index i = 0; i < features; ++i) {
    w.push_back(std::pow(10000.0, -double(i / 2 * 2) / double(features)));
    phases.push_back(i % 2 == 0 ? 0 : std::acos(0.0));
  }
  return g.cast(g.op("Sin", {angles(g, positions, w, phases)}, features), Graph::Type::float32);
}

}  // namespace heed::detail
