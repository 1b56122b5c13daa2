#pragma once
#include <chrono>
#include <limits>
#include <numeric>

#include "heed/core/shards.hpp"
#include "heed/optimizers/adam.hpp"
#include "heed/optimizers/clip.hpp"
#include "heed/rl/recent_returns.hpp"
#include "heed/rl/rollout.hpp"

namespace heed {

/// What is subtracted from the reward-to-go.
enum class Baseline {
  none,
  running_mean,  ///< of the reward-to-go of all steps of earlier batches
  value,         ///< the policy's learned value
};

/// Between iterations all may be changed but batch, recent, capacity and seed, which are read once.
struct ReinforceConfig {
  double learning_rate = 5e-3;  ///< of Adam
  double gamma = 0.99;          ///< discount a step
  double reward_scale = 1;      ///< rewards are multiplied by it: a learned value should be of the order of 1
  Index batch = 16;             ///< episodes an iteration
  Baseline baseline = Baseline::running_mean;  ///< what is subtracted from the reward-to-go
  double baseline_rate = 0.1;                  ///< weight of the newest batch in the running mean
  bool normalise = true;                       ///< advantages of a batch to mean 0 and deviation 1
  double entropy = 0.01;                       ///< weight of the entropy bonus
  double value = 0.5;                          ///< weight of the squared error of the learned value
  double max_gradient_norm = 0;                ///< the gradient is scaled down to this norm; 0: never
  Index recent = 100;                          ///< mean_return() is over so many of the last episodes
  Index capacity = 0;      ///< steps that a policy without a window can remember; 0: the world's time limit
  std::uint64_t seed = 1;  ///< of the episodes
};

/// What an iteration did.
struct ReinforceStatistics {
  Index episodes = 0;           ///< so far, in all iterations
  Returns returns;              ///< of the batch
  double mean_length = 0;       ///< steps an episode of the batch
  double entropy = 0;           ///< of the policy, mean over the steps, nats
  double gradient_norm = 0;     ///< before clipping
  double steps_per_second = 0;  ///< of the batch, acting and learning
};

/// REINFORCE (Williams 1992) with reward-to-go and a baseline (Sutton and Barto 2018, sec. 13.3 and 13.4).
///
///   minimise  - 1/B sum over episodes and steps of [ log pi(a_t | s_<=t) (G_t - b) + entropy H_t ]
///             + value/B sum of 1/2 (V_t - G_t)^2
///
///   B: episodes of the batch    G_t: reward-to-go, see rewards_to_go    b: Baseline, without gradient
///
/// A batch is a fixed number of started episodes, each run to its end. Everything is a mean over episodes, so the step
/// size does not depend on their number. An episode cut by the time limit goes on with the learned value of what was
/// left where there is one; without one it counts as complete.
///
/// An executor, such as Threads, may share the work out; the results are the same bits whichever it is.
template <Policy Net, AnyEnvironment World>
requires std::same_as<typename World::Action, Index>
class Reinforce {
 public:
  using S = typename Net::Scalar;
  ReinforceConfig config;  ///< may be changed between iterations, but for what is read once

  /// The agent must outlive it; throws where network, world and config do not fit.
  Reinforce(Agent<Net>& agent, const World& world, const ReinforceConfig& c = {}, Executor executor = {})
      : config(checked(c, agent.net)),
        recent_(c.recent),
        agent_(agent),
        rollout_(agent, world, c.batch, c.seed, c.capacity),
        executor_(executor),
        shards_(agent.layout),
        adam_(agent.layout, {.learning_rate = c.learning_rate}) {}

  /// Plays a batch of episodes and learns from it once.
  ReinforceStatistics iterate() {
    const auto start = std::chrono::steady_clock::now();
    checked(config, agent_.net);
    const Episodes<S>& episodes = rollout_.run(agent_.p, Choice::sample, executor_);
    ReinforceStatistics statistics;
    statistics.returns = Returns::of(episodes);
    statistics.mean_length = double(episodes.steps()) / double(episodes.count());
    statistics.entropy = gradient(episodes);
    auto& g = shards_.gradient().flat;
    statistics.gradient_norm = double(clip_norm(g, config.max_gradient_norm > 0 ? config.max_gradient_norm : infinity));
    adam_.config.learning_rate = config.learning_rate;
    adam_.step(agent_.p.flat, g);
    for (const Finished& finished : episodes.finished) recent_.add(finished.total);
    statistics.episodes = recent_.count();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    statistics.steps_per_second = double(episodes.steps()) / took.count();
    return statistics;
  }

  /// The gradient of the loss over a batch, into `gradient()`; returns the mean entropy.
  double gradient(const Episodes<S>& episodes) {
    if (episodes.steps() == 0) detail::fail("Reinforce: a batch of no steps");
    if (Index(episodes.actions.size()) != episodes.steps() || Index(episodes.rewards.size()) != episodes.steps() ||
        Index(episodes.last_value.size()) != episodes.count())
      detail::fail("Reinforce: %ld episodes of %ld steps, but %zu actions, %zu rewards and %zu last values",
                   long(episodes.count()), long(episodes.steps()), episodes.actions.size(), episodes.rewards.size(),
                   episodes.last_value.size());
    const Axis time = agent_.net.time, input = agent_.net.input;
    const typename Shards<S>::Part parts[] = {{time, episodes.time}, {input, episodes.input}};
    shards_.begin(std::span(parts).first(input == time ? 1 : 2));
    const auto x = [&](const Shard& shard) {
      const Range mine = shard.columns(agent_.net.input);
      return episodes.x().middleCols(mine.first, mine.count);
    };
    shards_.each(executor_, [&](const Shard& shard) { agent_.net.forward(agent_.p, x(shard), shard.a); });
    rewards_to_go(episodes, config.gamma, config.reward_scale, returns_);
    advantages();
    entropies_.resize(std::size_t(shards_.count()));
    shards_.each(executor_, [&](const Shard& shard) {
      entropies_[std::size_t(shard.number)] = loss_gradient(episodes, shard);
      agent_.net.backward(agent_.p, x(shard), shard.a, shard.g, no_gradient);
    });
    shards_.sum(executor_);
    return std::accumulate(entropies_.begin(), entropies_.end(), 0.0) / double(episodes.steps());
  }
  /// Of the last iteration.
  const Parameters<S>& gradient() const { return shards_.gradient(); }

  /// Episodes played so far.
  Index episodes() const { return recent_.count(); }
  /// Mean return of the last `config.recent` episodes, of fewer at the start, of none minus infinity.
  double mean_return() const { return recent_.mean(); }

  /// Between iterations: what goes on is this and the agent's weights.
  template <class Fields>
  void fields(Fields& f) {
    f("agent", agent_);
    f("adam", adam_);
    f("rollout", rollout_);
    f("recent", recent_);
    f("running_mean", running_mean_);
    f("has_running_mean", has_running_mean_);
  }

 private:
  using Shard = typename Shards<S>::Shard;
  static constexpr double infinity = std::numeric_limits<double>::infinity();

  static const ReinforceConfig& checked(const ReinforceConfig& c, const Net& net) {
    if (!(c.gamma >= 0 && c.gamma <= 1)) detail::fail("Reinforce: gamma %g is not in [0, 1]", c.gamma);
    constexpr const char* names[] = {"reward_scale", "entropy", "value", "max_gradient_norm", "baseline_rate"};
    const double numbers[] = {c.reward_scale, c.entropy, c.value, c.max_gradient_norm, c.baseline_rate};
    for (int i = 0; i < 5; ++i) detail::expect_within("Reinforce", names[i], numbers[i], 0, infinity);
    if (c.recent < 1) detail::fail("Reinforce: recent %ld must be at least 1", long(c.recent));
    if (c.baseline == Baseline::value && !value_of(net))
      detail::fail("Reinforce: the baseline is the learned value, but the policy has none (.value = true)");
    return c;
  }

  /// advantages_ = G - b, normalised if asked for; the running mean learns afterwards.
  void advantages() {
    const Eigen::Map<const Eigen::ArrayXd> g(returns_.data(), Index(returns_.size()));
    if (advantages_.size() < g.size()) advantages_.resize(2 * g.size());
    auto advantage = advantages_.head(g.size());
    advantage = g;
    if (config.baseline == Baseline::value)
      for (Index i = 0; i < shards_.count(); ++i) {
        const Shard shard = shards_[i];
        const Range steps = shard.columns(agent_.net.time);
        advantage.segment(steps.first, steps.count) -=
            shard.a[value_of(agent_.net)].row(0).transpose().array().template cast<double>();
      }
    if (config.baseline == Baseline::running_mean) {
      const double mean = g.mean();
      if (!has_running_mean_) running_mean_ = mean, has_running_mean_ = true;
      advantage -= running_mean_;
      running_mean_ += config.baseline_rate * (mean - running_mean_);
    }
    if (!config.normalise) return;
    const double mean = advantage.mean();
    advantage -= mean;
    const double deviation = std::sqrt(advantage.square().mean());
    advantage /= deviation + 1e-8;
  }

  /// Fills the gradients of logits and value; returns the sum of the entropies.
  double loss_gradient(const Episodes<S>& episodes, const Shard& shard) {
    const double share = 1 / double(episodes.count());
    const ActivationsView<S> a = shard.a;
    const Range steps = shard.columns(agent_.net.time);
    a.d(agent_.net.logits).setZero();
    double entropy = 0;
    for (Index i = 0; i < steps.count; ++i) {
      const Index t = steps.first + i;
      const Categorical<S> policy = decision(agent_.net, a, i, episodes.allowed[std::size_t(t)]);
      const auto dlogits = decision_gradient(agent_.net, a, i);
      policy.add_log_prob_gradient(episodes.actions[std::size_t(t)], S(-share * advantages_[t]), dlogits);
      if (config.entropy != 0) policy.add_entropy_gradient(S(-share * config.entropy), dlogits);
      entropy += double(policy.entropy());
    }
    if (const auto value = value_of(agent_.net)) {
      const double* g = returns_.data() + steps.first;
      for (Index i = 0; i < steps.count; ++i) a.d(value)(0, i) = S(config.value * share) * (a[value](0, i) - S(g[i]));
    }
    return entropy;
  }

  RecentReturns recent_;
  Agent<Net>& agent_;
  Rollout<Net, World> rollout_;
  Executor executor_;
  Shards<S> shards_;
  Adam<S> adam_;
  std::vector<double> returns_, entropies_;
  Eigen::ArrayXd advantages_;
  double running_mean_ = 0;
  bool has_running_mean_ = false;
};

}  // namespace heed
