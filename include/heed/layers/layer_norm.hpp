#pragma once
#include <cmath>

#include "heed/core/activations.hpp"
#include "heed/core/parameters.hpp"
#include "heed/core/scope.hpp"

namespace heed {

/// Layer normalisation of each token (Ba et al. 2016, eq. 4).
///
///   x^ = (x - mean(x)) / sqrt(var(x) + eps)    y = gamma o x^ + beta
///
///   x, y: D x n    gamma ("weight", starts at 1), beta ("bias", starts at 0): D    eps: 1e-5, as PyTorch's
template <class S, int D = Dynamic>
class LayerNorm {
 public:
  Weight<D, 1> weight, bias;
  Columns<2> moments;  // mean and 1 / sigma of each token
  S epsilon;

  explicit LayerNorm(Scope at, Index dim = D, double eps = 1e-5)
      : weight(at.weight<D>("weight", {dim}, constant(1))),
        bias(at.weight<D>("bias", {dim}, zero())),
        moments(at.columns<2>()),
        epsilon(S(eps)) {
    if (!(eps > 0)) detail::fail("LayerNorm: eps %g must be positive", eps);
  }

  void forward(ParametersView<const S> p, Read<S, D> x, Write<S, D> y, ActivationsView<S> a) const {
    detail::expect_shape("LayerNorm", "x", x, weight.rows, a.columns(moments.axis));
    detail::expect_shape("LayerNorm", "y", y, weight.rows, x.cols());
    const auto gamma = p[weight].array();
    const auto beta = p[bias].array();
    auto of = a[moments];
    for (Index j = 0; j < x.cols(); ++j) {
      const S mean = x.col(j).mean();
      const S inverse = 1 / std::sqrt((x.col(j).array() - mean).square().mean() + epsilon);
      y.col(j).array() = gamma * ((x.col(j).array() - mean) * inverse) + beta;
      of(0, j) = mean;
      of(1, j) = inverse;
    }
  }

  // dgamma += dy o x^    dbeta += dy    q = dy o gamma    dx = (q - mean(q) - x^ mean(q o x^)) / sigma
  void backward(ParametersView<const S> p, Read<S, D> x, Read<S, D> dy, ActivationsView<S> a, ParametersView<S> g,
                Gradient<S, D> dx) const {
    detail::expect_shape("LayerNorm", "x", x, weight.rows, a.columns(moments.axis));
    detail::expect_shape("LayerNorm", "dy", dy, weight.rows, x.cols());
    detail::expect_gradient("LayerNorm", "dx", dx, weight.rows, x.cols());
    const auto gamma = p[weight].array();
    auto dgamma = g[weight].array();
    auto dbeta = g[bias].array();
    const auto of = a[moments];
    for (Index j = 0; j < x.cols(); ++j) {
      const S mean = of(0, j), inverse = of(1, j);
      const auto normal = (x.col(j).array() - mean) * inverse;
      const auto q = dy.col(j).array() * gamma;
      dgamma += dy.col(j).array() * normal;
      dbeta += dy.col(j).array();
      if (!dx.wanted()) continue;
      const S q_mean = q.mean(), along = (q * normal).mean();
      dx.put(j, ((q - q_mean - normal * along) * inverse).matrix());
    }
  }
};

}  // namespace heed
