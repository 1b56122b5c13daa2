#pragma once
#include <span>

#include "heed/rl/running_normaliser.hpp"

namespace heed {

/// Scales rewards so that discounted returns have a variance of about 1, as SB3's VecNormalize:
///
///   R_t = gamma R_(t-1) + r_t, from 0 in each episode    r' = clip(r / sqrt(variance of all R so far + epsilon))
///
/// The mean is not subtracted: that would change what a step more is worth. Clip, epsilon and frozen: those of
/// `returns`. No call allocates. Errors: a discount out of range, a reward to be taken in that is not finite.
class RewardNormaliser {
 public:
  RunningNormaliser returns{1};  ///< the statistics of R; its state is all that is to be saved

  /// By returns of that discount.
  explicit RewardNormaliser(double gamma) : gamma_(gamma) {
    if (!(gamma >= 0 && gamma <= 1)) detail::fail("RewardNormaliser: gamma %g is not in [0, 1]", gamma);
  }

  /// Takes in the rewards of successive steps of one episode. running: R before them, 0 at its start. Returns R after
  /// them, for the steps that follow.
  double update(std::span<const double> rewards, double running = 0) {
    for (double reward : rewards) {
      running = gamma_ * running + reward;
      returns.update(Read<double>(Eigen::Map<const Tokens<double>>(&running, 1, 1)));
    }
    return running;
  }
  /// The reward, divided by the deviation so far.
  double normalise(double reward) const {
    return std::clamp(reward / std::sqrt(returns.variance(0) + returns.epsilon), -returns.clip, returns.clip);
  }

  template <class Fields>
  void fields(Fields& f) {
    f("returns", returns);
  }

 private:
  double gamma_;
};

}  // namespace heed
