#include "heed/distributions/gaussian.hpp"

#include <limits>
#include <numbers>

#include "distributions/fixture.hpp"

using heed::Gaussian;
using heed::Index;
using heed::Random;

namespace {

using Matrix = Eigen::MatrixXd;
using Vector = Eigen::VectorXd;
constexpr long double log_two_pi = 1.837877066409345483560659472811235279723L;
constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

/// Of one number: log N(x), and KL(p || q), in long double.
long double log_normal(long double x, long double mean, long double log_std) {
  const long double variance = std::exp(2 * log_std);
  return -(x - mean) * (x - mean) / (2 * variance) - log_std - log_two_pi / 2;
}
long double divergence(long double mean, long double log_std, long double other_mean, long double other_log_std) {
  const long double variance = std::exp(2 * log_std), other = std::exp(2 * other_log_std);
  return other_log_std - log_std + (variance + (mean - other_mean) * (mean - other_mean)) / (2 * other) - 0.5L;
}

}  // namespace

TEMPLATE_TEST_CASE("Gaussian: log-probability, entropy and divergence against the formulas in long double", "", float,
                   double) {
  using S = TestType;
  const double epsilon = sizeof(S) == 4 ? 1e-5 : 1e-13;
  for (const Index size : {1, 2, 7})
    for (const Index deviations : {1, 4}) {
      const GaussianFixture f(size, 4, deviations, 3), g(size, 4, deviations, 4);
      const heed::Tokens<S> mean = f.mean.cast<S>(), log_std = f.log_std.cast<S>(), x = f.x.cast<S>();
      const heed::Tokens<S> other_mean = g.mean.cast<S>(), other_log_std = g.log_std.cast<S>();
      for (Index j = 0; j < 4; ++j) {
        const Gaussian<S> p(mean, j, log_std), q(other_mean, j, other_log_std);
        REQUIRE(p.size() == size);
        long double log_p = 0, entropy = 0, kl = 0;
        for (Index i = 0; i < size; ++i) {
          const Index k = deviations == 1 ? 0 : j;
          log_p += log_normal(x(i, 0), mean(i, j), log_std(i, k));
          entropy += log_std(i, k) + (1 + log_two_pi) / 2;
          kl += divergence(mean(i, j), log_std(i, k), other_mean(i, j), other_log_std(i, k));
          CHECK(p.deviation(i) == Approx(std::exp(double(log_std(i, k)))).epsilon(epsilon));
        }
        CHECK(p.log_prob(x) == Approx(double(log_p)).epsilon(epsilon));
        CHECK(p.entropy() == Approx(double(entropy)).epsilon(epsilon).margin(epsilon));
        CHECK(p.divergence(q) == Approx(double(kl)).epsilon(epsilon));
        CHECK(p.divergence(p) == 0);
      }
    }
}

TEST_CASE("Gaussian: the density integrates to 1, and entropy and divergence are its means") {
  for (const double log_std : {-2.0, 0.0, 1.5}) {
    const Matrix mean = Matrix::Constant(1, 1, 0.7), l = Matrix::Constant(1, 1, log_std);
    const Matrix other_mean = Matrix::Constant(1, 1, 1.1), other_l = Matrix::Constant(1, 1, log_std + 0.4);
    const Gaussian<double> p(mean, 0, l), q(other_mean, 0, other_l);
    const int n = 4000;
    const double sigma = std::exp(log_std), width = 24 * sigma / n;
    double mass = 0, entropy = 0, kl = 0;
    Vector x(1);
    for (int i = 0; i <= n; ++i) {
      x[0] = 0.7 - 12 * sigma + i * width;
      const double log_p = p.log_prob(x), weight = std::exp(log_p) * width;
      mass += weight;
      entropy -= weight * log_p;
      kl += weight * (log_p - q.log_prob(x));
    }
    CHECK(mass == Approx(1).epsilon(1e-12));
    CHECK(p.entropy() == Approx(entropy).epsilon(1e-12));
    CHECK(p.divergence(q) == Approx(kl).epsilon(1e-12));
  }
}

TEST_CASE("Gaussian: gradients against central differences") {
  const Index size = GENERATE(1, 3), deviations = GENERATE(1, 2);
  GaussianFixture f(size, 2, deviations, 5);
  const GaussianFixture other(size, 2, deviations, 6);
  const auto p = [&] { return Gaussian<double>(f.mean, 1, f.log_std); };
  const Gaussian<double> q(other.mean, 1, other.log_std);
  const auto check = [&](auto add, auto value) {
    Matrix dmean = Matrix::Zero(size, 2), dlog_std = Matrix::Zero(size, deviations);
    add(p(), heed::Write<double>(dmean.col(1)), heed::Write<double>(dlog_std.col(deviations - 1)));
    f.check_slopes(dmean, dlog_std, [&] { return value(p()); });
  };
  using P = const Gaussian<double>&;
  using D = heed::Write<double>;
  check([&](P g, D dmean, D dlog_std) { g.add_log_prob_gradient(f.x, 1, dmean, dlog_std); },
        [&](P g) { return g.log_prob(f.x); });
  check([&](P g, D, D dlog_std) { g.add_entropy_gradient(1, dlog_std); }, [](P g) { return g.entropy(); });
  check([&](P g, D dmean, D dlog_std) { g.add_divergence_gradient(q, 1, dmean, dlog_std); },
        [&](P g) { return g.divergence(q); });
}

TEST_CASE("Gaussian: gradients are scaled and added to what is there") {
  const GaussianFixture f(3, 2, 1, 7), other(3, 2, 1, 8);
  const Gaussian<double> p(f.mean, 1, f.log_std), q(other.mean, 0, other.log_std);
  const auto check = [&](auto add) {
    Vector mean = Vector::Zero(3), log_std = mean, dmean = Vector::Constant(3, 10), dlog_std = dmean;
    add(1.0, heed::Write<double>(mean), heed::Write<double>(log_std));
    add(-2.5, heed::Write<double>(dmean), heed::Write<double>(dlog_std));
    CHECK((dmean - (Vector::Constant(3, 10) - 2.5 * mean)).norm() < 1e-13);
    CHECK((dlog_std - (Vector::Constant(3, 10) - 2.5 * log_std)).norm() < 1e-13);
    CHECK(log_std.norm() > 0.01);
  };
  using D = heed::Write<double>;
  check([&](double s, D dmean, D dlog_std) { p.add_log_prob_gradient(f.x, s, dmean, dlog_std); });
  check([&](double s, D, D dlog_std) { p.add_entropy_gradient(s, dlog_std); });
  check([&](double s, D dmean, D dlog_std) { p.add_divergence_gradient(q, s, dmean, dlog_std); });
}

TEST_CASE("Gaussian: samples have the moments they should have") {
  const GaussianFixture f(3, 1, 1, 9);
  const Gaussian<double> p(f.mean, 0, f.log_std);
  const int n = 100000;
  const double root = std::sqrt(double(n));
  Random random(11);
  Vector x(3), sum = Vector::Zero(3), cubes = sum, fourths = sum;
  Matrix squares = Matrix::Zero(3, 3);
  double log_p = 0;
  for (int i = 0; i < n; ++i) {
    p.sample(random, x);
    const Vector z = ((x - f.mean.col(0)).array() / f.log_std.col(0).array().exp()).matrix();
    sum += z;
    squares += z * z.transpose();
    cubes += z.array().cube().matrix();
    fourths += z.array().pow(4).matrix();
    log_p += p.log_prob(x);
  }
  // Of z, z^2, z^3, z^4 the variances are 1, 2, 15, 96, of products of two 1, and of log p it is D / 2.
  for (Index i = 0; i < 3; ++i) {
    CHECK(std::abs(sum[i] / n) < 5 / root);
    CHECK(std::abs(cubes[i] / n) < 5 * std::sqrt(15) / root);
    CHECK(std::abs(fourths[i] / n - 3) < 5 * std::sqrt(96) / root);
    for (Index j = 0; j < 3; ++j)
      CHECK(std::abs(squares(i, j) / n - (i == j)) < 5 * (i == j ? std::sqrt(2) : 1) / root);
  }
  CHECK(std::abs(log_p / n + p.entropy()) < 5 * std::sqrt(1.5) / root);
}

TEST_CASE("Gaussian: a sample takes one normal number a dimension, and the mode is the mean") {
  const GaussianFixture f(3, 2, 2, 10);
  const Gaussian<double> p(f.mean, 1, f.log_std);
  Random random(5), normal = random;
  Vector x(3);
  p.sample(random, x);
  for (Index i = 0; i < 3; ++i)
    CHECK(x[i] == Approx(f.mean(i, 1) + std::exp(f.log_std(i, 1)) * normal.normal()).epsilon(1e-14));
  CHECK(random.bits() == normal.bits());
  p.mode(x);
  CHECK(x == f.mean.col(1));
}

TEST_CASE("Gaussian: log deviations are kept within their bounds, beyond which they have no gradient") {
  Matrix mean = Matrix::Zero(4, 1), log_std(4, 1), within(4, 1);
  log_std << -30, -20, 2, 5;
  within << -20, -20, 2, 2;
  const Gaussian<double> p(mean, 0, log_std), q(mean, 0, within);
  const Vector x = Vector::Constant(4, 1e-9);
  CHECK(p.log_prob(x) == q.log_prob(x));
  CHECK(p.entropy() == q.entropy());
  CHECK(p.divergence(q) == 0);
  for (Index i = 0; i < 4; ++i) CHECK(p.adjustable(i) == (i == 1 || i == 2));
  Vector dmean = Vector::Zero(4), dlog_std = dmean, all_mean = dmean, all = dmean;
  const auto add = [&](const Gaussian<double>& g, Vector& dm, Vector& dl) {
    g.add_log_prob_gradient(x, 0.1, dm, dl);
    g.add_entropy_gradient(1, dl);
    g.add_divergence_gradient(q, 0.1, dm, dl);
  };
  add(p, dmean, dlog_std);
  add(q, all_mean, all);
  CHECK(dmean == all_mean);
  CHECK((dlog_std[0] == 0 && dlog_std[3] == 0));
  CHECK((dlog_std.segment(1, 2) == all.segment(1, 2) && all[1] != 0 && all[2] != 0));

  const Gaussian<double> narrow(mean, 0, log_std, {.low = -1, .high = 0});
  CHECK(narrow.deviation(0) == Approx(std::exp(-1.0)));
  CHECK(narrow.deviation(3) == 1);
  CHECK_FALSE(narrow.adjustable(2));
}

TEMPLATE_TEST_CASE("Gaussian: the narrowest and the widest stay finite", "", float, double) {
  using S = TestType;
  heed::Tokens<S> mean(2, 2), log_std(2, 2), x(2, 1), d = heed::Tokens<S>::Zero(2, 2);
  mean << S(-1e4), S(1e4), S(1e4), S(-1e4);
  log_std << -20, 20, 20, -20;
  x << S(1e4), S(1e4);
  const typename Gaussian<S>::Bounds bounds{.low = -20, .high = 20};
  const Gaussian<S> p(mean, 0, log_std, bounds), q(mean, 1, log_std, bounds);
  CHECK(p.log_prob(x) == Approx(-2e8 * std::exp(40.0) - std::log(2 * std::numbers::pi)).epsilon(1e-5));
  CHECK(std::isfinite(p.divergence(q)));
  CHECK(p.entropy() == Approx(1 + std::log(2 * std::numbers::pi)).epsilon(1e-5));
  p.add_log_prob_gradient(x, 1, d.col(0), d.col(1));
  p.add_divergence_gradient(q, 1, d.col(0), d.col(1));
  CHECK(d.allFinite());
}

TEST_CASE("Gaussian: the divergence of what is nearly equal is not lost in float") {
  const Eigen::VectorXf mean = Eigen::VectorXf::Zero(1), log_std = Eigen::VectorXf::Zero(1);
  const Eigen::VectorXf other = Eigen::VectorXf::Constant(1, 1e-3f);
  const double d = -2 * double(other[0]);
  CHECK(Gaussian<float>(mean, 0, log_std).divergence(Gaussian<float>(mean, 0, other)) ==
        Approx((std::expm1(d) - d) / 2).epsilon(1e-3));
}

TEST_CASE("Gaussian: without dimensions nothing is uncertain") {
  const Matrix none(0, 1);
  Vector x(0);
  const Gaussian<double> p(none, 0, none);
  CHECK(p.log_prob(x) == 0);
  CHECK(p.entropy() == 0);
  CHECK(p.divergence(p) == 0);
}

TEST_CASE("Gaussian: errors") {
  Matrix mean = Matrix::Zero(3, 4), log_std = Matrix::Zero(3, 4), broken = mean;
  broken(2, 1) = not_a_number;
  broken(0, 2) = infinity;
  CHECK_THROWS_WITH(Gaussian<double>(mean, 4, log_std), ContainsSubstring("Gaussian: column 4 is not one of 4"));
  CHECK_THROWS_WITH(Gaussian<double>(mean, -1, log_std), ContainsSubstring("column -1 is not one of 4"));
  CHECK_THROWS_WITH(Gaussian<double>(mean, 0, log_std.leftCols(2)),
                    ContainsSubstring("Gaussian: log_std is 3 x 2, but 3 x 4 is needed"));
  CHECK_THROWS_WITH(Gaussian<double>(mean, 0, log_std.topLeftCorner(2, 1)),
                    ContainsSubstring("log_std is 2 x 1, but 3 x 1 is needed"));
  CHECK_THROWS_WITH(Gaussian<double>(broken, 1, log_std),
                    ContainsSubstring("the mean of dimension 2 in column 1 is nan, its log deviation 0"));
  CHECK_THROWS_WITH(Gaussian<double>(mean, 2, broken),
                    ContainsSubstring("the mean of dimension 0 in column 2 is 0, its log deviation inf"));
  CHECK_NOTHROW(Gaussian<double>(broken, 0, broken));
  using Bounds = Gaussian<double>::Bounds;
  for (const Bounds& b :
       {Bounds{1, 0}, Bounds{-21, 0}, Bounds{0, 21}, Bounds{not_a_number, 0}, Bounds{0, not_a_number}})
    CHECK_THROWS_WITH(Gaussian<double>(mean, 0, log_std, b), ContainsSubstring("are not within [-20, 20]"));

  const Gaussian<double> p(mean, 0, log_std);
  Vector x = Vector::Zero(3), d = Vector::Ones(3), small(2);
  CHECK_THROWS_WITH(p.log_prob(small), ContainsSubstring("Gaussian: x is 2 x 1, but 3 x 1 is needed"));
  CHECK_THROWS_WITH(p.mode(small), ContainsSubstring("x is 2 x 1"));
  Random random(1);
  CHECK_THROWS_WITH(p.sample(random, small), ContainsSubstring("x is 2 x 1"));
  CHECK_THROWS_WITH(p.add_log_prob_gradient(x, 1, small, d), ContainsSubstring("dmean is 2 x 1"));
  CHECK_THROWS_WITH(p.add_log_prob_gradient(x, 1, d, small), ContainsSubstring("dlog_std is 2 x 1"));
  CHECK_THROWS_WITH(p.add_entropy_gradient(1, small), ContainsSubstring("dlog_std is 2 x 1"));
  CHECK_THROWS_WITH(p.add_divergence_gradient(p, 1, small, d), ContainsSubstring("dmean is 2 x 1"));
  x[1] = not_a_number;
  CHECK_THROWS_WITH(p.log_prob(x), ContainsSubstring("Gaussian: x is nan in dimension 1"));
  CHECK_THROWS_WITH(p.add_log_prob_gradient(x, 1, d, d), ContainsSubstring("x is nan in dimension 1"));
  x[1] = infinity;
  CHECK_THROWS_WITH(p.log_prob(x), ContainsSubstring("x is inf in dimension 1"));
  const Matrix two = Matrix::Zero(2, 1);
  const Gaussian<double> other(two, 0, two);
  CHECK_THROWS_WITH(p.divergence(other), ContainsSubstring("3 dimensions, but the other has 2"));
  CHECK_THROWS_WITH(p.add_divergence_gradient(other, 1, d, d), ContainsSubstring("3 dimensions"));
  CHECK(d == Vector::Ones(3));
}
