#include "heed/distributions/categorical.hpp"

#include <array>
#include <vector>

#include "catch.hpp"

using heed::Categorical;
using heed::Index;
using heed::Random;

namespace {

using Matrix = Eigen::MatrixXd;
using Vector = Eigen::VectorXd;
using Mask = Eigen::Matrix<bool, heed::Dynamic, heed::Dynamic>;
constexpr double infinity = std::numeric_limits<double>::infinity();

Matrix random_logits(Index actions, Index n, double scale, std::uint64_t seed = 1) {
  Random random(seed);
  Matrix l(actions, n);
  for (Index i = 0; i < l.size(); ++i) l.data()[i] = scale * random.normal();
  return l;
}
Mask mask_of(std::initializer_list<bool> allowed) {
  Mask m(Index(allowed.size()), 1);
  std::copy(allowed.begin(), allowed.end(), m.data());
  return m;
}

/// log p of one column, directly and in long double.
std::vector<long double> direct(const Matrix& logits, Index column, const Mask* mask = nullptr) {
  long double sum = 0;
  for (Index i = 0; i < logits.rows(); ++i)
    if (!mask || (*mask)(i, column)) sum += std::exp((long double)logits(i, column));
  std::vector<long double> log_p;
  for (Index i = 0; i < logits.rows(); ++i)
    log_p.push_back(!mask || (*mask)(i, column) ? (long double)logits(i, column) - std::log(sum)
                                                : -std::numeric_limits<long double>::infinity());
  return log_p;
}

/// The largest deviation of `exact` from the central differences of f(logits), over the size of the gradient.
template <class F>
double gradient_error(const Matrix& logits, const Vector& exact, F f) {
  Vector numeric(logits.rows());
  for (Index i = 0; i < logits.rows(); ++i) {
    Matrix l = logits;
    const auto at = [&](double h) {
      l(i, 0) = logits(i, 0) + h;
      return f(l);
    };
    const double h = 1e-3;
    numeric[i] = (at(-2 * h) - 8 * at(-h) + 8 * at(h) - at(2 * h)) / (12 * h);
  }
  return (numeric - exact).norm() / numeric.norm();
}

/// Counts of n samples against n p: sum of (count - n p)^2 / (n p), in standard deviations from its mean.
double chi_square_sigmas(const std::vector<int>& counts, const std::vector<double>& p, int n) {
  double sum = 0, cells = 0;
  for (std::size_t i = 0; i < p.size(); ++i)
    if (p[i] > 0) {
      sum += (counts[i] - n * p[i]) * (counts[i] - n * p[i]) / (n * p[i]);
      ++cells;
    }
  return (sum - (cells - 1)) / std::sqrt(2 * (cells - 1));
}

}  // namespace

TEST_CASE("Categorical: probabilities, log-probabilities and entropy against the formulas in long double") {
  const double scale = GENERATE(0.0, 1.0, 10.0);
  const Matrix logits = random_logits(5, 8, scale);
  for (Index j = 0; j < logits.cols(); ++j) {
    const Categorical<double> c(logits, j);
    const auto log_p = direct(logits, j);
    REQUIRE(c.actions() == 5);
    double sum = 0;
    long double entropy = 0;
    for (Index i = 0; i < 5; ++i) {
      const long double l = log_p[std::size_t(i)];
      CHECK(c.log_prob(i) == Approx(double(l)).epsilon(1e-13).margin(1e-14));
      CHECK(c.probability(i) == Approx(double(std::exp(l))).epsilon(1e-13));
      sum += c.probability(i);
      entropy -= std::exp(l) * l;
    }
    CHECK(sum == Approx(1).epsilon(1e-14));
    CHECK(c.entropy() == Approx(double(entropy)).epsilon(1e-13));
  }
}

TEST_CASE("Categorical: of many actions each counts") {
  const Index actions = 50;
  const Matrix logits = random_logits(actions, 1, 2, 3);
  const Categorical<double> c(logits, 0);
  const auto log_p = direct(logits, 0);
  Vector of_log_prob = Vector::Zero(actions), of_entropy = Vector::Zero(actions);
  c.add_log_prob_gradient(1, 1, of_log_prob);
  c.add_entropy_gradient(1, of_entropy);
  for (Index i = 0; i < actions; ++i) {
    const double l = double(log_p[std::size_t(i)]), p = std::exp(l);
    CHECK(c.probability(i) == Approx(p).epsilon(1e-13));
    CHECK(of_log_prob[i] == Approx((i == 1) - p).epsilon(1e-13));
    CHECK(of_entropy[i] == Approx(-p * (l + c.entropy())).epsilon(1e-12));
  }
}

TEST_CASE("Categorical: one action is certain") {
  const Eigen::MatrixXf logits = Eigen::MatrixXf::Constant(1, 1, -3);
  const Categorical<float> c(logits, 0);
  Random random(1);
  CHECK(c.probability(0) == 1);
  CHECK(c.log_prob(0) == 0);
  CHECK(c.entropy() == 0);
  CHECK(c.mode() == 0);
  CHECK(c.sample(random) == 0);
  Eigen::VectorXf d = Eigen::VectorXf::Zero(1);
  c.add_log_prob_gradient(0, 1, d);
  c.add_entropy_gradient(1, d);
  CHECK(d[0] == 0);
}

TEST_CASE("Categorical: equal logits have the entropy log n") {
  for (Index n : {2, 3, 100}) {
    const Matrix logits = Matrix::Constant(n, 1, 7.5);
    CHECK(Categorical<double>(logits, 0).entropy() == Approx(std::log(double(n))).epsilon(1e-14));
  }
}

TEST_CASE("Categorical: the mode is the most probable action, the first of several") {
  Matrix logits(3, 3);
  logits << 1, 2, -1, 5, 2, -3, 5, 0, -1;
  CHECK(Categorical<double>(logits, 0).mode() == 1);
  CHECK(Categorical<double>(logits, 1).mode() == 0);
  CHECK(Categorical<double>(logits, 2).mode() == 0);
  const Mask mask{{true, true, false}, {false, false, true}, {true, true, true}};
  CHECK(Categorical<double>(logits, 0, mask).mode() == 2);
  CHECK(Categorical<double>(logits, 1, mask).mode() == 0);
  CHECK(Categorical<double>(logits, 2, mask).mode() == 2);
}

TEST_CASE("Categorical: gradients against central differences") {
  const double scale = GENERATE(0.3, 3.0);
  const Index actions = GENERATE(2, 3, 6);
  CAPTURE(scale, actions);
  const Matrix logits = random_logits(actions, 1, scale, 5);
  const Categorical<double> c(logits, 0);
  for (Index a = 0; a < actions; ++a) {
    Vector d = Vector::Zero(actions);
    c.add_log_prob_gradient(a, 1, d);
    CHECK(gradient_error(logits, d, [a](const Matrix& l) { return Categorical<double>(l, 0).log_prob(a); }) < 1e-6);
    CHECK(std::abs(d.sum()) < 1e-14);
  }
  Vector dh = Vector::Zero(actions);
  c.add_entropy_gradient(1, dh);
  CHECK(gradient_error(logits, dh, [](const Matrix& l) { return Categorical<double>(l, 0).entropy(); }) < 1e-6);

  const Matrix others = random_logits(actions, 1, scale, 6);
  const Categorical<double> q(others, 0);
  Vector dkl = Vector::Zero(actions);
  c.add_divergence_gradient(q, 1, dkl);
  CHECK(gradient_error(logits, dkl, [&](const Matrix& l) { return Categorical<double>(l, 0).divergence(q); }) < 1e-6);
}

TEST_CASE("Categorical: gradients are scaled and added to what is there, in their column alone") {
  const Matrix logits = random_logits(4, 3, 1);
  const Categorical<double> c(logits, 1), q(logits, 2);
  const auto check = [&](auto add) {
    Vector once = Vector::Zero(4);
    add(1.0, heed::Write<double>(once));
    Matrix d = Matrix::Constant(4, 3, 10);
    add(-2.5, heed::Write<double>(d.col(1)));
    CHECK((d.col(1) - (Vector::Constant(4, 10) - 2.5 * once)).norm() < 1e-14);
    CHECK(d.col(0) == Vector::Constant(4, 10));
    CHECK(d.col(2) == Vector::Constant(4, 10));
    CHECK(once.norm() > 0.01);
  };
  check([&](double s, heed::Write<double> d) { c.add_log_prob_gradient(3, s, d); });
  check([&](double s, heed::Write<double> d) { c.add_entropy_gradient(s, d); });
  check([&](double s, heed::Write<double> d) { c.add_divergence_gradient(q, s, d); });
}

TEST_CASE("Categorical: divergence") {
  const Matrix logits = random_logits(4, 2, 2);
  const Categorical<double> p(logits, 0), q(logits, 1);
  const auto log_p = direct(logits, 0), log_q = direct(logits, 1);
  long double kl = 0;
  for (std::size_t i = 0; i < 4; ++i) kl += std::exp(log_p[i]) * (log_p[i] - log_q[i]);
  CHECK(p.divergence(q) == Approx(double(kl)).epsilon(1e-12));
  CHECK(p.divergence(p) == 0);
  const Matrix shifted = logits.array() + 100;
  CHECK(std::abs(p.divergence(Categorical<double>(shifted, 0))) < 1e-12);

  const Mask some = mask_of({true, false, true, true});
  const Categorical<double> narrow(logits.col(0), 0, some);
  CHECK(p.divergence(narrow) == infinity);
  CHECK(narrow.divergence(p) == Approx(-std::log(1 - p.probability(1))).epsilon(1e-12));
}

TEST_CASE("Categorical: samples come as often as they should") {
  const Matrix logits = random_logits(6, 2, 1, 3);
  const Mask mask =
      (Mask(6, 2) << true, true, true, false, true, true, true, false, true, true, true, false).finished();
  for (bool masked : {false, true}) {
    const Categorical<double> c = masked ? Categorical<double>(logits, 1, mask) : Categorical<double>(logits, 1);
    const int n = 100000;
    std::vector<int> counts(6);
    std::vector<double> p(6);
    for (Index i = 0; i < 6; ++i) p[std::size_t(i)] = c.probability(i);
    Random random(11);
    for (int i = 0; i < n; ++i) ++counts[std::size_t(c.sample(random))];
    CHECK(std::abs(chi_square_sigmas(counts, p, n)) < 5);
    if (masked) CHECK((counts[1] == 0 && counts[3] == 0 && counts[5] == 0));
  }
}

TEST_CASE("Categorical: a sample takes one uniform number, by the inverse of the distribution function") {
  const Eigen::MatrixXf logits = random_logits(4, 1, 1, 8).cast<float>();
  const Categorical<float> c(logits, 0);
  Random random(5), uniform = random;
  for (int i = 0; i < 1000; ++i) {
    const double u = uniform.uniform();
    double sum = 0;
    Index wanted = 0;
    while (wanted < 3 && (sum += double(c.probability(wanted))) <= u) ++wanted;
    REQUIRE(c.sample(random) == wanted);
  }
  CHECK(random.bits() == uniform.bits());
}

TEST_CASE("Categorical: masked actions are impossible and have no gradient") {
  const Matrix logits = random_logits(4, 1, 1, 9);
  const Mask mask = mask_of({true, false, true, false});
  const Categorical<double> c(logits, 0, mask);
  const auto log_p = direct(logits, 0, &mask);
  CHECK(c.probability(1) == 0);
  CHECK(c.probability(3) == 0);
  CHECK(c.probability(0) + c.probability(2) == Approx(1).epsilon(1e-14));
  CHECK(c.log_prob(0) == Approx(double(log_p[0])).epsilon(1e-13));
  CHECK(c.entropy() == Approx(double(-std::exp(log_p[0]) * log_p[0] - std::exp(log_p[2]) * log_p[2])).epsilon(1e-13));

  const auto masked = [&](const Matrix& l) { return Categorical<double>(l, 0, mask); };
  Vector d = Vector::Zero(4);
  c.add_log_prob_gradient(2, 1, d);
  CHECK((d[1] == 0 && d[3] == 0));
  CHECK(gradient_error(logits, d, [&](const Matrix& l) { return masked(l).log_prob(2); }) < 1e-6);
  d.setZero();
  c.add_entropy_gradient(1, d);
  CHECK((d[1] == 0 && d[3] == 0));
  CHECK(gradient_error(logits, d, [&](const Matrix& l) { return masked(l).entropy(); }) < 1e-6);

  // Whatever their logits are.
  Matrix wild = logits;
  wild(1, 0) = infinity;
  wild(3, 0) = std::numeric_limits<double>::quiet_NaN();
  CHECK(masked(wild).log_prob(0) == c.log_prob(0));
  CHECK(masked(wild).entropy() == c.entropy());
  Vector e = Vector::Zero(4);
  masked(wild).add_entropy_gradient(1, e);
  CHECK(e == d);
}

TEST_CASE("Categorical: a logit of -inf is as good as a mask") {
  Matrix logits = random_logits(3, 1, 1, 10);
  const Mask mask = mask_of({true, false, true});
  const Categorical<double> masked(logits, 0, mask);
  Matrix cut = logits;
  cut(1, 0) = -infinity;
  const Categorical<double> c(cut, 0);
  CHECK(c.log_prob(2) == masked.log_prob(2));
  CHECK(c.entropy() == masked.entropy());
  CHECK(c.probability(1) == 0);
  CHECK_THROWS_WITH(c.log_prob(1), ContainsSubstring("log p of action 1, which is impossible in column 0"));
}

TEMPLATE_TEST_CASE("Categorical: logits of 1e4 in either direction", "", float, double) {
  using S = TestType;
  Eigen::Matrix<S, heed::Dynamic, heed::Dynamic> logits(3, 3);
  logits << S(1e4), S(-1e4), S(1e4), S(-1e4), S(-1e4 - 1), S(1e4), S(0), S(-3e4), S(-1e4);
  const Categorical<S> certain(logits, 0), low(logits, 1), two(logits, 2);
  CHECK(certain.log_prob(0) == 0);
  CHECK(certain.log_prob(1) == S(-2e4));
  CHECK(certain.log_prob(2) == S(-1e4));
  CHECK(certain.probability(0) == 1);
  CHECK(certain.entropy() == 0);
  CHECK(low.probability(0) == Approx(1 / (1 + std::exp(-1.0))));
  CHECK(low.log_prob(2) == Approx(-2e4 - std::log(1 + std::exp(-1.0))).epsilon(1e-6));
  CHECK(two.probability(0) == Approx(0.5));
  CHECK(two.entropy() == Approx(std::log(2.0)));
  CHECK(certain.divergence(two) == Approx(std::log(2.0)));
  CHECK(two.divergence(certain) == Approx(1e4 - std::log(2.0)));

  Random random(1);
  Eigen::Matrix<S, heed::Dynamic, 1> d(3);
  for (const auto& c : {certain, low, two}) {
    for (Index a = 0; a < 3; ++a) {
      d.setZero();
      c.add_log_prob_gradient(a, 1, d);
      for (Index i = 0; i < 3; ++i) CHECK(d[i] == Approx(double(i == a) - double(c.probability(i))).margin(1e-7));
    }
    d.setZero();
    c.add_entropy_gradient(1, d);
    CHECK(d.allFinite());
    for (int i = 0; i < 100; ++i) CHECK(c.probability(c.sample(random)) > 0);
  }
}

TEST_CASE("Categorical: nothing is lost in float where one action is nearly certain") {
  Eigen::MatrixXf logits(2, 1);
  logits << 0, -25;
  const Categorical<float> c(logits, 0);
  const double rare = std::exp(-25.0);
  CHECK(c.log_prob(0) == Approx(-rare).epsilon(1e-6));
  CHECK(c.entropy() == Approx(26 * rare).epsilon(1e-6));
  Eigen::VectorXf d = Eigen::VectorXf::Zero(2);
  c.add_log_prob_gradient(0, 1, d);
  CHECK(d[0] == Approx(rare).epsilon(1e-6));
  CHECK(d[1] == Approx(-rare).epsilon(1e-6));
}

TEST_CASE("Categorical: views of fixed and of strided logits") {
  Eigen::Matrix<float, 6, 4> m = Eigen::Matrix<float, 6, 4>::Random();
  const Eigen::MatrixXf copy = m.middleRows(2, 3);
  const Categorical<float> c(m.middleRows(2, 3), 2);
  CHECK(c.actions() == 3);
  for (Index a = 0; a < 3; ++a) CHECK(c.log_prob(a) == Categorical<float>(copy, 2).log_prob(a));
}

TEST_CASE("Categorical: errors") {
  Matrix logits = Matrix::Zero(3, 4);
  const Categorical<double> c(logits, 0);
  CHECK_THROWS_WITH(c.log_prob(3), ContainsSubstring("Categorical: action 3 is not one of 3"));
  CHECK_THROWS_WITH(c.probability(-1), ContainsSubstring("action -1 is not one of 3"));
  CHECK_THROWS_WITH(Categorical<double>(logits, 4), ContainsSubstring("column 4 is not one of 4"));
  CHECK_THROWS_WITH(Categorical<double>(logits, -1), ContainsSubstring("column -1 is not one of 4"));

  Matrix broken = logits;
  broken(2, 1) = std::numeric_limits<double>::quiet_NaN();
  broken(0, 2) = infinity;
  broken.col(3).setConstant(-infinity);
  CHECK_THROWS_WITH(Categorical<double>(broken, 1), ContainsSubstring("the logit of action 2 in column 1 is nan"));
  CHECK_THROWS_WITH(Categorical<double>(broken, 2), ContainsSubstring("the logit of action 0 in column 2 is inf"));
  CHECK_THROWS_WITH(Categorical<double>(broken, 3),
                    ContainsSubstring("each of the 3 actions in column 3 is masked or has the logit -inf"));
  CHECK_THROWS_WITH(Categorical<double>(Matrix(0, 1), 0), ContainsSubstring("each of the 0 actions"));

  Mask mask = Mask::Constant(3, 4, true);
  mask.col(2).setConstant(false);
  mask(1, 3) = false;
  CHECK_THROWS_WITH(Categorical<double>(logits, 2, mask),
                    ContainsSubstring("each of the 3 actions in column 2 is masked"));
  CHECK_THROWS_WITH(Categorical<double>(logits, 3, mask).log_prob(1),
                    ContainsSubstring("log p of action 1, which is impossible in column 3"));
  CHECK_THROWS_WITH(Categorical<double>(logits, 0, mask.leftCols(1)),
                    ContainsSubstring("mask is 3 x 1, but 3 x 4 is needed"));

  Vector d = Vector::Ones(3), small(2);
  CHECK_THROWS_AS(Categorical<double>(logits, 3, mask).add_log_prob_gradient(1, 1, d), std::invalid_argument);
  CHECK_THROWS_AS(c.add_log_prob_gradient(3, 1, d), std::invalid_argument);
  CHECK(d == Vector::Ones(3));
  CHECK_THROWS_WITH(c.add_log_prob_gradient(0, 1, small), ContainsSubstring("dlogits is 2 x 1, but 3 x 1 is needed"));
  CHECK_THROWS_WITH(c.add_entropy_gradient(1, small), ContainsSubstring("dlogits is 2 x 1"));
  CHECK_THROWS_WITH(c.divergence(Categorical<double>(Matrix(2, 1).setZero(), 0)),
                    ContainsSubstring("3 actions, but the other has 2"));
}

TEST_CASE("Categorical of one sequence of a row is that of the same numbers in a column") {
  using heed::column_of, heed::Sequences;
  const Sequences of{2, 0, 3, 1};
  Matrix row = random_logits(1, 6, 2), drow = Matrix::Constant(1, 6, 5);
  Eigen::Matrix<bool, 1, heed::Dynamic> mask(6);
  mask << true, false, true, true, false, true;
  for (const Index s : {0, 2, 3}) {
    const Index first = of.first(s), n = of.length(s);
    const Matrix column = row.middleCols(first, n).transpose();
    const Mask allowed = mask.middleCols(first, n).transpose();
    for (const bool masked : {false, true}) {
      const auto one = masked ? Categorical<double>(row, of, s, mask) : Categorical<double>(row, of, s);
      const auto other = masked ? Categorical<double>(column, 0, allowed) : Categorical<double>(column, 0);
      CHECK(one.actions() == n);
      CHECK(one.mode() == other.mode());
      CHECK(one.entropy() == other.entropy());
      for (Index i = 0; i < n; ++i) CHECK(one.probability(i) == other.probability(i));
      Random a(1), b(1);
      CHECK(one.sample(a) == other.sample(b));
      Matrix dcolumn = Matrix::Constant(n, 1, 5);
      drow.setConstant(5);
      one.add_log_prob_gradient(0, 0.7, column_of(drow, of, s));
      one.add_entropy_gradient(0.3, column_of(drow, of, s));
      other.add_log_prob_gradient(0, 0.7, dcolumn);
      other.add_entropy_gradient(0.3, dcolumn);
      CHECK(drow.middleCols(first, n).transpose() == dcolumn);
      CHECK((drow.leftCols(first).array() == 5).all());
      CHECK((drow.rightCols(6 - first - n).array() == 5).all());
    }
  }
  using Catch::Matchers::Contains;
  CHECK_THROWS_WITH(Categorical<double>(row, of, 1), Contains("nothing to choose from in sequence 1"));
  CHECK_THROWS_WITH(Categorical<double>(row, of, 4), Contains("sequence 4 is not one of 4"));
  CHECK_THROWS_WITH(Categorical<double>(row, Sequences{2, 3}, 0), Contains("the row is 1 x 6, but 1 x 5 is needed"));
  CHECK_THROWS_WITH(Categorical<double>(Matrix(2, 6), of, 0), Contains("2 features, but 1"));
  CHECK_THROWS_WITH(Categorical<double>(row, of, 0, mask.leftCols(5)), Contains("the row is 1 x 5"));
  mask.setConstant(false);
  CHECK_THROWS_WITH(Categorical<double>(row, of, 2, mask), Contains("each of the 3 actions in column 2 is masked"));
}
