#include "heed/distributions/multi_categorical.hpp"

#include <vector>

#include "catch.hpp"
#include "heed/testing/gradient_check.hpp"

using heed::Categorical;
using heed::Index;
using heed::MultiCategorical;
using heed::Random;

namespace {

using Matrix = Eigen::MatrixXd;
using Vector = Eigen::VectorXd;
using Mask = Eigen::Matrix<bool, heed::Dynamic, heed::Dynamic>;
using Actions = std::vector<Index>;

const std::vector<Index> sizes{3, 1, 20, 2};
constexpr Index rows = 26;

Matrix random_logits(std::uint64_t seed) {
  Random random(seed);
  Matrix l(rows, 3);
  for (double& li : l.reshaped()) li = 1.5 * random.normal();
  return l;
}
/// The second of three, half of the twenty, and the first of two are not allowed in column 1.
Mask some_mask() {
  Mask m = Mask::Constant(rows, 3, true);
  m(1, 1) = m(24, 1) = false;
  for (Index i = 4; i < 24; i += 2) m(i, 1) = false;
  return m;
}

/// Calls f(all the combinations of actions).
template <class F>
void each_combination(F f) {
  Actions a(4);
  for (a[0] = 0; a[0] < 3; ++a[0])
    for (a[2] = 0; a[2] < 20; ++a[2])
      for (a[3] = 0; a[3] < 2; ++a[3]) f(a);
}

/// log p of actions that are allowed, directly and in long double.
long double direct(const Matrix& logits, Index column, const Mask& mask, const Actions& actions) {
  long double log_p = 0;
  Index first = 0;
  for (std::size_t k = 0; k < sizes.size(); ++k) {
    long double sum = 0;
    for (Index i = first; i < first + sizes[k]; ++i)
      if (mask(i, column)) sum += std::exp((long double)logits(i, column));
    log_p += (long double)logits(first + actions[k], column) - std::log(sum);
    first += sizes[k];
  }
  return log_p;
}
bool allowed(const Mask& mask, Index column, const Actions& a) {
  return mask(a[0], column) && mask(3 + a[1], column) && mask(4 + a[2], column) && mask(24 + a[3], column);
}

}  // namespace

TEST_CASE("MultiCategorical: log-probability, entropy and divergence against sums over all combinations") {
  const Matrix logits = random_logits(1), others = random_logits(2);
  const Mask all = Mask::Constant(rows, 3, true), some = some_mask();
  for (const bool masked : {false, true})
    for (Index j = 0; j < 3; ++j) {
      const Mask& mask = masked ? some : all;
      const auto of = [&](const Matrix& l) {
        return masked ? MultiCategorical<double>(l, j, sizes, some) : MultiCategorical<double>(l, j, sizes);
      };
      const auto p = of(logits), q = of(others);
      REQUIRE(p.choices() == 4);
      long double mass = 0, entropy = 0, kl = 0;
      each_combination([&](const Actions& a) {
        if (!allowed(mask, j, a)) return;
        const long double log_p = direct(logits, j, mask, a);
        CHECK(p.log_prob(a) == Approx(double(log_p)).epsilon(1e-13));
        mass += std::exp(log_p);
        entropy -= std::exp(log_p) * log_p;
        kl += std::exp(log_p) * (log_p - direct(others, j, mask, a));
      });
      CHECK(double(mass) == Approx(1).epsilon(1e-13));
      CHECK(p.entropy() == Approx(double(entropy)).epsilon(1e-12));
      CHECK(p.divergence(q) == Approx(double(kl)).epsilon(1e-12));
      CHECK(p.divergence(p) == 0);
    }
}

TEST_CASE("MultiCategorical: gradients against central differences, in their column alone") {
  Matrix logits = random_logits(3);
  const Matrix others = random_logits(4);
  const Mask some = some_mask();
  const bool masked = GENERATE(false, true);
  const Actions actions{2, 0, 5, 1};
  const auto of = [&](const Matrix& l) {
    return masked ? MultiCategorical<double>(l, 1, sizes, some) : MultiCategorical<double>(l, 1, sizes);
  };
  const auto check = [&](auto add, auto value) {
    Matrix once = Matrix::Zero(rows, 3), d = Matrix::Constant(rows, 3, 10);
    add(of(logits), 1.0, heed::Write<double>(once.col(1)));
    add(of(logits), -2.5, heed::Write<double>(d.col(1)));
    CHECK((d - (Matrix::Constant(rows, 3, 10) - 2.5 * once)).norm() < 1e-13);
    for (Index i = 0; i < logits.size(); ++i) {
      const double numeric =
          heed::testing::detail::central_difference(logits.data()[i], [&] { return value(of(logits)); });
      CHECK(once.data()[i] == Approx(numeric).epsilon(1e-7).margin(1e-9));
    }
    CHECK(once.norm() > 0.1);
  };
  using P = const MultiCategorical<double>&;
  using D = heed::Write<double>;
  check([&](P p, double s, D d) { p.add_log_prob_gradient(actions, s, d); }, [&](P p) { return p.log_prob(actions); });
  check([&](P p, double s, D d) { p.add_entropy_gradient(s, d); }, [](P p) { return p.entropy(); });
  check([&](P p, double s, D d) { p.add_divergence_gradient(of(others), s, d); },
        [&](P p) { return p.divergence(of(others)); });
}

TEMPLATE_TEST_CASE("MultiCategorical: mode and samples are those of its choices in turn", "", float, double) {
  using S = TestType;
  const heed::Tokens<S> logits = random_logits(5).cast<S>();
  const Mask mask = some_mask();
  const MultiCategorical<S> p(logits, 1, sizes, mask);
  Actions a(4), best(4);
  p.mode(best);
  Random random(7), in_turn = random;
  for (int n = 0; n < 100; ++n) {
    p.sample(random, a);
    Index first = 0;
    for (std::size_t k = 0; k < sizes.size(); ++k) {
      const Categorical<S> choice(logits.middleRows(first, sizes[k]), 1, mask.middleRows(first, sizes[k]));
      CHECK(a[k] == choice.sample(in_turn));
      CHECK(best[k] == choice.mode());
      first += sizes[k];
    }
    CHECK(allowed(mask, 1, a));
  }
  CHECK(random.bits() == in_turn.bits());
}

TEST_CASE("MultiCategorical: samples come as often as they should") {
  const Matrix logits = random_logits(6);
  const std::vector<Index> small{3, 2};
  const Matrix top = logits.topRows(5);
  const MultiCategorical<double> p(top, 0, small);
  const int n = 100000;
  std::vector<int> counts(6);
  Random random(11);
  Actions a(2);
  for (int i = 0; i < n; ++i) {
    p.sample(random, a);
    ++counts[std::size_t(2 * a[0] + a[1])];
  }
  double chi_square = 0;
  for (Index i = 0; i < 3; ++i)
    for (Index j = 0; j < 2; ++j) {
      const double expected = n * std::exp(p.log_prob(Actions{i, j}));
      chi_square += std::pow(counts[std::size_t(2 * i + j)] - expected, 2) / expected;
    }
  CHECK(std::abs(chi_square - 5) / std::sqrt(10.0) < 5);  // 5 degrees of freedom
}

TEST_CASE("MultiCategorical: one choice is a Categorical, and none is certain") {
  const Matrix logits = random_logits(8);
  const std::vector<Index> one{rows}, none;
  const MultiCategorical<double> p(logits, 2, one);
  const Categorical<double> c(logits, 2);
  CHECK(p.log_prob(Actions{7}) == c.log_prob(7));
  CHECK(p.entropy() == c.entropy());
  const MultiCategorical<double> nothing(Matrix(0, 1), 0, none);
  CHECK(nothing.log_prob(Actions{}) == 0);
  CHECK(nothing.entropy() == 0);
}

TEST_CASE("MultiCategorical: errors") {
  Matrix logits = Matrix::Zero(rows, 3);
  Mask mask = some_mask();
  using P = MultiCategorical<double>;
  const std::vector<Index> wrong{3, 2}, empty{26, 0};
  CHECK_THROWS_WITH(P(logits, 0, wrong),
                    ContainsSubstring("MultiCategorical: 2 choices among 5 actions in all, but 26 logits"));
  CHECK_THROWS_WITH(P(logits, 0, empty), ContainsSubstring("choice 1 is among 0 actions"));
  CHECK_THROWS_WITH(P(logits, 3, sizes), ContainsSubstring("MultiCategorical: column 3 is not one of 3"));
  CHECK_THROWS_WITH(P(logits, -1, sizes), ContainsSubstring("column -1 is not one of 3"));
  CHECK_THROWS_WITH(P(logits, 0, sizes, mask.leftCols(2)), ContainsSubstring("mask is 26 x 2, but 26 x 3 is needed"));

  const P p(logits, 1, sizes, mask);
  Actions three(3);
  Vector d = Vector::Ones(rows), small(2);
  Random random(1);
  CHECK_THROWS_WITH(p.log_prob(three), ContainsSubstring("4 choices, but 3 are given"));
  CHECK_THROWS_WITH(p.mode(three), ContainsSubstring("4 choices, but 3 are given"));
  CHECK_THROWS_WITH(p.sample(random, three), ContainsSubstring("4 choices, but 3 are given"));
  CHECK_THROWS_WITH(p.log_prob(Actions{0, 1, 1, 1}), ContainsSubstring("action 1 is not one of 1"));
  // The last choice is the one that is impossible: nothing was added for the others.
  CHECK_THROWS_WITH(p.add_log_prob_gradient(Actions{0, 0, 1, 0}, 1, d), ContainsSubstring("which is impossible"));
  const std::vector<Index> other{3, 1, 19, 3};
  const Matrix others = random_logits(9);
  CHECK_THROWS_WITH(p.divergence(P(others, 1, other)), ContainsSubstring("20 actions, but the other has 19"));
  CHECK_THROWS_WITH(p.add_divergence_gradient(P(others, 1, other), 1, d), ContainsSubstring("20 actions"));
  const std::vector<Index> one{rows};
  CHECK_THROWS_WITH(p.divergence(P(logits, 1, one)), ContainsSubstring("4 choices, but 1 are given"));
  CHECK(d == Vector::Ones(rows));
  CHECK_THROWS_WITH(p.add_entropy_gradient(1, small), ContainsSubstring("dlogits is 2 x 1, but 26 x 1 is needed"));
  mask.col(0).setConstant(false);
  CHECK_THROWS_WITH(P(logits, 0, sizes, mask).entropy(), ContainsSubstring("each of the 3 actions in column 0"));
  logits(25, 2) = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_WITH(P(logits, 2, sizes).entropy(), ContainsSubstring("the logit of action 1 in column 2 is nan"));
}
