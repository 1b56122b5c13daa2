#include "heed/core/initialisers.hpp"

#include "catch.hpp"

using heed::Index;
using heed::Initialiser;
using heed::Random;

namespace {

using Matrix = Eigen::Matrix<double, heed::Dynamic, heed::Dynamic, Eigen::RowMajor>;

Matrix filled(Initialiser initialiser, Index rows, Index cols, std::uint64_t seed = 1) {
  Matrix w = Matrix::Constant(rows, cols, 12345);
  Random random(seed);
  initialiser.fill(w.data(), rows, cols, random);
  return w;
}
double variance(const Matrix& w) { return (w.array() - w.mean()).square().mean(); }

/// All within the bound, some close to it on either side, and the mean and variance of a uniform distribution.
void check_uniform(const Matrix& w, double bound) {
  const double n = double(w.size());
  CHECK(w.cwiseAbs().maxCoeff() <= bound);
  CHECK(w.maxCoeff() > 0.99 * bound);
  CHECK(w.minCoeff() < -0.99 * bound);
  CHECK(std::abs(w.mean()) < 5 * bound / std::sqrt(3 * n));
  CHECK(variance(w) == Approx(bound * bound / 3).epsilon(5 * std::sqrt(0.8 / n)));
}
void check_normal(const Matrix& w, double deviation) {
  const double n = double(w.size());
  CHECK(std::abs(w.mean()) < 5 * deviation / std::sqrt(n));
  CHECK(variance(w) == Approx(deviation * deviation).epsilon(5 * std::sqrt(2 / n)));
  CHECK(w.cwiseAbs().maxCoeff() > 3 * deviation);
}

}  // namespace

TEST_CASE("Initialisers: zero and constant") {
  CHECK(filled(heed::zero(), 3, 4) == Matrix::Zero(3, 4));
  CHECK(filled(heed::constant(-2.5), 3, 4) == Matrix::Constant(3, 4, -2.5));
}

TEST_CASE("Initialisers: uniform and normal") {
  check_uniform(filled(heed::uniform(0.3), 100, 80), 0.3);
  check_normal(filled(heed::normal(0.02), 100, 80), 0.02);
}

TEST_CASE("Initialisers: Xavier counts both sides, Kaiming what comes in") {
  const Index out = 120, in = 40;
  check_uniform(filled(heed::xavier_uniform(), out, in), std::sqrt(6.0 / 160));
  check_uniform(filled(heed::xavier_uniform(1.5), out, in), 1.5 * std::sqrt(6.0 / 160));
  check_normal(filled(heed::xavier_normal(), out, in), std::sqrt(2.0 / 160));
  check_normal(filled(heed::xavier_normal(0.5), out, in), 0.5 * std::sqrt(2.0 / 160));
  check_uniform(filled(heed::kaiming_uniform(), out, in), std::sqrt(6.0 / 40));
  check_uniform(filled(heed::kaiming_uniform(1 / std::sqrt(3.0)), out, in), 1 / std::sqrt(40.0));  // torch.nn.Linear
  check_normal(filled(heed::kaiming_normal(), out, in), std::sqrt(2.0 / 40));
  check_normal(filled(heed::kaiming_normal(1), out, in), std::sqrt(1.0 / 40));
}

TEST_CASE("Initialisers: orthogonal rows or columns, to 1e-12") {
  const double gain = GENERATE(1.0, 1.4142135623730951, 0.01);
  const auto [rows, cols] =
      GENERATE(table<Index, Index>({{1, 1}, {1, 7}, {7, 1}, {5, 5}, {3, 8}, {8, 3}, {64, 64}, {128, 100}}));
  CAPTURE(gain, rows, cols);
  const Matrix w = filled(heed::orthogonal(gain), rows, cols);
  const Matrix gram = rows <= cols ? Matrix(w * w.transpose()) : Matrix(w.transpose() * w);
  const Matrix wanted = gain * gain * Matrix::Identity(gram.rows(), gram.cols());
  CHECK((gram - wanted).cwiseAbs().maxCoeff() <= 1e-12 * gain * gain);
}

TEST_CASE("Initialisers: orthogonal matrices have no preferred direction") {
  // Of 2 x 2 ones, half are reflections, and the angle of the first row is uniform.
  int reflections = 0, quadrants[4] = {};
  double worst = 0;
  const int n = 4000;
  for (int i = 0; i < n; ++i) {
    const Matrix w = filled(heed::orthogonal(), 2, 2, std::uint64_t(i));
    reflections += w(0, 0) * w(1, 1) < w(0, 1) * w(1, 0);
    ++quadrants[2 * (w(0, 0) > 0) + (w(0, 1) > 0)];
    worst = std::max(worst, (w * w.transpose() - Matrix::Identity(2, 2)).cwiseAbs().maxCoeff());
  }
  CHECK(worst < 1e-14);  // also where the two vectors were almost parallel
  CHECK(std::abs(reflections - n / 2) < 5 * std::sqrt(n / 4.0));
  for (int q : quadrants) CHECK(std::abs(q - n / 4) < 5 * std::sqrt(n * 3 / 16.0));
}

TEST_CASE("Initialisers: the sinusoidal encoding of positions") {
  const Matrix w = filled(heed::sinusoidal(), 50, 6);
  for (Index t : {0, 1, 7, 49})
    for (Index pair = 0; pair < 3; ++pair) {
      const double angle = double(t) / std::pow(10000.0, 2 * double(pair) / 6);
      CHECK(w(t, 2 * pair) == Approx(std::sin(angle)).margin(1e-14));
      CHECK(w(t, 2 * pair + 1) == Approx(std::cos(angle)).margin(1e-14));
    }
  const Matrix odd = filled(heed::sinusoidal(), 4, 5);  // the last row has no partner
  CHECK(odd(3, 4) == Approx(std::sin(3 / std::pow(10000.0, 4.0 / 5))));
}

TEST_CASE("Initialisers: the same seed gives the same numbers, another seed others") {
  for (Initialiser i : {heed::uniform(1), heed::normal(1), heed::xavier_uniform(), heed::xavier_normal(),
                        heed::kaiming_uniform(), heed::kaiming_normal(), heed::orthogonal()}) {
    CHECK(filled(i, 4, 5, 1) == filled(i, 4, 5, 1));
    CHECK(filled(i, 4, 5, 1) != filled(i, 4, 5, 2));
  }
}
