#include "heed/rl/running_normaliser.hpp"

#include <vector>

#include "catch.hpp"
#include "heed/core/random.hpp"

using heed::Index;
using heed::Random;
using heed::RunningNormaliser;

namespace {

using Matrix = Eigen::MatrixXd;

/// Numbers of very different sizes and places, a row each.
Matrix some(Index columns, std::uint64_t seed) {
  Random random(seed);
  Matrix x(3, columns);
  for (Index j = 0; j < columns; ++j) x.col(j) << random.normal(), 1e6 + random.normal(), 1e-4 * random.uniform() - 5;
  return x;
}

void check_statistics(const RunningNormaliser& n, const Matrix& x) {
  CHECK(n.count() == double(x.cols()));
  for (Index i = 0; i < x.rows(); ++i) {
    long double mean = 0, squares = 0;
    for (Index j = 0; j < x.cols(); ++j) mean += (long double)x(i, j) / x.cols();
    for (Index j = 0; j < x.cols(); ++j) squares += (x(i, j) - mean) * (x(i, j) - mean);
    CHECK(n.mean(i) == Approx(double(mean)).epsilon(1e-12));
    CHECK(n.variance(i) == Approx(double(squares / x.cols())).epsilon(1e-8));
  }
}

}  // namespace

TEST_CASE("RunningNormaliser: in batches of any size the statistics are those of all columns") {
  const Matrix x = some(1000, 1);
  for (const std::vector<Index>& batches :
       {std::vector<Index>{1000}, {1, 0, 999}, {500, 500}, {3, 7, 90, 900}, std::vector<Index>(1000, 1)}) {
    RunningNormaliser n(3);
    Index first = 0;
    for (const Index k : batches) {
      n.update(x.middleCols(first, k));
      first += k;
      if (first == 10) check_statistics(n, x.leftCols(10));
    }
    check_statistics(n, x);
  }
}

TEMPLATE_TEST_CASE("RunningNormaliser: columns get mean 0 and variance 1, and are clipped", "", float, double) {
  using S = TestType;
  Random random(2);
  heed::Tokens<S> x(2, 500), y(2, 500);
  for (S& xi : x.reshaped()) xi = S(3 + 0.5 * random.normal());
  x(1, 7) = 3000;
  RunningNormaliser n(2);
  n.update(x);
  n.normalise(x, y);
  for (Index j = 0; j < 500; ++j)
    for (Index i = 0; i < 2; ++i) {
      const double z = (double(x(i, j)) - n.mean(i)) / std::sqrt(n.variance(i) + 1e-8);
      CHECK(y(i, j) == Approx(std::min(z, 10.0)).epsilon(1e-6));
    }
  CHECK(y(1, 7) == 10);
  const Eigen::Array<double, 1, heed::Dynamic> row = y.row(0).array().template cast<double>();
  CHECK(std::abs(row.mean()) < 1e-6);
  CHECK(row.square().mean() == Approx(1).epsilon(1e-6));
  n.clip = 0.5;
  n.normalise(x, x);
  CHECK(x.maxCoeff() == S(0.5));
  CHECK(x.minCoeff() == S(-0.5));
}

TEST_CASE("RunningNormaliser: before the first column it only clips") {
  RunningNormaliser n(2);
  Matrix x(2, 2), y(2, 2);
  x << 0.5, -20, 9, 1e300;
  n.normalise(x, y);
  CHECK(y(0, 0) == Approx(0.5));
  CHECK(y(1, 0) == Approx(9));
  CHECK((y(0, 1) == -10 && y(1, 1) == 10));
  n.update(Matrix(2, 0));
  CHECK(n.count() == 0);
  CHECK(n.variance(0) == 1);
}

TEST_CASE("RunningNormaliser: what never changes becomes 0, and a single column does") {
  for (const double value : {0.0, 0.1, -1e6}) {
    RunningNormaliser n(1);
    const Matrix x = Matrix::Constant(1, 7, value);
    Matrix y(1, 7);
    n.update(x.leftCols(1));
    n.normalise(x, y);
    CHECK(y.isZero(0));
    for (int i = 0; i < 100; ++i) n.update(x);
    n.normalise(x, y);
    CHECK(y.array().isFinite().all());
    CHECK(y.cwiseAbs().maxCoeff() < 1e-4);
    CHECK(n.variance(0) >= 0);
  }
}

TEST_CASE("RunningNormaliser: frozen it learns nothing, and its state is all there is to save") {
  const Matrix x = some(50, 3), more = some(20, 4);
  RunningNormaliser n(3);
  n.update(x);
  const Eigen::VectorXd saved = n.state;
  n.frozen = true;
  n.update(more);
  CHECK(n.state == saved);
  RunningNormaliser other(3);
  other.state = saved;
  Matrix a(3, 20), b(3, 20);
  n.normalise(more, a);
  other.normalise(more, b);
  CHECK(a == b);
  n.frozen = false;
  n.update(more);
  other.update(more);
  CHECK(n.state == other.state);
  CHECK(n.count() == 70);
}

TEST_CASE("RunningNormaliser: errors change nothing") {
  CHECK_THROWS_WITH(RunningNormaliser(0), ContainsSubstring("RunningNormaliser: size 0 must be at least 1"));
  RunningNormaliser n(3);
  Matrix x = some(5, 5), y(3, 5);
  n.update(x);
  const Eigen::VectorXd before = n.state;
  CHECK_THROWS_WITH(n.update(x.topRows(2)), ContainsSubstring("RunningNormaliser: x is 2 x 5, but 3 x 5 is needed"));
  CHECK_THROWS_WITH(n.normalise(x.topRows(2), y), ContainsSubstring("x is 2 x 5"));
  CHECK_THROWS_WITH(n.normalise(x, y.leftCols(4)), ContainsSubstring("y is 3 x 4, but 3 x 5 is needed"));
  x(2, 4) = std::nan("");
  CHECK_THROWS_WITH(n.update(x), ContainsSubstring("number 2 of a column is not finite"));
  CHECK(n.state == before);
  x(2, 4) = 0;
  n.epsilon = 0;
  CHECK_THROWS_WITH(n.normalise(x, y), ContainsSubstring("epsilon 0 must be above 0"));
  n.epsilon = 1e-8;
  n.clip = -1;
  CHECK_THROWS_WITH(n.normalise(x, y), ContainsSubstring("clip -1 not below"));
  n.clip = 10;
  n.state = Eigen::VectorXd::Zero(5);
  CHECK_THROWS_WITH(n.update(x), ContainsSubstring("state is 5 x 1, but 7 x 1 is needed"));
}
