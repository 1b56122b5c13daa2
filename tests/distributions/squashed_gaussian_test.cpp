#include "heed/distributions/squashed_gaussian.hpp"

#include <limits>

#include "distributions/fixture.hpp"

using heed::Index;
using heed::Random;
using heed::SquashedGaussian;

namespace {

using Matrix = Eigen::MatrixXd;
using Vector = Eigen::VectorXd;
constexpr double infinity = std::numeric_limits<double>::infinity();

/// log p of one number, directly and in long double.
long double direct(long double z, long double mean, long double log_std, long double low, long double high) {
  const long double off = (z - mean) / std::exp(log_std);
  const long double normal = -off * off / 2 - log_std - 0.918938533204672741780329736405617639861L;
  return normal - std::log((high - low) / 2) - 2 * std::log(1 / std::cosh(z));
}

/// The entropy of one dimension, by the trapezoidal rule over z.
double entropy(double mean, double log_std, double low, double high) {
  const int n = 2000;
  const long double sigma = std::exp((long double)log_std), width = 20 * sigma / n;
  long double sum = 0;
  for (int i = 0; i <= n; ++i) {
    const long double z = mean - 10 * sigma + i * width, off = (z - mean) / sigma;
    const long double density = std::exp(-off * off / 2) / (sigma * 2.506628274631000502415765284811045253007L);
    sum -= width * density * direct(z, mean, log_std, low, high);
  }
  return double(sum);
}

const Vector low = (Vector(3) << -2, -0.1, 5).finished(), high = (Vector(3) << 2, 0.3, 5.5).finished();

}  // namespace

TEMPLATE_TEST_CASE("SquashedGaussian: log-probability against the formula in long double", "", float, double) {
  using S = TestType;
  for (const double scale : {0.1, 1.0, 3.0}) {
    const GaussianFixture f(3, 4, 4, 3);
    const heed::Tokens<S> mean = f.mean.cast<S>(), log_std = f.log_std.cast<S>(), z = (scale * f.x).cast<S>();
    for (Index j = 0; j < 4; ++j) {
      const SquashedGaussian<S> p(mean, j, log_std, low, high);
      long double log_p = 0;
      for (Index i = 0; i < 3; ++i) log_p += direct(z(i, 0), mean(i, j), log_std(i, j), low[i], high[i]);
      const double epsilon = sizeof(S) == 4 ? 1e-5 : 1e-13;
      CHECK(p.log_prob(z) == Approx(double(log_p)).epsilon(epsilon));
      CHECK(p.entropy_estimate(z) == -p.log_prob(z));
    }
  }
}

TEST_CASE("SquashedGaussian: the density of the action integrates to 1") {
  const double mean = GENERATE(-1.5, 0.3), log_std = GENERATE(-1.5, 0.0);
  const Matrix m = Matrix::Constant(1, 1, mean), l = Matrix::Constant(1, 1, log_std);
  const Vector from = Vector::Constant(1, -0.5), to = Vector::Constant(1, 2.5);
  const SquashedGaussian<double> p(m, 0, l, from, to);
  const int n = 200000;
  double mass = 0;
  Vector z(1), a(1);
  for (int i = 0; i < n; ++i) {
    const double wanted = -0.5 + 3 * (i + 0.5) / n;
    z[0] = std::atanh(2 * (wanted + 0.5) / 3 - 1);
    if (i % 1000 == 0) {
      p.action(z, a);
      CHECK(a[0] == Approx(wanted).epsilon(1e-12));
    }
    mass += std::exp(p.log_prob(z)) * 3 / n;
  }
  CHECK(mass == Approx(1).epsilon(1e-5));  // the density is steep near the bounds
}

TEST_CASE("SquashedGaussian: actions are squashed into their bounds, to the last bit") {
  const GaussianFixture f(3, 1, 1, 4);
  const SquashedGaussian<double> p(f.mean, 0, f.log_std, low, high);
  Vector a(3);
  p.action(f.x, a);
  for (Index i = 0; i < 3; ++i)
    CHECK(a[i] == Approx(low[i] + (high[i] - low[i]) * (std::tanh(f.x[i]) + 1) / 2).epsilon(1e-13));
  p.action(Vector::Zero(3).eval(), a);
  CHECK((a - (low + high) / 2).norm() < 1e-15);
  for (const double z : {-1e300, -400.0, -20.0, 20.0, 400.0, 1e300}) {
    p.action(Vector::Constant(3, z).eval(), a);
    CHECK(((a.array() >= low.array()) && (a.array() <= high.array())).all());
    if (std::abs(z) >= 400) CHECK(a == (z > 0 ? high : low));
  }
}

TEMPLATE_TEST_CASE("SquashedGaussian: the correction holds where tanh is 1", "", float, double) {
  using S = TestType;
  const heed::Tokens<S> none = heed::Tokens<S>::Zero(1, 1);
  const Vector from = Vector::Constant(1, -1), to = Vector::Constant(1, 1);
  const SquashedGaussian<S> p(none, 0, none, from, to);
  for (const double z : {50.0, -50.0, 1000.0, -1000.0}) {
    const heed::Tokens<S> at = heed::Tokens<S>::Constant(1, 1, S(z));
    const double wanted = -z * z / 2 - 0.9189385332046727 - 2 * (std::log(2.0) - std::abs(z));
    CHECK(p.log_prob(at) == Approx(wanted).epsilon(1e-6));
    heed::Tokens<S> d = heed::Tokens<S>::Zero(2, 1);
    p.add_entropy_estimate_gradient(at, 1, d.topRows(1), d.bottomRows(1));
    CHECK(d(0, 0) == Approx(z > 0 ? -2 : 2));
    CHECK(d(1, 0) == Approx(1 - 2 * std::abs(z)));
  }
}

TEST_CASE("SquashedGaussian: gradients against central differences") {
  const Index deviations = GENERATE(1, 2);
  GaussianFixture f(3, 2, deviations, 5);
  const GaussianFixture other(3, 2, deviations, 6);
  const Vector noise = ((f.x - f.mean.col(1)).array() / f.log_std.col(deviations - 1).array().exp()).matrix();
  const auto p = [&] { return SquashedGaussian<double>(f.mean, 1, f.log_std, low, high); };
  const SquashedGaussian<double> q(other.mean, 1, other.log_std, low, high);
  const auto check = [&](auto add, auto value) {
    Matrix dmean = Matrix::Zero(3, 2), dlog_std = Matrix::Zero(3, deviations);
    add(p(), heed::Write<double>(dmean.col(1)), heed::Write<double>(dlog_std.col(deviations - 1)));
    f.check_slopes(dmean, dlog_std, [&] { return value(p()); });
  };
  using P = const SquashedGaussian<double>&;
  using D = heed::Write<double>;
  check([&](P g, D dmean, D dlog_std) { g.add_log_prob_gradient(f.x, 1, dmean, dlog_std); },
        [&](P g) { return g.log_prob(f.x); });
  check([&](P g, D dmean, D dlog_std) { g.add_divergence_gradient(q, 1, dmean, dlog_std); },
        [&](P g) { return g.divergence(q); });
  // The estimate of the entropy with the noise kept, and z following mean and deviation.
  check([&](P g, D dmean, D dlog_std) { g.add_entropy_estimate_gradient(f.x, 1, dmean, dlog_std); },
        [&](P g) {
          const auto sigma = f.log_std.col(deviations - 1).array().exp();
          return g.entropy_estimate((f.mean.col(1).array() + sigma * noise.array()).matrix().eval());
        });
}

TEST_CASE(
    "SquashedGaussian: gradients are scaled and added to what is there, and stop at the bounds of the deviation") {
  GaussianFixture f(3, 1, 1, 7);
  f.log_std(1, 0) = 3;
  const SquashedGaussian<double> p(f.mean, 0, f.log_std, low, high);
  Vector mean = Vector::Zero(3), log_std = mean, dmean = Vector::Constant(3, 10), dlog_std = dmean;
  p.add_entropy_estimate_gradient(f.x, 1, mean, log_std);
  p.add_entropy_estimate_gradient(f.x, -2.5, dmean, dlog_std);
  CHECK((dmean - (Vector::Constant(3, 10) - 2.5 * mean)).norm() < 1e-13);
  CHECK((dlog_std - (Vector::Constant(3, 10) - 2.5 * log_std)).norm() < 1e-13);
  CHECK(log_std[1] == 0);
  CHECK((log_std[0] != 0 && log_std[2] != 0 && mean[1] != 0));
}

TEST_CASE("SquashedGaussian: samples fall below each number as often as they should") {
  const GaussianFixture f(3, 1, 1, 9);
  const SquashedGaussian<double> p(f.mean, 0, f.log_std, low, high);
  const int n = 100000;
  Random random(11);
  Vector z(3), a(3);
  Eigen::Matrix<int, 3, 3> below = Eigen::Matrix<int, 3, 3>::Zero();
  for (int i = 0; i < n; ++i) {
    p.sample(random, z);
    p.action(z, a);
    for (Index d = 0; d < 3; ++d)
      for (Index k = 0; k < 3; ++k) below(d, k) += a[d] < low[d] + (high[d] - low[d]) * (double(k) + 1) / 4;
  }
  for (Index d = 0; d < 3; ++d)
    for (Index k = 0; k < 3; ++k) {
      const double off = (std::atanh((double(k) + 1) / 2 - 1) - f.mean(d, 0)) / std::exp(f.log_std(d, 0));
      const double share = std::erfc(-off / std::sqrt(2.0)) / 2;
      CHECK(std::abs(below(d, k) - n * share) <= 5 * std::sqrt(n * share * (1 - share)) + 1);
    }
  p.mode(z);
  CHECK(z == f.mean.col(0));
}

TEST_CASE("SquashedGaussian: the estimate of the entropy and its gradient are right in the mean") {
  Matrix mean = Matrix::Constant(1, 1, 0.4), log_std = Matrix::Constant(1, 1, -0.3);
  const Vector from = Vector::Constant(1, -1), to = Vector::Constant(1, 3);
  const SquashedGaussian<double> p(mean, 0, log_std, from, to);
  const int n = 100000;
  Random random(11);
  Eigen::Array3d sum = Eigen::Array3d::Zero(), squares = sum;
  Vector z(1), d(2);
  for (int i = 0; i < n; ++i) {
    p.sample(random, z);
    d.setZero();
    p.add_entropy_estimate_gradient(z, 1, d.head(1), d.tail(1));
    const Eigen::Array3d one(p.entropy_estimate(z), d[0], d[1]);
    sum += one;
    squares += one.square();
  }
  const auto exact = [&] { return entropy(mean(0, 0), log_std(0, 0), -1, 3); };
  const Eigen::Array3d wanted(exact(), heed::testing::detail::central_difference(mean(0, 0), exact),
                              heed::testing::detail::central_difference(log_std(0, 0), exact));
  const Eigen::Array3d deviation = (squares / n - (sum / n).square()).sqrt();
  for (Index i = 0; i < 3; ++i) CHECK(std::abs(sum[i] / n - wanted[i]) < 5 * deviation[i] / std::sqrt(double(n)));
  CHECK(std::abs(wanted[1]) > 0.1);
  CHECK(std::abs(wanted[2]) > 0.1);
}

TEST_CASE("SquashedGaussian: errors") {
  const Matrix mean = Matrix::Zero(3, 2), log_std = Matrix::Zero(3, 1);
  const auto with = [&](double l, double h) {
    Vector from = low, to = high;
    from[1] = l, to[1] = h;
    SquashedGaussian<double>(mean, 0, log_std, from, to);
  };
  CHECK_NOTHROW(with(-1, 1));
  CHECK_THROWS_WITH(with(1, 1), ContainsSubstring("SquashedGaussian: dimension 1 is to lie between 1 and 1"));
  CHECK_THROWS_WITH(with(1, 0), ContainsSubstring("between 1 and 0"));
  CHECK_THROWS_WITH(with(-infinity, 1), ContainsSubstring("between -inf and 1"));
  CHECK_THROWS_WITH(with(std::nan(""), 1), ContainsSubstring("between nan and 1"));
  CHECK_THROWS_WITH(SquashedGaussian<double>(mean, 0, log_std, low.head(2), high),
                    ContainsSubstring("SquashedGaussian: low is 2 x 1, but 3 x 1 is needed"));
  CHECK_THROWS_WITH(SquashedGaussian<double>(mean, 0, log_std, low, high.head(2)), ContainsSubstring("high is 2 x 1"));
  CHECK_THROWS_WITH(SquashedGaussian<double>(mean, 2, log_std, low, high),
                    ContainsSubstring("column 2 is not one of 2"));

  const SquashedGaussian<double> p(mean, 0, log_std, low, high);
  const Vector wider = 2 * high;
  const SquashedGaussian<double> q(mean, 0, log_std, low, wider);
  Vector z = Vector::Zero(3), d = Vector::Ones(3), small(2);
  CHECK_THROWS_WITH(p.divergence(q), ContainsSubstring("dimension 0 lies between -2 and 2, but that of the other "
                                                       "between -2 and 4"));
  CHECK_THROWS_WITH(p.add_divergence_gradient(q, 1, d, d), ContainsSubstring("dimension 0 lies between"));
  CHECK_THROWS_WITH(p.action(small, d), ContainsSubstring("z is 2 x 1"));
  CHECK_THROWS_WITH(p.action(z, small), ContainsSubstring("a is 2 x 1"));
  CHECK_THROWS_WITH(p.log_prob(small), ContainsSubstring("x is 2 x 1"));
  CHECK_THROWS_WITH(p.add_entropy_estimate_gradient(small, 1, d, d), ContainsSubstring("z is 2 x 1"));
  CHECK_THROWS_WITH(p.add_entropy_estimate_gradient(z, 1, small, d), ContainsSubstring("dmean is 2 x 1"));
  CHECK_THROWS_WITH(p.add_entropy_estimate_gradient(z, 1, d, small), ContainsSubstring("dlog_std is 2 x 1"));
  CHECK(d == Vector::Ones(3));
}
