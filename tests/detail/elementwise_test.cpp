#include "heed/detail/elementwise.hpp"

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "catch.hpp"

using heed::Index, heed::Tokens;
using heed::detail::elementwise, heed::detail::Register;

namespace {

template <class S, class F>
std::vector<S> map(const std::vector<S>& x, F f) {
  std::vector<S> y(x.size());
  heed::detail::elementwise_run(Index(x.size()), y.data(), false, f, x.data());
  return y;
}

/// Between low and high in equal steps, and around zero in equal ratios, of
/// either sign.
template <class S>
std::vector<S> dense(double low, double high) {
  std::vector<S> x;
  for (int i = 0; i <= 200000; ++i) x.push_back(S(low + (high - low) * (i / 200000.0)));
  const double tiniest = std::numeric_limits<S>::min_exponent - std::numeric_limits<S>::digits;
  for (double power = tiniest; power < 0; power += 0.02)
    for (const double sign : {1, -1}) x.push_back(S(sign * std::exp2(power)));
  return x;
}

/// The errors of f against the long double formula are at most `relative` epsilons of the result (where that is a normal
/// number) and `absolute` epsilons.
template <class S, class F, class G>
void check(const char* name, double low, double high, double relative, double absolute, F f, G formula) {
  INFO(name << (sizeof(S) == 4 ? " in float" : " in double"));
  const auto x = dense<S>(low, high), y = map(x, f);
  long double of_result = 0, of_one = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const long double wanted = formula((long double)x[i]), error = std::abs((long double)y[i] - wanted);
    if (std::isnan(y[i]) && !std::isnan(wanted)) FAIL("f(" << x[i] << ") is not a number");
    of_one = std::max(of_one, error);
    if (std::abs(wanted) > 2 * (long double)std::numeric_limits<S>::min())
      of_result = std::max(of_result, error / std::abs(wanted));
  }
  constexpr double epsilon = std::numeric_limits<S>::epsilon();
  CHECK(double(of_result) / epsilon <= relative);
  CHECK(double(of_one) / epsilon <= absolute);
}

constexpr auto exponential = []<class R>(const R& x) -> R { return heed::detail::exponential<typename R::Scalar>(x); };
constexpr auto power_of_two = []<class R>(const R& x) -> R {
  return heed::detail::power_of_two<typename R::Scalar>(x);
};
constexpr auto tangent = []<class R>(const R& x) -> R { return heed::detail::tangent<typename R::Scalar>(x); };
constexpr auto sigmoid = []<class R>(const R& x) -> R { return heed::detail::sigmoid<typename R::Scalar>(x); };
constexpr auto softplus = []<class R>(const R& x) -> R { return heed::detail::softplus<typename R::Scalar>(x); };
constexpr auto logarithm = []<class R>(const R& x) -> R { return log(x); };
constexpr auto step = []<class R>(const R& x) -> R { return heed::detail::step<typename R::Scalar>(x); };
constexpr auto bell = []<class R>(const R& x) -> R { return heed::detail::Normal<typename R::Scalar>(x).bell; };
constexpr auto below = []<class R>(const R& x) -> R { return heed::detail::Normal<typename R::Scalar>(x).below; };

constexpr double none = std::numeric_limits<double>::infinity();  // is asked of it

}  // namespace

TEMPLATE_TEST_CASE("Elementwise: functions against the formulas in long double", "", float, double) {
  using S = TestType;
  const double most = std::log(double(std::numeric_limits<S>::max())) - 0.01, least = -most + 2;
  check<S>("exp", least, most, 1, none, exponential, [](long double x) { return std::exp(x); });
  const double exponents = std::numeric_limits<S>::max_exponent;
  check<S>("2^", 2 - exponents, exponents - 0.51, 1, none, power_of_two, [](long double x) { return std::exp2(x); });
  check<S>("tanh", -25, 25, 3, 3, tangent, [](long double x) { return std::tanh(x); });
  check<S>("sigmoid", least, most, 2, 1, sigmoid, [](long double x) { return 1 / (1 + std::exp(-x)); });
  check<S>("softplus", least, 20, 2.5, 20, softplus,
           [](long double x) { return std::max(x, 0.0L) + std::log1p(std::exp(-std::abs(x))); });
  const auto log_of_normal = [](long double x) {
    return x < std::numeric_limits<S>::min() ? std::numeric_limits<long double>::quiet_NaN() : std::log(x);
  };
  check<S>("log", 0, 4, 1.5, none, logarithm, log_of_normal);
  check<S>("log", 0, 1e6, 1.5, none, logarithm, log_of_normal);
  check<S>("log", 0, double(std::numeric_limits<S>::max()), 1.5, none, logarithm, log_of_normal);
  const auto phi = [](long double x) { return std::exp(-x * x / 2); };
  const auto Phi = [](long double x) { return std::erfc(-x * 0.70710678118654752440L) / 2; };
  check<S>("phi", -2, 2, 3, 1.5, bell, phi);
  check<S>("phi", -12, 12, 80, 1.5, bell,
           phi);  // an error of x^2 / 2 is one of the result's size
  check<S>("Phi", -2, 2, 8, 3, below, Phi);
  check<S>("Phi", -12, 12, 80, 3, below, Phi);
}

TEMPLATE_TEST_CASE("Elementwise: functions of extreme numbers", "", float, double) {
  using S = TestType;
  constexpr S infinity = std::numeric_limits<S>::infinity(), most = std::numeric_limits<S>::max();
  constexpr S tiny = std::numeric_limits<S>::denorm_min(), small = std::numeric_limits<S>::min();
  const std::vector<S> x{-infinity, -most, S(-1e4), -small, -tiny, S(-0.0), 0, tiny, small, S(1e4), most, infinity};
  using V = std::vector<S>;
  CHECK(map(x, exponential) == V{0, 0, 0, 1, 1, 1, 1, 1, 1, infinity, infinity, infinity});
  CHECK(map(x, power_of_two) == map(x, exponential));
  CHECK(map(x, tangent) == V{-1, -1, -1, -small, -tiny, 0, 0, tiny, small, 1, 1, 1});
  const S half(0.5);
  CHECK(map(x, sigmoid) == V{0, 0, 0, half, half, half, half, half, half, 1, 1, 1});
  const S log2 = S(0.6931471805599453);
  CHECK(map(x, softplus) == V{0, 0, 0, log2, log2, log2, log2, log2, log2, S(1e4), most, infinity});
  CHECK(map(V{0, S(-0.0), 1, infinity}, logarithm) == V{-infinity, -infinity, 0, infinity});
  CHECK(map(x, step) == V{0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1});
  CHECK(map(x, bell) == V{0, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0, 0});
  const V of_normal = map(x, below);
  for (std::size_t i = 0; i < x.size(); ++i)
    CHECK(of_normal[i] == Approx(i < 3 ? 0 : i < 9 ? 0.5 : 1).epsilon(2 * std::numeric_limits<S>::epsilon()));
  const V nan(21, std::numeric_limits<S>::quiet_NaN());
  const auto stays = [&](auto f) {
    for (const S y : map(nan, f)) CHECK(std::isnan(y));
  };
  stays(exponential), stays(power_of_two), stays(tangent), stays(sigmoid), stays(softplus), stays(logarithm),
      stays(bell), stays(below);

  // Overflows where it must, and not before; zero only where next to nothing is
  // left.
  const S top = std::nextafter(S(std::log((long double)most)), S(0));
  const V edge = map(V{top, std::nextafter(top * (1 + 2 * std::numeric_limits<S>::epsilon()), infinity)}, exponential);
  CHECK(edge[0] < infinity);
  CHECK(edge[0] > most * S(0.999));
  CHECK(edge[1] == infinity);
  CHECK(map(V{S(std::log((long double)small) + 0.4L)}, exponential)[0] > small);
  const S first = std::numeric_limits<S>::max_exponent;
  CHECK(map(V{first - 1, first - S(0.4), 2 - first, S(1.4) - first, 1 - first}, power_of_two) ==
        V{std::ldexp(S(1), int(first) - 1), infinity, small, 0, 0});
  CHECK(map(V{S(1.6) - first}, power_of_two)[0] > 0);
}

TEMPLATE_TEST_CASE("Elementwise: what comes of a number does not depend on its place", "", float, double) {
  using S = TestType;
  using R = Register<S>;
  const Tokens<S> x = 3 * Tokens<S>::Random(67, 1), z = Tokens<S>::Random(67, 1);
  const auto f = [](const R& a, const R& b) -> R {
    return heed::detail::tangent<S>(a) * b + heed::detail::Normal<S>(a).below;
  };
  Tokens<S> all(67, 1);
  elementwise(all, false, f, x, z);
  for (Index n = 0; n <= 40; ++n)
    for (const Index first : {0, 1, 3, 20}) {
      Tokens<S> y = Tokens<S>::Constant(n + 2, 1, 7);
      elementwise(y.middleRows(1, n), false, f, x.middleRows(first, n), z.middleRows(first, n));
      REQUIRE(y.middleRows(1, n) == all.middleRows(first, n));
      REQUIRE((y(0, 0) == 7 && y(n + 1, 0) == 7));  // nothing else is written
    }
}

TEMPLATE_TEST_CASE("Elementwise: matrices in place, added to, of columns far apart, and rows", "", float, double) {
  using S = TestType;
  using R = Register<S>;
  const auto product = [](const R& a, const R& b) -> R { return a * b; };
  for (const Index rows : {1, 3, 16, 21})
    for (const Index cols : {1, 5}) {
      Tokens<S> x = Tokens<S>::Random(rows, cols), wide = Tokens<S>::Random(rows + 4, cols);
      const Tokens<S> z = wide.middleRows(2, rows);
      Tokens<S> y(rows, cols);
      elementwise(y, false, product, x, wide.middleRows(2, rows));
      REQUIRE(y == x.cwiseProduct(z));
      elementwise(wide.middleRows(2, rows), true, product, x, z);
      REQUIRE(wide.middleRows(2, rows).isApprox(z + y));
      elementwise(x, false, product, x, z);
      REQUIRE(x == y);
    }
  Eigen::Matrix<S, 1, heed::Dynamic> row = Eigen::Matrix<S, 1, heed::Dynamic>::Random(37);
  const Eigen::Matrix<S, 1, heed::Dynamic> before = row;
  elementwise(row, false, product, row, row);
  CHECK(row == before.cwiseProduct(before));
}

TEMPLATE_TEST_CASE("Elementwise: the sum of columns, of all heights", "", float, double) {
  using S = TestType;
  for (const Index rows : {1, 2, 3, 7, 16, 31, 64, 100, 151})
    for (const Index columns : {0, 1, 6}) {
      const Tokens<S> x = Tokens<S>::Random(rows + 3, columns + 1);
      Tokens<S> y = Tokens<S>::Random(rows + 1, 1), wanted = y;
      for (Index j = 0; j < columns; ++j) wanted.topRows(rows) += x.block(2, j, rows, 1);
      heed::detail::add_columns<S>(rows, columns, x.data() + 2, x.outerStride(), y.data());
      REQUIRE(y == wanted);
    }
}
