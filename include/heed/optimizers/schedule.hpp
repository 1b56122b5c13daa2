#pragma once
#include <cmath>

#include "heed/detail/error.hpp"

namespace heed {

/// What a learning rate is multiplied by as training goes on:
///
///   u < w: u / w (Goyal et al. 2017, sec. 2.2)    u >= w, s = (u - w) / (1 - w):
///     constant  1
///     linear    1 - (1 - f) s
///     cosine    f + (1 - f) (1 + cos(pi s)) / 2 (Loshchilov and Hutter 2017, eq. 5)
///
///   u: progress, from 0 at the start to 1 at the end, and above as at the end    w: warm_up    f: final_share
///
///   adam.config.learning_rate = 3e-4 * schedule(double(steps) / double(most));
///
/// With a warm-up the factor is 0 at the very start. Errors: progress that is negative or NaN, numbers out of range.
struct Schedule {
  /// How it falls.
  enum class Shape { constant, linear, cosine };
  /// not at all, in a line to 0, by half a cosine to 0
  static constexpr Shape constant = Shape::constant, linear = Shape::linear, cosine = Shape::cosine;
  Shape shape = constant;  ///< how it falls
  double final_share = 0;  ///< of linear and cosine: the factor at the end, in [0, 1]
  double warm_up = 0;      ///< the share of all progress that it takes, in [0, 1)

  /// The factor after a share `progress` of all steps.
  double operator()(double progress) const {
    check(progress);
    if (progress < warm_up) return progress / warm_up;
    const double s = progress < 1 ? (progress - warm_up) / (1 - warm_up) : 1;
    switch (shape) {
      case linear: return 1 - (1 - final_share) * s;
      case cosine: return final_share + (1 - final_share) * (1 + std::cos(3.141592653589793 * s)) / 2;
      default: return 1;
    }
  }

 private:
  void check(double progress) const {
    if (!(progress >= 0)) [[unlikely]]
      detail::fail("Schedule: progress %g must not be negative", progress);
    if (!(final_share >= 0 && final_share <= 1)) [[unlikely]]
      detail::fail("Schedule: final_share %g is not in [0, 1]", final_share);
    if (!(warm_up >= 0 && warm_up < 1)) [[unlikely]]
      detail::fail("Schedule: warm_up %g is not in [0, 1)", warm_up);
  }
};

}  // namespace heed
