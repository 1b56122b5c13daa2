#pragma once
#include "heed/rl/actor_critic_config.hpp"
#include "heed/rl/on_policy.hpp"

namespace heed {

/// Synchronous advantage actor-critic, A2C (Mnih et al. 2016, sec. 4.3 and algorithm S3, all actors in step).
///
///   minimise over the steps of an iteration the mean of
///     - A_t log pi(a_t | s_<=t) - entropy H_t + value/2 (V_t - G_t)^2
///
///   A: generalised advantage, without gradient    G_t = A_t + V_t, V as it was acted with
///   with lambda 1: G_t = r_t + gamma r_(t+1) + ... to the end of the episode, or of what was lived of it, and then
///   the learned value of what was left
///
/// An iteration plays a few steps in each lane, episodes following each other, and learns from them once: there is no old
/// policy, and nothing is clipped. A part that begins within its episode has the past that the policy looks back at encoded
/// anew.
///
/// An executor, such as Threads, may share the work out; the results are the same bits whichever it is. A gradient that is
/// not finite is an error, before any weight is touched.
template <Policy Net, AnyEnvironment World>
class ActorCritic : public OnPolicy<Net, World, ActorCriticConfig, ActorCriticStatistics> {
  using Base = OnPolicy<Net, World, ActorCriticConfig, ActorCriticStatistics>;

 public:
  using S = typename Net::Scalar;
  using Base::config, Base::gradient, Base::lived, Base::returns;

  /// The agent must outlive it; throws where network, world and config do not fit.
  ActorCritic(Agent<Net>& agent, const World& world, const ActorCriticConfig& c = {}, Executor executor = {})
      : Base("ActorCritic", agent, world, c, executor) {}

  /// Plays, and learns from what was played.
  ActorCriticStatistics iterate() {
    const auto start = Base::Clock::now();
    this->check_config();
    this->collect();
    cut_into_pieces(lived(), 0, this->past(), parts_);
    batch_.gather(lived(), std::span<const Piece>(parts_));
    ActorCriticStatistics statistics = gradient(batch_);
    this->follow_schedule();
    statistics.gradient_norm = this->update();
    this->finish(statistics, start);
    return statistics;
  }

  /// The gradient of the loss over some of `lived()`, into `gradient()`.
  ActorCriticStatistics gradient(const Minibatch<S>& batch) {
    return this->loss_gradient(batch, [&](const Step& step, ActorCriticStatistics&) {
      step.policy.add_log_prob_gradient(lived().actions[step.t], S(-step.share * step.advantage));
      return step.value - returns()[step.t];
    });
  }

  /// Between iterations; not what the last one was played.
  template <class Fields>
  void fields(Fields& f) {
    this->shared_fields(f);
  }

 private:
  using typename Base::Step;

  std::vector<Piece> parts_;
  Minibatch<S> batch_;
};

}  // namespace heed
