#pragma once
#include <cmath>

#include "heed/core/graph.hpp"
#include "heed/core/parameters.hpp"
#include "heed/core/scope.hpp"

namespace heed {

/// A table of learned vectors, as torch.nn.Embedding.  y = E[x]
///
///   x: 1 x n, whole numbers in [0, count)    y: D x n    E ("weight"): count x D, starts normal with deviation 1
///
/// Numbers have no gradient. With `add` it says of tokens of what kind they are.
template <class S, int D = Dynamic>
class Embedding {
 public:
  Weight<Dynamic, D> weight;  ///< a row for each number

  explicit Embedding(Scope at, Index count, Index dim = D)
      : weight(at.weight<Dynamic, D>("weight", {count, dim}, normal(1))) {}

  void forward(ParametersView<const S> p, Read<S> x, Write<S, D> y) const {
    check(x, "y", y);
    for (Index j = 0; j < x.cols(); ++j) y.col(j) = row(p, x, j);
  }
  /// y += E[x]
  void add(ParametersView<const S> p, Read<S> x, Write<S, D> y) const {
    check(x, "y", y);
    for (Index j = 0; j < x.cols(); ++j) y.col(j) += row(p, x, j);
  }

  // dE[x] += dy
  void backward(Read<S> x, Read<S, D> dy, ParametersView<S> g) const {
    check(x, "dy", dy);
    for (Index j = 0; j < x.cols(); ++j) row(g, x, j) += dy.col(j);
  }

  Node graph(Graph& g, const Node& x) const {
    const Node number = g.cast(g.squeeze(x, -1), Graph::Type::int64);
    return g.gather(g.weight(weight), number, 0, weight.cols, x.rank);
  }

 private:
  template <class T>
  auto row(ParametersView<T> p, const Read<S>& x, Index j) const {
    return p[weight].row(Index(x(0, j))).transpose();
  }
  template <class Y>
  void check(const Read<S>& x, const char* what, const Y& y) const {
    detail::expect_shape("Embedding", "x", x, 1, x.cols());
    detail::expect_shape("Embedding", what, y, weight.cols, x.cols());
    for (Index j = 0; j < x.cols(); ++j) {
      const double number = double(x(0, j));
      if (!(number >= 0 && number < double(weight.rows) && number == std::floor(number))) [[unlikely]]
        detail::fail("Embedding: x is %g at column %ld, but a whole number from 0 to %ld is needed", number, long(j),
                     long(weight.rows - 1));
    }
  }
};

}  // namespace heed
