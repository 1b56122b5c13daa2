#pragma once
#include <algorithm>
#include <cmath>

#include "heed/core/random.hpp"

namespace heed {

/// The normal distribution of independent numbers, whose means and log deviations are columns:
///
///   log p(x) = - sum_i [ z_i^2 / 2 + l_i + log(2 pi) / 2 ]    z_i = (x_i - mu_i) / sigma_i    sigma_i = exp(l_i)
///   H = sum_i [ l_i + (1 + log(2 pi)) / 2 ]
///   KL(p || q) = sum_i [ (e^(2 d_i) - 1 - 2 d_i + ((mu_i - mu'_i) / sigma'_i)^2) / 2 ]    d_i = l_i - l'_i, ' of q
///
///   mean mu: D x n, of which column `column` is used    log_std: D x n, the same column, or D x 1, the same for all
///   x: D x 1    entropy and divergence: nats
///
/// l is log_std kept within `Bounds`, by default [-20, 2] (Haarnoja et al. 2018). Beyond them its gradient is 0, as
/// that of PyTorch's clamp: it should start within. Errors: a mean, a log deviation or an x that is not finite, bounds
/// out of order or beyond +-20, matrices of another size.
///
/// It is a view, made anew where it is needed: it keeps pointers to the columns, and allocates nothing.
template <class S>
class Gaussian {
 public:
  /// Between which the logarithm of the deviation is kept.
  struct Bounds {
    double low = -20, high = 2;  ///< of the logarithm
  };

  /// Of a column of means, and of deviations, the same column or one for all.
  Gaussian(Read<S> mean, Index column, Read<S> log_std, Bounds bounds = {})
      : mean_(mean.data()), log_std_(log_std.data()), size_(mean.rows()), low_(S(bounds.low)), high_(S(bounds.high)) {
    if (column < 0 || column >= mean.cols()) [[unlikely]]
      detail::fail("Gaussian: column %ld is not one of %ld", long(column), long(mean.cols()));
    if (!(bounds.low >= -20 && bounds.low <= bounds.high && bounds.high <= 20)) [[unlikely]]
      detail::fail("Gaussian: log deviations from %g to %g are not within [-20, 20]", bounds.low, bounds.high);
    const bool shared = log_std.cols() == 1;
    detail::expect_shape("Gaussian", "log_std", log_std, size_, shared ? 1 : mean.cols());
    mean_ += column * mean.outerStride();
    if (!shared) log_std_ += column * log_std.outerStride();
    for (Index i = 0; i < size_; ++i)
      if (!std::isfinite(mean_[i]) || !std::isfinite(log_std_[i])) [[unlikely]]
        detail::fail("Gaussian: the mean of dimension %ld in column %ld is %g, its log deviation %g", long(i),
                     long(column), double(mean_[i]), double(log_std_[i]));
  }

  Index size() const { return size_; }
  /// Of number i.
  S mean(Index i) const { return mean_[i]; }
  /// Of number i, within the bounds.
  S log_deviation(Index i) const { return std::clamp(log_std_[i], low_, high_); }
  /// Of number i.
  S deviation(Index i) const { return std::exp(log_deviation(i)); }
  /// Whether its log deviation lies within the bounds, and so has a gradient.
  bool adjustable(Index i) const { return log_std_[i] >= low_ && log_std_[i] <= high_; }

  /// The most probable x: the mean.
  void mode(Write<S> x) const {
    expect_column("x", x);
    for (Index i = 0; i < size_; ++i) x(i, 0) = mean_[i];
  }
  /// Draws x with one normal number a dimension.
  void sample(Random& random, Write<S> x) const {
    expect_column("x", x);
    for (Index i = 0; i < size_; ++i) x(i, 0) = mean_[i] + deviation(i) * S(random.normal());
  }
  S log_prob(Read<S> x) const {
    expect_finite(x);
    S sum = 0;
    for (Index i = 0; i < size_; ++i) {
      const S z = standard(x, i);
      sum -= z * z / 2 + log_deviation(i) + half_log_two_pi;
    }
    return sum;
  }
  S entropy() const {
    S sum = 0;
    for (Index i = 0; i < size_; ++i) sum += log_deviation(i) + (half_log_two_pi + S(0.5));
    return sum;
  }
  /// KL(p || q), where this is p.
  S divergence(const Gaussian& q) const {
    expect_as_many(q);
    S sum = 0;
    for (Index i = 0; i < size_; ++i) {
      const S d = 2 * (log_deviation(i) - q.log_deviation(i)), z = (mean_[i] - q.mean_[i]) / q.deviation(i);
      sum += (std::expm1(d) - d + z * z) / 2;
    }
    return sum;
  }

  // The gradients for this column of means and of log deviations, times `scale`, are added to columns of D x 1.

  // d log p / dmu_i = z_i / sigma_i    d log p / dl_i = z_i^2 - 1
  void add_log_prob_gradient(Read<S> x, S scale, Write<S> dmean, Write<S> dlog_std) const {
    expect_finite(x);
    expect_columns(dmean, dlog_std);
    for (Index i = 0; i < size_; ++i) {
      const S z = standard(x, i);
      dmean(i, 0) += scale * z / deviation(i);
      if (adjustable(i)) dlog_std(i, 0) += scale * (z * z - 1);
    }
  }
  // dH / dl_i = 1
  void add_entropy_gradient(S scale, Write<S> dlog_std) const {
    expect_column("dlog_std", dlog_std);
    for (Index i = 0; i < size_; ++i)
      if (adjustable(i)) dlog_std(i, 0) += scale;
  }
  // dKL(p || q) / dmu_i = (mu_i - mu'_i) / sigma'_i^2    dKL(p || q) / dl_i = (sigma_i / sigma'_i)^2 - 1
  void add_divergence_gradient(const Gaussian& q, S scale, Write<S> dmean, Write<S> dlog_std) const {
    expect_as_many(q);
    expect_columns(dmean, dlog_std);
    for (Index i = 0; i < size_; ++i) {
      const S sigma = q.deviation(i);
      dmean(i, 0) += scale * ((mean_[i] - q.mean_[i]) / sigma) / sigma;
      if (adjustable(i)) dlog_std(i, 0) += scale * std::expm1(2 * (log_deviation(i) - q.log_deviation(i)));
    }
  }

 private:
  static constexpr S half_log_two_pi = S(0.91893853320467274178);

  template <class M>
  void expect_column(const char* what, const M& m) const {
    detail::expect_shape("Gaussian", what, m, size_, 1);
  }
  void expect_columns(const Write<S>& dmean, const Write<S>& dlog_std) const {
    expect_column("dmean", dmean);
    expect_column("dlog_std", dlog_std);
  }
  void expect_finite(const Read<S>& x) const {
    expect_column("x", x);
    for (Index i = 0; i < size_; ++i)
      if (!std::isfinite(x(i, 0))) [[unlikely]]
        detail::fail("Gaussian: x is %g in dimension %ld", double(x(i, 0)), long(i));
  }
  void expect_as_many(const Gaussian& q) const {
    if (q.size_ != size_) [[unlikely]]
      detail::fail("Gaussian: %ld dimensions, but the other has %ld", long(size_), long(q.size_));
  }

  S standard(const Read<S>& x, Index i) const { return (x(i, 0) - mean_[i]) / deviation(i); }

  const S *mean_, *log_std_;
  Index size_;
  S low_, high_;
};

}  // namespace heed
