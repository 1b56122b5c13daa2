#pragma once
#include "heed/core/activations.hpp"
#include "heed/core/parameters.hpp"
#include "heed/core/scope.hpp"
#include "heed/detail/absolute_positions.hpp"
#include "heed/detail/graph_positions.hpp"

namespace heed {

/// A learned vector for each position, added to each token (Gehring et al. 2017, sec. 3.1).  y_t = x_t + E[t]
///
///   x, y: D x n, along the axis of its scope; positions count from 0 in each sequence, or go on from what a lane has seen
///   E ("weight"): length x D, starts normal with deviation 0.02 (as Dosovitskiy et al. 2021's), or as is said
///
/// There is an end: a position of `length` or more is an error.
template <class S, int D = Dynamic>
class LearnedPositionalEncoding {
 public:
  Axis axis;
  Weight<Dynamic, D> weight;

  explicit LearnedPositionalEncoding(Scope at, Index length, Index dim = D, Initialiser init = normal(0.02))
      : axis(at.axis()), weight(at.weight<Dynamic, D>("weight", {length, dim}, init)) {}

  void forward(ParametersView<const S> p, Read<S, D> x, Write<S, D> y, ActivationsView<S> a) const {
    encode(p, x, y, a.sequences(axis));
  }
  void extend(ParametersView<const S> p, Read<S, D> x, Write<S, D> y, MemoryView<S> m, ActivationsView<S> a) const {
    encode(p, x, y, {a.sequences(axis), axis, m});
  }

  // dE[t] += dy_t    dx = dy
  void backward(ParametersView<const S>, Read<S, D> x, Read<S, D> dy, ActivationsView<S> a, ParametersView<S> g,
                Gradient<S, D> dx) const {
    const detail::AbsolutePositions<S> positions(a.sequences(axis));
    check(x, "dy", dy, positions);
    detail::expect_gradient("LearnedPositionalEncoding", "dx", dx, weight.cols, dy.cols());
    auto table = g[weight];
    positions.each([&](Index position, Index count, Index column) {
      table.middleRows(position, count) += dy.middleCols(column, count).transpose();
    });
    if (dx.wanted()) dx.put(0, dy);
  }

  Node graph(Graph& g, const Node& x) const {
    return g.add(x, g.gather(g.weight(weight), detail::positions_of(g, x), 0, x.rows, 2));
  }

 private:
  template <class Y>
  void check(const Read<S, D>& x, const char* what, const Y& y, const detail::AbsolutePositions<S>& positions) const {
    detail::expect_shape("LearnedPositionalEncoding", "x", x, weight.cols, positions.columns());
    detail::expect_shape("LearnedPositionalEncoding", what, y, weight.cols, x.cols());
    positions.expect_below("LearnedPositionalEncoding", weight.rows);
  }
  void encode(ParametersView<const S> p, const Read<S, D>& x, Write<S, D> y,
              const detail::AbsolutePositions<S>& positions) const {
    check(x, "y", y, positions);
    const auto table = p[weight];
    positions.each([&](Index position, Index count, Index column) {
      y.middleCols(column, count) = x.middleCols(column, count) + table.middleRows(position, count).transpose();
    });
  }
};

}  // namespace heed
