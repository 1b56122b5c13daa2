#pragma once
#include "heed/distributions/gaussian.hpp"

namespace heed {

/// The distribution of actions within bounds, which a normal z is squashed into (Haarnoja et al. 2018, appendix C):
///
///   a_i = low_i + (high_i - low_i) (tanh z_i + 1) / 2
///   log p(a) = log N(z) - sum_i [ log((high_i - low_i) / 2) + log(1 - tanh(z_i)^2) ]
///   log(1 - tanh(z)^2) = 2 (log 2 - z - softplus(-2 z)) = 2 (log 2 - |z| - log(1 + e^(-2 |z|)))
///
///   mean, log_std: of z, see Gaussian    low, high: D x 1    z, a: D x 1    divergence: nats
///
/// What is kept of an action is z: from a that was rounded to a bound it could not be told. Errors: those of Gaussian,
/// bounds that are infinite, equal or out of order.
///
/// The entropy has no closed form. From a z there is the estimate - log p(a), whose mean over z drawn from this
/// distribution is the entropy; a z drawn from another, as an older policy's, gives an estimate with a bias.
///
/// It is a view like Gaussian: `low` and `high` must live as long.
template <class S>
class SquashedGaussian {
 public:
  using Bounds = typename Gaussian<S>::Bounds;  ///< Of the logarithm of the deviation.

  /// The Gaussian before tanh, and between what actions lie.
  SquashedGaussian(Read<S> mean, Index column, Read<S> log_std, Read<double> low, Read<double> high, Bounds bounds = {})
      : gaussian_(mean, column, log_std, bounds), low_(low.data()), high_(high.data()) {
    detail::expect_shape("SquashedGaussian", "low", low, size(), 1);
    detail::expect_shape("SquashedGaussian", "high", high, size(), 1);
    for (Index i = 0; i < size(); ++i)
      if (!(span(i) > 0 && std::isfinite(span(i)))) [[unlikely]]
        detail::fail("SquashedGaussian: dimension %ld is to lie between %g and %g", long(i), low_[i], high_[i]);
  }

  Index size() const { return gaussian_.size(); }
  /// The distribution of z.
  const Gaussian<S>& gaussian() const { return gaussian_; }
  /// The action that z stands for, within [low, high] to the last bit.
  void action(Read<S> z, Write<double> a) const {
    detail::expect_shape("SquashedGaussian", "z", z, size(), 1);
    detail::expect_shape("SquashedGaussian", "a", a, size(), 1);
    for (Index i = 0; i < size(); ++i) {
      const double share = 1 / (1 + std::exp(-2 * double(z(i, 0))));  // (tanh z + 1) / 2
      a(i, 0) = std::clamp(low_[i] + span(i) * share, low_[i], high_[i]);
    }
  }

  /// The z of the median action, which is what evaluation takes for the best: the mean of z. The density of a may be
  /// larger elsewhere.
  void mode(Write<S> z) const { gaussian_.mode(z); }
  /// Draws z, what goes into tanh: see action.
  void sample(Random& random, Write<S> z) const { gaussian_.sample(random, z); }
  /// The log-density of the action that z stands for.
  S log_prob(Read<S> z) const {
    S sum = gaussian_.log_prob(z);
    for (Index i = 0; i < size(); ++i) sum -= S(std::log(span(i) / 2)) + log_slope(z(i, 0));
    return sum;
  }
  /// - log p(a): of a z drawn from this distribution an estimate of the entropy without bias.
  S entropy_estimate(Read<S> z) const { return -log_prob(z); }
  /// KL(p || q) of actions within the same bounds: that of z, since squashing loses nothing.
  S divergence(const SquashedGaussian& q) const {
    expect_same_bounds(q);
    return gaussian_.divergence(q.gaussian_);
  }

  // The gradients for this column of means and of log deviations, times `scale`, are added to columns of D x 1.

  // With z kept: the correction does not depend on mean and deviation.
  void add_log_prob_gradient(Read<S> z, S scale, Write<S> dmean, Write<S> dlog_std) const {
    gaussian_.add_log_prob_gradient(z, scale, dmean, dlog_std);
  }
  // Of the estimate with (z - mu) / sigma kept, whose mean is the gradient of the entropy (with z kept it would be 0):
  //   d(- log p) / dmu_i = - 2 tanh z_i    d(- log p) / dl_i = 1 - 2 tanh(z_i) (z_i - mu_i)
  /// Adds scale times the gradient of the estimate at z.
  void add_entropy_estimate_gradient(Read<S> z, S scale, Write<S> dmean, Write<S> dlog_std) const {
    detail::expect_shape("SquashedGaussian", "z", z, size(), 1);
    detail::expect_shape("SquashedGaussian", "dmean", dmean, size(), 1);
    gaussian_.add_entropy_gradient(scale, dlog_std);
    for (Index i = 0; i < size(); ++i) {
      const S d = -2 * scale * std::tanh(z(i, 0));
      dmean(i, 0) += d;
      if (gaussian_.adjustable(i)) dlog_std(i, 0) += d * (z(i, 0) - gaussian_.mean(i));
    }
  }
  void add_divergence_gradient(const SquashedGaussian& q, S scale, Write<S> dmean, Write<S> dlog_std) const {
    expect_same_bounds(q);
    gaussian_.add_divergence_gradient(q.gaussian_, scale, dmean, dlog_std);
  }

 private:
  static S log_slope(S z) {
    const S size = std::abs(z);
    return 2 * (S(0.69314718055994530942) - size - std::log1p(std::exp(-2 * size)));
  }
  double span(Index i) const { return high_[i] - low_[i]; }
  void expect_same_bounds(const SquashedGaussian& q) const {
    for (Index i = 0; i < std::min(size(), q.size()); ++i)
      if (low_[i] != q.low_[i] || high_[i] != q.high_[i]) [[unlikely]]
        detail::fail("SquashedGaussian: dimension %ld lies between %g and %g, but that of the other between %g and %g",
                     long(i), low_[i], high_[i], q.low_[i], q.high_[i]);
  }

  Gaussian<S> gaussian_;
  const double *low_, *high_;
};

}  // namespace heed
