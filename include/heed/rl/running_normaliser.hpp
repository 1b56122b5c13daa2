#pragma once
#include <algorithm>
#include <cmath>

#include "heed/core/tokens.hpp"

namespace heed {

/// Brings numbers of any size to mean 0 and variance 1, as all columns seen so far have them:
///
///   y = clip((x - mean) / sqrt(variance + epsilon))
///
/// each number of a column by itself, and the statistics in double, as SB3's VecNormalize and, but for the clip,
/// Gymnasium's NormalizeObservation (both of which begin as if 1e-4 of a column had been seen). A batch of columns is
/// taken in at once (Chan, Golub and LeVeque 1983):
///
///   c = n + k    delta = mean_k - mean    mean += delta k / c    M += M_k + delta^2 n k / c    variance = M / c
///
///   n, mean, M: columns so far, their mean and sum of squared deviations    k, mean_k, M_k: those of the batch
///
///   x, y: D x k
///
/// Before the first column mean is 0 and variance 1. A number that never changes becomes 0. For evaluation set
/// `frozen`. No call allocates. Errors: another size, a column to be taken in that is not finite.
class RunningNormaliser {
 public:
  double clip = 10;       ///< y lies within +- this
  double epsilon = 1e-8;  ///< above 0
  bool frozen = false;    ///< update() leaves the statistics as they are
  Eigen::VectorXd state;  ///< all that is to be saved: n, then the D means, then the D sums M

  /// Of columns of D = `size` numbers.
  explicit RunningNormaliser(Index size) : size_(size) {
    if (size < 1) detail::fail("RunningNormaliser: size %ld must be at least 1", long(size));
    state.setZero(1 + 2 * size);
  }

  Index size() const { return size_; }
  /// Columns so far.
  double count() const { return state[0]; }
  /// Of row i.
  double mean(Index i) const { return state[1 + i]; }
  /// Of row i; 1 before the first column.
  double variance(Index i) const { return count() > 0 ? state[1 + size_ + i] / count() : 1; }

  /// Takes columns in.
  void update(Read<float> x) { take(x); }
  /// The same in double.
  void update(Read<double> x) { take(x); }
  /// Writes the columns x, by the statistics as they are, into y, which may be x.
  void normalise(Read<float> x, Write<float> y) const { put(x, y); }
  /// The same in double.
  void normalise(Read<double> x, Write<double> y) const { put(x, y); }

  template <class Fields>
  void fields(Fields& f) {
    f("state", state);
  }
  bool valid() const { return count() >= 0 && (state.tail(size_).array() >= 0).all(); }

 private:
  template <class M>
  void check(const M& x) const {
    detail::expect_shape("RunningNormaliser", "state", state, 1 + 2 * size_, 1);
    detail::expect_shape("RunningNormaliser", "x", x, size_, x.cols());
    if (!(epsilon > 0 && clip >= 0)) [[unlikely]]
      detail::fail("RunningNormaliser: epsilon %g must be above 0, clip %g not below", epsilon, clip);
  }
  template <class M>
  void take(const M& x) {
    check(x);
    if (frozen || x.cols() == 0) return;
    for (Index j = 0; j < x.cols(); ++j)
      for (Index i = 0; i < size_; ++i)
        if (!std::isfinite(x(i, j))) [[unlikely]]
          detail::fail("RunningNormaliser: number %ld of a column is not finite", long(i));
    const double n = count(), k = double(x.cols()), c = n + k;
    for (Index i = 0; i < size_; ++i) {
      const auto sum_of = [&](auto f) {
        double sum = 0;
        for (Index j = 0; j < x.cols(); ++j) sum += f(double(x(i, j)));
        return sum;
      };
      const double batch_mean = sum_of([](double xi) { return xi; }) / k, delta = batch_mean - mean(i);
      state[1 + i] += delta * (k / c);
      state[1 + size_ + i] +=
          sum_of([=](double xi) { return (xi - batch_mean) * (xi - batch_mean); }) + delta * delta * (n * k / c);
    }
    state[0] = c;
  }
  template <class M, class N>
  void put(const M& x, N& y) const {
    using S = typename M::Scalar;
    check(x);
    detail::expect_shape("RunningNormaliser", "y", y, x.rows(), x.cols());
    for (Index i = 0; i < size_; ++i) {
      const double m = mean(i), inverse = 1 / std::sqrt(variance(i) + epsilon);
      for (Index j = 0; j < x.cols(); ++j) y(i, j) = S(std::clamp((double(x(i, j)) - m) * inverse, -clip, clip));
    }
  }

  Index size_;
};

}  // namespace heed
