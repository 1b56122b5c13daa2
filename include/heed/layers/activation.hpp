#pragma once
#include "heed/core/graph.hpp"
#include "heed/detail/elementwise.hpp"

namespace heed {

/// The functions that act on each number alone.
///
///   identity x    tanh    relu max(x, 0)    sigmoid 1 / (1 + e^-x)    softplus log(1 + e^x)
///   silu x sigmoid(x) (Elfwing et al. 2018)    gelu x Phi(x)
///   gelu_tanh x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) (Hendrycks and Gimpel 2016)
enum class Nonlinearity { identity, tanh, relu, gelu, gelu_tanh, silu, sigmoid, softplus };

/// y = f(x), number by number.
///
///   x, y: D x n
template <class S, int D = Dynamic>
class Activation {
 public:
  Nonlinearity kind;  ///< which

  /// Of each number by itself.
  explicit Activation(Nonlinearity kind_) : kind(kind_) {}

  void forward(Read<S, D> x, Write<S, D> y) const {
    detail::expect_shape("Activation", "y", y, x.rows(), x.cols());
    const auto put = [&](auto f) { detail::elementwise(y, false, f, x); };
    using enum Nonlinearity;
    switch (kind) {
      case identity: detail::copy<S>(x, y); break;
      case tanh: put([](const R& xi) { return detail::tangent<S>(xi); }); break;
      case relu: put([](const R& xi) -> R { return max(xi, S(0)); }); break;
      case gelu: put([](const R& xi) -> R { return xi * detail::Normal<S>(xi).below; }); break;
      case gelu_tanh: put([](const R& xi) -> R { return xi * detail::sigmoid<S>(gelu_inner(xi)); }); break;
      case silu: put([](const R& xi) -> R { return xi * detail::sigmoid<S>(xi); }); break;
      case sigmoid: put([](const R& xi) { return detail::sigmoid<S>(xi); }); break;
      case softplus: put([](const R& xi) { return detail::softplus<S>(xi); }); break;
    }
  }

  /// dx = f'(x) o dy, with y = f(x) where that is the shorter way.
  //
  //   tanh 1 - y^2    relu [x > 0]    gelu Phi(x) + x phi(x)    sigmoid y (1 - y)    softplus s    silu s + y (1 - s)
  //   gelu_tanh s + y (1 - s) u', s = sigmoid(u)    elsewhere s = sigmoid(x)
  void backward(Read<S, D> x, Read<S, D> y, Read<S, D> dy, Gradient<S, D> dx) const {
    detail::expect_shape("Activation", "y", y, x.rows(), x.cols());
    detail::expect_shape("Activation", "dy", dy, x.rows(), x.cols());
    detail::expect_gradient("Activation", "dx", dx, x.rows(), x.cols());
    if (!dx.wanted()) return;
    const auto put = [&](auto slope, const auto&... of) {
      detail::elementwise(
          dx, dx.adds(), [&](const R& d, const auto&... from) -> R { return d * slope(from...); }, dy, of...);
    };
    using enum Nonlinearity;
    switch (kind) {
      case identity: put([] { return R(1); }); break;
      case tanh: put([](const R& yi) -> R { return 1 - yi * yi; }, y); break;
      case relu: put([](const R& xi) { return detail::step<S>(xi); }, x); break;
      case gelu:
        put(
            [](const R& xi) -> R {
              const detail::Normal<S> normal(xi);
              return normal.below + xi * normal.bell * S(0.3989422804014327);
            },
            x);
        break;
      case gelu_tanh:
        put(
            [](const R& xi, const R& yi) -> R {
              const R s = detail::sigmoid<S>(gelu_inner(xi));
              return s + yi * (1 - s) * (S(1.5957691216057308) + S(3 * 0.07135481627260025) * xi * xi);
            },
            x, y);
        break;
      case silu:
        put(
            [](const R& xi, const R& yi) -> R {
              const R s = detail::sigmoid<S>(xi);
              return s + yi * (1 - s);
            },
            x, y);
        break;
      case sigmoid: put([](const R& yi) -> R { return yi * (1 - yi); }, y); break;
      case softplus: put([](const R& xi) { return detail::sigmoid<S>(xi); }, x); break;
    }
  }

  Node graph(Graph& g, const Node& x) const {
    const auto plain = [&](const char* type, const Node& of) { return g.op(type, {of}, x.rows); };
    using enum Nonlinearity;
    switch (kind) {
      case identity: return x;
      case tanh: return plain("Tanh", x);
      case relu: return plain("Relu", x);
      case gelu: {
        const Node twice_below = g.add(plain("Erf", g.multiply(x, std::sqrt(0.5))), g.number(1));
        return g.multiply(g.multiply(x, 0.5), twice_below);
      }
      case gelu_tanh: {
        const Node square = g.multiply(x, x);
        const Node inner = g.add(g.multiply(square, 0.07135481627260025), g.number(1.5957691216057308));
        return g.multiply(x, plain("Sigmoid", g.multiply(x, inner)));
      }
      case silu: return g.multiply(x, plain("Sigmoid", x));
      case sigmoid: return plain("Sigmoid", x);
      case softplus: return plain("Softplus", x);
    }
    return x;
  }

 private:
  using R = detail::Register<S>;
  /// 2 sqrt(2/pi) (x + 0.044715 x^3): tanh(u) = 2 sigmoid(2 u) - 1
  static R gelu_inner(const R& x) { return x * (S(1.5957691216057308) + S(0.07135481627260025) * x * x); }
};

}  // namespace heed
