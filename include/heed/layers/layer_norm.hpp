#pragma once
#include <cmath>

#include "heed/core/activations.hpp"
#include "heed/core/graph.hpp"
#include "heed/core/parameters.hpp"
#include "heed/core/scope.hpp"
#include "heed/detail/elementwise.hpp"

namespace heed {

/// Layer normalisation of each token (Ba et al. 2016, eq. 4).
///
///   x^ = (x - mean(x)) / sqrt(var(x) + eps)    y = gamma o x^ + beta
///
///   x, y: D x n    gamma ("weight", starts at 1), beta ("bias", starts at 0): D    eps: 1e-5, as PyTorch's
template <class S, int D = Dynamic>
class LayerNorm {
 public:
  Weight<D, 1> weight, bias;  ///< gamma and beta
  Columns<2> moments;         ///< mean and 1 / sigma of each token
  S epsilon;                  ///< added to the variance

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
    auto of = a[moments];
    constexpr Index block = 16;  // tokens at a time, of which none waits for the sums of another
    for (Index first = 0; first < x.cols(); first += block)
      normalise(p, x, y, of, first, std::min(first + block, x.cols()));
  }

  // dgamma += dy o x^    dbeta += dy    q = dy o gamma    dx = (q - mean(q) - x^ mean(q o x^)) / sigma
  void backward(ParametersView<const S> p, Read<S, D> x, Read<S, D> dy, ActivationsView<S> a, ParametersView<S> g,
                Gradient<S, D> dx) const {
    detail::expect_shape("LayerNorm", "x", x, weight.rows, a.columns(moments.axis));
    detail::expect_shape("LayerNorm", "dy", dy, weight.rows, x.cols());
    detail::expect_gradient("LayerNorm", "dx", dx, weight.rows, x.cols());
    const auto of = a[moments];
    for (Index j = 0; j < x.cols(); ++j)
      backward(x.rows(), of(0, j), of(1, j), x.col(j).data(), dy.col(j).data(), p[weight].data(), g[weight].data(),
               g[bias].data(), dx.wanted() ? dx.col(j).data() : nullptr, dx.adds());
  }

  Node graph(Graph& g, const Node& x) const {
    return g.op("LayerNormalization", {x, g.weight(weight), g.weight(bias)}, x.rows,
                {{"axis", std::int64_t(-1)}, {"epsilon", float(epsilon)}});
  }

 private:
  template <class Of>
  [[gnu::flatten]] void normalise(ParametersView<const S> p, const Read<S, D>& x, Write<S, D>& y, Of& of, Index first,
                                  Index last) const {
    const Index n = x.rows();
    for (Index j = first; j < last; ++j) {
      detail::Sum<S> sum;
      detail::each_part<S>(
          n, [&](const auto& xi) { sum += xi; }, x.col(j).data());
      of(0, j) = sum.total() / S(n);
    }
    for (Index j = first; j < last; ++j) {
      const S mean = of(0, j);
      detail::Sum<S> squares;
      detail::each_part<S>(
          n, [&](const auto& xi) { squares += (xi - mean) * (xi - mean); }, x.col(j).data());
      of(1, j) = squares.total() / S(n);
    }
    for (Index j = first; j < last; ++j) of(1, j) = 1 / std::sqrt(of(1, j) + epsilon);
    for (Index j = first; j < last; ++j) {
      const S mean = of(0, j), inverse = of(1, j);
      const auto put = [=](auto&& yi, const auto& xi, const auto& gamma, const auto& beta) {
        yi = gamma * ((xi - mean) * inverse) + beta;
      };
      detail::each_part<S>(n, put, y.col(j).data(), x.col(j).data(), p[weight].data(), p[bias].data());
    }
  }

  [[gnu::flatten]] static void backward(Index n, S mean, S inverse, const S* x, const S* dy, const S* gamma, S* dgamma,
                                        S* dbeta, S* dx, bool adds) {
    using detail::load, detail::slot;
    using R = detail::Register<S>;
    constexpr Index size = detail::Packet<S>::size;
    R q_sums = S(0), along_sums = S(0);
    S q_sum = 0, along_sum = 0;
    const auto gather = [](const auto& normal, const auto& d, const auto& q, auto& all, auto& all_along, auto&& dgi,
                           auto&& dbi) {
      all += q;
      all_along += q * normal;
      dgi += d * normal;
      dbi += d;
    };
    Index i = 0;
    for (; i + size <= n; i += size) {
      const R normal = (load(x + i) - mean) * inverse, d = load(dy + i), q = d * load(gamma + i);
      gather(normal, d, q, q_sums, along_sums, slot(dgamma + i), slot(dbeta + i));
    }
    for (; i < n; ++i) gather((x[i] - mean) * inverse, dy[i], dy[i] * gamma[i], q_sum, along_sum, dgamma[i], dbeta[i]);
    if (!dx) return;
    const S q = (q_sums.sum() + q_sum) / S(n), along = (along_sums.sum() + along_sum) / S(n);
    const auto slope = [=](const auto& xi, const auto& d, const auto& gi) {
      return (d * gi - q - (xi - mean) * inverse * along) * inverse;
    };
    for (i = 0; i + size <= n; i += size) {
      const R to = slope(load(x + i), load(dy + i), load(gamma + i));
      store(dx + i, adds ? load(dx + i) + to : to);
    }
    for (; i < n; ++i) dx[i] = (adds ? dx[i] : S(0)) + slope(x[i], dy[i], gamma[i]);
  }
};

}  // namespace heed
