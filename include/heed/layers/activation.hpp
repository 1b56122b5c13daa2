#pragma once
#include <cmath>

#include "heed/core/tokens.hpp"

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
  Nonlinearity kind;

  explicit Activation(Nonlinearity kind_) : kind(kind_) {}

  void forward(Read<S, D> x, Write<S, D> y) const {
    detail::expect_shape("Activation", "y", y, x.rows(), x.cols());
    using enum Nonlinearity;
    switch (kind) {
      case identity: y = x; break;
      case tanh: y.array() = x.array().tanh(); break;
      case relu: y.array() = x.array().max(S(0)); break;
      case gelu: y.array() = x.array() * x.unaryExpr(&normal_cdf).array(); break;
      case gelu_tanh: y.array() = S(0.5) * x.array() * (1 + gelu_inner(x).tanh()); break;
      case silu: y.array() = x.array() * sigmoid_of(x.array()); break;
      case sigmoid: y.array() = sigmoid_of(x.array()); break;
      case softplus: y.array() = x.array().max(S(0)) + (-x.array().abs()).exp().log1p(); break;
    }
  }

  /// dx = f'(x) o dy, with y = f(x) where that is the shorter way.
  //
  //   tanh 1 - y^2    relu [x > 0]    gelu Phi(x) + x phi(x)    sigmoid y (1 - y)    softplus sigmoid(x)
  //   silu s + y (1 - s), s = sigmoid(x)    gelu_tanh (1 + t)/2 + x/2 (1 - t^2) u', t = tanh(u)
  void backward(Read<S, D> x, Read<S, D> y, Read<S, D> dy, Gradient<S, D> dx) const {
    detail::expect_shape("Activation", "y", y, x.rows(), x.cols());
    detail::expect_shape("Activation", "dy", dy, x.rows(), x.cols());
    detail::expect_gradient("Activation", "dx", dx, x.rows(), x.cols());
    if (!dx.wanted()) return;
    const auto put = [&](const auto& slope) { dx.put(0, (slope * dy.array()).matrix()); };
    using enum Nonlinearity;
    switch (kind) {
      case identity: dx.put(0, dy); break;
      case tanh: put(1 - y.array().square()); break;
      case relu: put((x.array() > S(0)).template cast<S>()); break;
      case gelu:
        put(x.unaryExpr(&normal_cdf).array() +
            x.array() * (x.array().square() * S(-0.5)).exp() * S(0.3989422804014327));
        break;
      case gelu_tanh: {
        const auto t = gelu_inner(x).tanh();
        const auto du = S(0.7978845608028654) * (1 + S(3 * 0.044715) * x.array().square());
        put(S(0.5) * (1 + t) + S(0.5) * x.array() * (1 - t.square()) * du);
        break;
      }
      case silu: put(sigmoid_of(x.array()) + y.array() * (1 - sigmoid_of(x.array()))); break;
      case sigmoid: put(y.array() * (1 - y.array())); break;
      case softplus: put(sigmoid_of(x.array())); break;
    }
  }

 private:
  static S normal_cdf(S x) { return S(0.5) * std::erfc(x * S(-0.7071067811865476)); }
  template <class X>
  static auto gelu_inner(const X& x) {
    return S(0.7978845608028654) * (x.array() + S(0.044715) * x.array().cube());
  }
  template <class X>
  static auto sigmoid_of(const X& x) {
    return (1 + (-x).exp()).inverse();  // 0 where e^-x overflows
  }
};

}  // namespace heed
