#include "heed/layers/fractional_difference.hpp"

#include <complex>

#include "../support.hpp"

using namespace support;
using heed::FractionalDifference;

namespace {

template <class S>
auto differences(double order, Index rows = 6) {
  return Rig<S, FractionalDifference<S>>({rows}, rows, [=](Subject<S>&) { return FractionalDifference<S>(order); });
}

/// c_k = Gamma(k - d) / (Gamma(-d) Gamma(k + 1)), here for 0 < d < 1.
long double coefficient(long double d, Index k) {
  if (k == 0) return 1;
  return -d * std::tgamma((long double)k - d) / (std::tgamma(1 - d) * std::tgamma((long double)k + 1));
}
auto formula(long double d) {
  return [d](const auto& values) {
    const auto& x = values.x[0];
    auto y = x;
    for (Index j = 0; j < x.cols; ++j)
      for (Index t = 1; t < x.rows; ++t)
        for (Index k = 1; k <= t; ++k) y(t, j) += coefficient(d, k) * x(t - k, j);
    return y;
  };
}

}  // namespace

TEST_CASE("FractionalDifference: the formula") {
  for (const double order : {0.25, 0.5, 0.9}) {
    auto s = differences<double>(order);
    auto f = differences<float>(order);
    for (const double size : {1.0, 0.0, 1e6}) {
      s.begin({0, 1, 50}), f.begin({0, 1, 50});
      s.x[0] *= size, f.x[0] *= float(size);
      check_formula(s, formula(order));
      check_formula(f, formula(order));
    }
  }
}

TEST_CASE("FractionalDifference: order 0 leaves a signal as it is, order 1 takes its differences") {
  auto same = differences<double>(0), first = differences<double>(1);
  same.begin({4}), first.begin({4});
  same.forward(), first.forward();
  CHECK(same_bits(same.y, same.x[0]));
  CHECK(same_bits(first.y.row(0), first.x[0].row(0)));
  CHECK(distance(first.y.bottomRows(5), first.x[0].bottomRows(5) - first.x[0].topRows(5)) <= 1e-15);
}

TEST_CASE("FractionalDifference: order 1/2 amplifies a wave by the root of 2 sin(w / 2), so that 1 / f becomes white") {
  const Index n = 4000;
  auto s = differences<double>(0.5, n);
  for (const double w : {0.3, 1.0, 2.5}) {
    s.begin({2});
    for (Index t = 0; t < n; ++t) s.x[0](t, 0) = std::cos(w * double(t)), s.x[0](t, 1) = std::sin(w * double(t));
    s.forward();
    const double gain = std::hypot(s.y(n - 1, 0), s.y(n - 1, 1));
    CHECK(gain == Approx(std::sqrt(2 * std::sin(w / 2))).epsilon(1e-3));
  }
}

TEST_CASE("FractionalDifference: gradients") {
  for (const double order : {0.0, 0.5, 1.0}) {
    auto s = differences<double>(order);
    s.begin({0, 1, 3});
    check_gradients(s);
    check_targets(s);
  }
  auto one = differences<double>(0.5, 1);  // a single sample
  one.begin({3});
  check_gradients(one);
}

TEST_CASE("FractionalDifference: wrong shapes") {
  auto s = differences<double>(0.5);
  s.begin({2, 3});
  s.forward();
  Tokens<double> high(7, 5), wide(6, 6);
  Parameters<double> g(s.layout);
  check_complaint("FractionalDifference: y is 7 x 5, but 6 x 5 is needed", [&] { s.layer.forward(s.x[0], high); });
  check_complaint("FractionalDifference: dx is 6 x 6, but 6 x 5 is needed", [&] { s.layer.backward(s.y, wide); });
}
