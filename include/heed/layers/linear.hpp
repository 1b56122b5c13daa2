#pragma once
#include <cmath>

#include "heed/core/activations.hpp"
#include "heed/core/graph.hpp"
#include "heed/core/parameters.hpp"
#include "heed/core/scope.hpp"
#include "heed/detail/elementwise.hpp"
#include "heed/detail/product.hpp"

namespace heed {

/// How a Linear starts. The default is PyTorch's: weight and bias uniform in +-1 / sqrt(in).
struct LinearInit {
  Initialiser weight, bias;  ///< of the matrix and of the vector
  /// As PyTorch's Linear starts: uniform within +- 1 / sqrt(in).
  static LinearInit pytorch(Index in) {
    const double bound = 1 / std::sqrt(double(std::max(in, Index(1))));
    return {uniform(bound), uniform(bound)};
  }
  /// Orthogonal with gain, bias zero: what policies like best (Andrychowicz et al. 2021, sec. 3.2).
  static LinearInit orthogonal(double gain) { return {heed::orthogonal(gain), zero()}; }
};

/// Linear map of each token.  y = W x + b
///
///   x: In x n    y: Out x n    W ("weight"): Out x In    b ("bias", optional): Out
///
/// y must not be x, nor dx be dy: only what acts on each token or number alone works in place.
template <class S, int In = Dynamic, int Out = Dynamic>
class Linear {
 public:
  Weight<Out, In> weight;  ///< W
  Weight<Out, 1> bias;     ///< b; empty where there is none

  explicit Linear(Scope at, Index in = In, Index out = Out, bool has_bias = true)
      : Linear(at, in, out, LinearInit::pytorch(in), has_bias) {}
  Linear(Scope at, Index in, Index out, LinearInit init, bool has_bias = true)
      : weight(at.weight<Out, In>("weight", {out, in}, init.weight)) {
    if (has_bias) bias = at.weight<Out>("bias", {out}, init.bias);
  }
  /// Over weights that are there already: a part of packed projections, or weights shared between layers.
  Linear(Weight<Out, In> weight_, Weight<Out, 1> bias_) : weight(weight_), bias(bias_) {}

  Index in() const { return weight.cols; }
  Index out() const { return weight.rows; }

  void forward(ParametersView<const S> p, Read<S, In> x, Write<S, Out> y) const {
    detail::expect_shape("Linear", "x", x, in(), x.cols());
    detail::expect_shape("Linear", "y", y, out(), x.cols());
    eigen_assert(y.data() != x.data() || x.size() == 0);
    if (bias)
      detail::multiply_onto_column(p[bias], y, p[weight], x);
    else
      detail::multiply(y, p[weight], x);
  }

  // dW += dy x'    db += dy 1    dx = W' dy
  void backward(ParametersView<const S> p, Read<S, In> x, Read<S, Out> dy, ParametersView<S> g,
                Gradient<S, In> dx) const {
    detail::expect_shape("Linear", "x", x, in(), x.cols());
    detail::expect_shape("Linear", "dy", dy, out(), x.cols());
    detail::expect_gradient("Linear", "dx", dx, in(), x.cols());
    eigen_assert(dx.data() != dy.data() || dx.size() == 0);
    detail::multiply(g[weight], dy, x.transpose(), true);
    if (bias) detail::add_columns<S>(out(), dy.cols(), dy.data(), dy.outerStride(), g[bias].data());
    if (dx.wanted()) detail::multiply(dx, p[weight].transpose(), dy, dx.adds());
  }

  Node graph(Graph& g, const Node& x) const {
    const Node y = g.matmul(x, g.transposed(g.weight(weight), out()));
    return bias ? g.add(y, g.weight(bias)) : y;
  }
};

}  // namespace heed
