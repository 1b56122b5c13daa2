#pragma once
#include <chrono>
#include <limits>
#include <optional>

#include "heed/core/shards.hpp"
#include "heed/optimizers/adam.hpp"
#include "heed/optimizers/clip.hpp"
#include "heed/rl/minibatch.hpp"
#include "heed/rl/recent_returns.hpp"
#include "heed/rl/returns.hpp"
#include "heed/rl/reward_normaliser.hpp"
#include "heed/rl/rollout.hpp"

namespace heed {

/// What trainers have in common that learn from what their policy, which has a learned value, has just lived: Ppo and
/// ActorCritic.
///
///   collect:   plays so many steps in each lane, episodes following each other. A: generalised advantages, of each part of
///              an episode by itself    G_t = A_t + V_t, with V as it was acted with
///   gradient:  of the mean over the steps of a minibatch of
///                objective_t - entropy H_t + value/2 (V_t - G_t)^2
///              where the objective, and the slope of the value's error if it is another, are the trainer's
///   update:    clips the gradient, and takes a step of Adam
///
/// If asked for, observations and rewards are normalised by all that was lived so far (as SB3's VecNormalize, iteration by
/// iteration). Within an iteration the statistics of observations stay as they are, so that acting and learning see the
/// same: they take in an iteration once it was played, for the next. Those of rewards take it in before it is learned from.
///
/// A gradient that is not finite is an error, before any weight is touched.
template <Policy Net, AnyEnvironment World, class Settings, class Statistics>
class OnPolicy {
 public:
  using S = typename Net::Scalar;
  using Action = typename World::Action;
  Settings config;  ///< may be changed between iterations, but for what is read once

  /// Steps of the environment so far, over all lanes.
  Index steps() const { return steps_; }
  /// Episodes that ended so far.
  Index episodes() const { return recent_.count(); }
  /// Mean return of the last `config.recent` episodes, of fewer at the start, of none minus infinity.
  double mean_return() const { return recent_.mean(); }

  /// What the last iteration was played, with its advantages and what each value should have been.
  const Episodes<S, Action>& lived() const {
    if (!lived_episodes_) [[unlikely]]
      detail::fail("%s: nothing was lived so far, but collect or iterate must come first", who_);
    return *lived_episodes_;
  }
  /// A of each step that was lived.
  std::span<const double> advantages() const { return advantages_; }
  /// G of each step that was lived.
  std::span<const double> returns() const { return returns_; }

  /// What the policy's observations are to go through, with the newest statistics; none where they are not normalised.
  const RunningNormaliser* observation_normaliser() const { return observations_ ? &*observations_ : nullptr; }

  /// Plays an iteration without learning from it.
  void collect() {
    lived_episodes_ = &rollout_.run_steps(agent_.p, config.steps, Choice::sample, executor_, observation_normaliser());
    if (observations_) rollout_.take_in(*observations_);
    if (rewards_) take_in_rewards();
    const Episodes<S, Action>& e = *lived_episodes_;
    for (const Finished& finished : e.finished) recent_.add(finished.total);
    advantages_.assign(std::size_t(e.steps()), 0);
    returns_ = advantages_;
    lived_ = 0;
    each_part([&](Index i, std::size_t first, std::size_t count) {
      const auto part = [&](auto& all) { return std::span(all).subspan(first, count); };
      for (std::size_t t = first; t < first + count; ++t) returns_[t] = config.reward_scale * reward(t);
      generalised_advantages(part(returns_), part(e.values), e.last_value[std::size_t(i)], config.gamma, config.lambda,
                             part(advantages_));
      for (std::size_t t = first; t < first + count; ++t) returns_[t] = advantages_[t] + e.values[t];
      lived_ += Index(count);
    });
  }

  /// That of the last minibatch.
  const Parameters<S>& gradient() const { return shards_.gradient(); }

 protected:
  using Clock = std::chrono::steady_clock;                                     ///< For steps a second.
  static constexpr double infinity = std::numeric_limits<double>::infinity();  ///< Where there is no bound.

  /// A step of a minibatch that is learned from.
  struct Step {
    std::size_t t;                        ///< of `lived()`
    double share;                         ///< 1 / the steps of the minibatch
    double advantage;                     ///< to mean 0 and deviation 1 over the minibatch, if asked for
    double value;                         ///< as it is now
    const Decision<Net, Action>& policy;  ///< the distribution at the step
  };

  /// `who` names the trainer in errors.
  OnPolicy(const char* who, Agent<Net>& agent, const World& world, const Settings& c, Executor executor)
      : config(checked(who, c, agent.net)),
        agent_(agent),
        who_(who),
        recent_(c.recent),
        rollout_(agent, world, c.lanes, c.seed, c.capacity),
        executor_(executor),
        shards_(agent.layout),
        adam_(agent.layout, {.learning_rate = c.learning_rate, .epsilon = 1e-5}) {
    if (c.normalise_observations) observations_.emplace(world.observation());
    if (!c.normalise_rewards) return;
    rewards_.emplace(c.gamma);
    discounted_.setZero(c.lanes * agents_of(world));
  }

  /// Throws where a setting cannot be.
  void check_config() const { checked(who_, config, agent_.net); }
  /// Throws where n < 1.
  static void check_positive(const char* who, const char* what, Index n) {
    if (n < 1) detail::fail("%s: %s %ld must be at least 1", who, what, long(n));
  }

  /// How far the policy looks back.
  Index past() const { return past_of(agent_.net, agent_.layout); }
  /// Sets the learning rate of the next iteration.
  void follow_schedule() {
    adam_.config.learning_rate = config.learning_rate * config.schedule(double(steps_) / double(config.total_steps));
  }

  /// The gradient of the loss over a minibatch of `lived()`, into `gradient()`. objective(step, statistics) adds the gradient
  /// of its part, times `step.share`, to `step.policy`, and answers the slope of half the squared error of the value.
  template <class Objective>
  Statistics loss_gradient(const Minibatch<S>& minibatch, Objective objective) {
    const Episodes<S, Action>& e = lived();
    const Axis time = agent_.net.time, input = agent_.net.input;
    const typename Shards<S>::Part parts[] = {{time, minibatch.time}, {input, minibatch.input}};
    shards_.begin(std::span(parts).first(input == time ? 1 : 2));
    sums_.assign(std::size_t(shards_.count()), {});
    const Moments of_advantages = moments(minibatch);
    shards_.each(executor_, [&](const Shard& shard) {
      const Range mine = shard.columns(input);
      const auto x = minibatch.x().middleCols(mine.first, mine.count);
      agent_.net.forward(agent_.p, x, shard.a);
      shard_gradient(e, minibatch, shard, of_advantages, objective);
      agent_.net.backward(agent_.p, x, shard.a, shard.g, no_gradient);
    });
    shards_.sum(executor_);
    Statistics all;
    for (const Statistics& of_shard : sums_) all.add(of_shard);
    return all;
  }
  /// A step down the gradient; answers its norm before it was clipped.
  double update() {
    auto& g = shards_.gradient().flat;
    const double norm = double(clip_norm(g, config.max_gradient_norm > 0 ? config.max_gradient_norm : infinity));
    adam_.step(agent_.p.flat, g);
    return norm;
  }

  /// Counts what was lived since `start`, and learned from.
  void finish(Statistics& statistics, Clock::time_point start) {
    steps_ += lived_;
    statistics.steps = steps_;
    statistics.episodes = recent_.count();
    statistics.explained_variance = explained_variance();
    const std::chrono::duration<double> took = Clock::now() - start;
    statistics.steps_per_second = double(lived_) / took.count();
  }

  /// Between iterations; not what the last one was played.
  template <class Fields>
  void shared_fields(Fields& f) {
    f("agent", agent_);
    f("adam", adam_);
    f("rollout", rollout_);
    f("recent", recent_);
    f("steps", steps_);
    if (observations_) f("observations", *observations_);
    if (!rewards_) return;
    f("rewards", *rewards_);
    f("discounted", discounted_);
  }

 private:
  using Shard = typename Shards<S>::Shard;

  static const Settings& checked(const char* who, const Settings& c, const Net& net) {
    constexpr const char* names[] = {"reward_scale", "entropy", "value", "max_gradient_norm"};
    const double numbers[] = {c.reward_scale, c.entropy, c.value, c.max_gradient_norm};
    for (int i = 0; i < 4; ++i) detail::expect_within(who, names[i], numbers[i], 0, infinity);
    constexpr const char* counts[] = {"lanes", "steps", "recent", "total_steps"};
    const Index counted[] = {c.lanes, c.steps, c.recent, c.total_steps};
    for (int i = 0; i < 4; ++i) check_positive(who, counts[i], counted[i]);
    if (!value_of(net)) detail::fail("%s: the policy has no learned value (.value = true)", who);
    return c;
  }

  /// f(number, first, count) for the steps of each part of an episode that were lived in this iteration.
  template <class F>
  void each_part(F f) const {
    const Episodes<S, Action>& e = *lived_episodes_;
    for (Index i = 0; i < e.count(); ++i) {
      const Index past = e.past[std::size_t(i)];
      f(i, std::size_t(e.time.first(i) + past), std::size_t(e.time.length(i) - past));
    }
  }

  void take_in_rewards() {
    const Episodes<S, Action>& e = *lived_episodes_;
    each_part([&](Index i, std::size_t first, std::size_t count) {
      double& so_far = discounted_[e.lane[std::size_t(i)]];
      so_far = rewards_->update(std::span(e.rewards).subspan(first, count), so_far);
      if (!e.open[std::size_t(i)]) so_far = 0;
    });
  }
  double reward(std::size_t t) const {
    const double reward = lived_episodes_->rewards[t];
    return rewards_ ? rewards_->normalise(reward) : reward;
  }

  /// Of the advantages of a minibatch: what is subtracted, and what they are divided by.
  struct Moments {
    double mean, deviation;
  };
  Moments moments(const Minibatch<S>& minibatch) const {
    if (!config.normalise) return {0, 1};
    const auto mean_of = [&](auto f) {
      double sum = 0;
      for (Index t : minibatch.step)
        if (t >= 0) sum += f(advantages_[std::size_t(t)]);
      return sum / double(minibatch.steps);
    };
    const double mean = mean_of([](double a) { return a; });
    return {mean, std::sqrt(mean_of([&](double a) { return (a - mean) * (a - mean); })) + 1e-8};
  }

  /// Fills the gradients of what a shard decides, and of its values.
  template <class Objective>
  void shard_gradient(const Episodes<S, Action>& e, const Minibatch<S>& minibatch, const Shard& shard,
                      const Moments& of_advantages, const Objective& objective) {
    const ActivationsView<S> a = shard.a;
    const Range columns = shard.columns(agent_.net.time);
    const auto value = value_of(agent_.net);
    const double share = 1 / double(minibatch.steps);
    Statistics& sums = sums_[std::size_t(shard.number)];
    Decision<Net, Action>::clear_gradients(agent_.net, a);
    a.d(value).setZero();
    for (Index i = 0; i < columns.count; ++i) {
      const Index number = minibatch.step[std::size_t(columns.first + i)];
      if (number < 0) continue;
      const std::size_t t = std::size_t(number);
      const Action& action = e.actions[t];
      const Decision<Net, Action> policy(agent_.net, a, i, e.allowed[t]);
      const double advantage = (advantages_[t] - of_advantages.mean) / of_advantages.deviation;
      const double v = double(a[value](0, i)), error = v - returns_[t];
      const double slope = objective(Step{t, share, advantage, v, policy}, sums);
      a.d(value)(0, i) = S(share * config.value * slope);
      if (config.entropy != 0) policy.add_entropy_gradient(action, S(-share * config.entropy));
      sums.entropy += share * double(policy.entropy(action));
      sums.value_error += share * error * error;
    }
  }

  double explained_variance() const {
    double n = 0, g = 0, gg = 0, d = 0, dd = 0;
    each_part([&](Index, std::size_t first, std::size_t count) {
      for (std::size_t t = first; t < first + count; ++t) {
        const double difference = returns_[t] - lived_episodes_->values[t];
        n += 1, g += returns_[t], gg += returns_[t] * returns_[t], d += difference, dd += difference * difference;
      }
    });
    const double variance = gg / n - g / n * (g / n);
    return variance > 0 ? 1 - (dd / n - d / n * (d / n)) / variance : 0;
  }

 protected:
  Agent<Net>& agent_;  ///< what learns

 private:
  const char* who_;
  RecentReturns recent_;
  Rollout<Net, World> rollout_;
  Executor executor_;
  Shards<S> shards_;
  Adam<S> adam_;
  std::optional<RunningNormaliser> observations_;
  std::optional<RewardNormaliser> rewards_;
  Eigen::VectorXd discounted_;  // rewards so far of the episode that goes on in each lane
  const Episodes<S, Action>* lived_episodes_ = nullptr;
  std::vector<double> advantages_, returns_;
  std::vector<Statistics> sums_;  // of the shards
  Index steps_ = 0, lived_ = 0;
};

}  // namespace heed
