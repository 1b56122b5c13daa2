#pragma once
#include "heed/rl/on_policy.hpp"
#include "heed/rl/ppo_config.hpp"

namespace heed {

/// Proximal policy optimisation (Schulman et al. 2017, eq. 7 and 9), with generalised advantages.
///
///   minimise over the steps of a minibatch the mean of
///     - min(rho_t A_t, clip(rho_t, 1 - c, 1 + c) A_t) - entropy H_t + value/2 (V_t - G_t)^2
///
///   rho_t = pi(a_t | s_<=t) / pi_old(a_t | s_<=t)    A: generalised advantage, normalised    G_t = A_t + V_old_t
///   with value_clip v: the larger of (V - G)^2 and (V_old + clip(V - V_old, -v, v) - G)^2
///
/// An iteration plays so many steps in each lane, episodes following each other, and learns from them for some epochs in
/// minibatches of whole pieces. A piece that begins within its episode has the past that the policy looks back at encoded
/// anew, so that before the first update every ratio is 1. What a time limit or the end of the iteration cuts goes on with
/// the learned value of what was left.
///
/// An executor, such as Threads, may share the work out; the results are the same bits whichever it is. A gradient that is
/// not finite is an error, before any weight is touched.
template <Policy Net, AnyEnvironment World>
class Ppo : public OnPolicy<Net, World, PpoConfig, PpoStatistics> {
  using Base = OnPolicy<Net, World, PpoConfig, PpoStatistics>;

 public:
  using S = typename Net::Scalar;
  using Base::config, Base::gradient, Base::lived, Base::returns;

  /// The agent must outlive it; throws where network, world and config do not fit.
  Ppo(Agent<Net>& agent, const World& world, const PpoConfig& c = {}, Executor executor = {})
      : Base("Ppo", agent, world, checked(c), executor), random_(c.seed, "ppo") {}

  /// Plays, and learns from what was played.
  PpoStatistics iterate() {
    const auto start = Base::Clock::now();
    this->check_config();
    checked(config);
    this->collect();
    PpoStatistics statistics = learn();
    this->finish(statistics, start);
    return statistics;
  }

  /// The gradient of the loss over a minibatch of `lived()`, into `gradient()`.
  PpoStatistics gradient(const Minibatch<S>& minibatch) {
    return this->loss_gradient(minibatch, [&](const Step& step, PpoStatistics& sums) {
      const auto action = lived().actions[step.t];
      const double log_ratio = double(step.policy.log_prob(action)) - double(lived().log_probs[step.t]),
                   ratio = std::exp(log_ratio);
      const bool beyond = step.advantage > 0 ? ratio > 1 + config.clip : ratio < 1 - config.clip;
      if (!beyond) step.policy.add_log_prob_gradient(action, S(-step.share * ratio * step.advantage));
      sums.kl += step.share * (std::expm1(log_ratio) - log_ratio);
      sums.clip_fraction += std::abs(ratio - 1) > config.clip ? step.share : 0;
      return value_slope(step.value, lived().values[step.t], returns()[step.t]);
    });
  }

  /// Between iterations; not what the last one was played.
  template <class Fields>
  void fields(Fields& f) {
    this->shared_fields(f);
    f("random", random_);
  }

 private:
  using typename Base::Step;

  static const PpoConfig& checked(const PpoConfig& c) {
    constexpr const char* names[] = {"clip", "value_clip", "target_kl"};
    const double numbers[] = {c.clip, c.value_clip, c.target_kl};
    for (int i = 0; i < 3; ++i) detail::expect_within("Ppo", names[i], numbers[i], 0, Base::infinity);
    Base::check_positive("Ppo", "epochs", c.epochs);
    Base::check_positive("Ppo", "minibatches", c.minibatches);
    if (c.piece < 0) detail::fail("Ppo: piece %ld must not be negative", long(c.piece));
    return c;
  }

  PpoStatistics learn() {
    PpoStatistics statistics;
    this->follow_schedule();
    cut_into_pieces(lived(), this->past() == 0 ? Index(1) : config.piece, this->past(), pieces_);
    bool far = false;
    for (Index epoch = 0; epoch < config.epochs && !far; ++epoch) {
      shuffle(pieces_, random_);
      each_minibatch(lived(), std::span<const Piece>(pieces_), config.minibatches, minibatch_,
                     [&](const Minibatch<S>& minibatch) {
                       const PpoStatistics now = gradient(minibatch);
                       far = config.target_kl > 0 && now.kl > 1.5 * config.target_kl;
                       if (far) return false;
                       statistics.add(now);
                       statistics.gradient_norm += this->update();
                       ++statistics.updates;
                       return true;
                     });
    }
    statistics.divide(double(std::max(statistics.updates, Index(1))));
    return statistics;
  }

  /// The derivative of half the squared error, or of the larger of that and the clipped one.
  double value_slope(double v, double old, double target) const {
    if (config.value_clip == 0) return v - target;
    const double near = old + std::clamp(v - old, -config.value_clip, config.value_clip);
    if (std::abs(v - target) >= std::abs(near - target)) return v - target;
    return near == v ? v - target : 0;
  }

  Random random_;
  std::vector<Piece> pieces_;
  Minibatch<S> minibatch_;
};

}  // namespace heed
