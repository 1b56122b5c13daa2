#pragma once
#include <chrono>
#include <limits>

#include "heed/core/shards.hpp"
#include "heed/optimizers/adam.hpp"
#include "heed/optimizers/clip.hpp"
#include "heed/rl/minibatch.hpp"
#include "heed/rl/ppo_config.hpp"
#include "heed/rl/recent_returns.hpp"
#include "heed/rl/returns.hpp"
#include "heed/rl/rollout.hpp"

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
class Ppo {
 public:
  using S = typename Net::Scalar;
  using Action = typename World::Action;
  PpoConfig config;

  Ppo(Agent<Net>& agent, const World& world, const PpoConfig& c = {}, Executor executor = {})
      : config(checked(c, agent.net)),
        recent_(c.recent),
        agent_(agent),
        rollout_(agent, world, c.lanes, c.seed, c.capacity),
        executor_(executor),
        shards_(agent.layout),
        adam_(agent.layout, {.learning_rate = c.learning_rate, .epsilon = 1e-5}),
        random_(c.seed, "ppo") {}

  /// Plays, and learns from what was played.
  PpoStatistics iterate() {
    const auto start = std::chrono::steady_clock::now();
    checked(config, agent_.net);
    collect();
    PpoStatistics statistics;
    statistics.explained_variance = explained_variance();
    learn(statistics);
    steps_ += lived_;
    statistics.steps = steps_;
    statistics.episodes = recent_.count();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    statistics.steps_per_second = double(lived_) / took.count();
    return statistics;
  }

  /// Steps of the environment so far, over all lanes.
  Index steps() const { return steps_; }
  /// Episodes that ended so far.
  Index episodes() const { return recent_.count(); }
  /// Mean return of the last `config.recent` episodes, of fewer at the start, of none minus infinity.
  double mean_return() const { return recent_.mean(); }

  /// Between iterations; not what the last one was played.
  template <class Fields>
  void fields(Fields& f) {
    f("agent", agent_);
    f("adam", adam_);
    f("rollout", rollout_);
    f("random", random_);
    f("recent", recent_);
    f("steps", steps_);
  }

  /// What the last iteration was played, with its advantages and what each value should have been.
  const Episodes<S, Action>& lived() const { return *lived_episodes_; }
  std::span<const double> advantages() const { return advantages_; }
  std::span<const double> returns() const { return returns_; }

  /// Plays an iteration without learning from it.
  void collect() {
    lived_episodes_ = &rollout_.run_steps(agent_.p, config.steps, Choice::sample, executor_);
    const Episodes<S, Action>& e = *lived_episodes_;
    for (const Finished& finished : e.finished) recent_.add(finished.total);
    cut_into_pieces(e, past() == 0 ? Index(1) : config.piece, past(), pieces_);
    advantages_.assign(std::size_t(e.steps()), 0);
    returns_ = advantages_;
    lived_ = 0;
    for (Index i = 0; i < e.count(); ++i) {
      const Index old = e.past[std::size_t(i)];
      const std::size_t first = std::size_t(e.time.first(i) + old), count = std::size_t(e.time.length(i) - old);
      const auto part = [&](auto& all) { return std::span(all).subspan(first, count); };
      for (std::size_t t = first; t < first + count; ++t) returns_[t] = config.reward_scale * e.rewards[t];
      generalised_advantages(part(returns_), part(e.values), e.last_value[std::size_t(i)], config.gamma, config.lambda,
                             part(advantages_));
      for (std::size_t t = first; t < first + count; ++t) returns_[t] = advantages_[t] + e.values[t];
      lived_ += Index(count);
    }
  }

  /// The gradient of the loss over a minibatch of `lived()`, into `gradient()`.
  PpoStatistics gradient(const Minibatch<S>& minibatch) {
    const Axis time = agent_.net.time, input = agent_.net.input;
    const typename Shards<S>::Part parts[] = {{time, minibatch.time}, {input, minibatch.input}};
    shards_.begin(std::span(parts).first(input == time ? 1 : 2));
    sums_.assign(std::size_t(shards_.count()), {});
    const Moments of_advantages = moments(minibatch);
    shards_.each(executor_, [&](const Shard& shard) {
      const Range mine = shard.columns(input);
      const auto x = minibatch.x().middleCols(mine.first, mine.count);
      agent_.net.forward(agent_.p, x, shard.a);
      loss_gradient(minibatch, shard, of_advantages);
      agent_.net.backward(agent_.p, x, shard.a, shard.g, no_gradient);
    });
    shards_.sum(executor_);
    PpoStatistics all;
    for (const PpoStatistics& s : sums_) {
      all.entropy += s.entropy;
      all.kl += s.kl;
      all.clip_fraction += s.clip_fraction;
      all.value_error += s.value_error;
    }
    return all;
  }
  const Parameters<S>& gradient() const { return shards_.gradient(); }

 private:
  using Shard = typename Shards<S>::Shard;
  static constexpr double infinity = std::numeric_limits<double>::infinity();

  static const PpoConfig& checked(const PpoConfig& c, const Net& net) {
    constexpr const char* names[] = {"reward_scale",      "clip",     "value_clip", "entropy", "value",
                                     "max_gradient_norm", "target_kl"};
    const double numbers[] = {c.reward_scale,      c.clip,     c.value_clip, c.entropy, c.value,
                              c.max_gradient_norm, c.target_kl};
    for (int i = 0; i < 7; ++i) detail::expect_within("Ppo", names[i], numbers[i], 0, infinity);
    constexpr const char* counts[] = {"lanes", "steps", "epochs", "minibatches", "recent", "total_steps"};
    const Index counted[] = {c.lanes, c.steps, c.epochs, c.minibatches, c.recent, c.total_steps};
    for (int i = 0; i < 6; ++i)
      if (counted[i] < 1) detail::fail("Ppo: %s %ld must be at least 1", counts[i], long(counted[i]));
    if (c.piece < 0) detail::fail("Ppo: piece %ld must not be negative", long(c.piece));
    if (!value_of(net)) detail::fail("Ppo: the policy has no learned value (.value = true)");
    return c;
  }
  Index past() const { return past_of(agent_.net, agent_.layout); }

  void learn(PpoStatistics& statistics) {
    adam_.config.learning_rate = config.learning_rate * config.schedule(double(steps_) / double(config.total_steps));
    bool far = false;
    for (Index epoch = 0; epoch < config.epochs && !far; ++epoch) {
      shuffle(pieces_, random_);
      each_minibatch(*lived_episodes_, std::span<const Piece>(pieces_), config.minibatches, minibatch_,
                     [&](const Minibatch<S>& minibatch) {
                       const PpoStatistics now = gradient(minibatch);
                       far = config.target_kl > 0 && now.kl > 1.5 * config.target_kl;
                       if (far) return false;
                       update(now, statistics);
                       return true;
                     });
    }
    const double n = double(std::max(statistics.updates, Index(1)));
    for (double* mean : {&statistics.entropy, &statistics.kl, &statistics.clip_fraction, &statistics.value_error,
                         &statistics.gradient_norm})
      *mean /= n;
  }
  void update(const PpoStatistics& now, PpoStatistics& statistics) {
    auto& g = shards_.gradient().flat;
    statistics.gradient_norm +=
        double(clip_norm(g, config.max_gradient_norm > 0 ? config.max_gradient_norm : infinity));
    adam_.step(agent_.p.flat, g);
    ++statistics.updates;
    statistics.entropy += now.entropy;
    statistics.kl += now.kl;
    statistics.clip_fraction += now.clip_fraction;
    statistics.value_error += now.value_error;
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

  /// Fills the gradients of logits and value of a shard.
  void loss_gradient(const Minibatch<S>& minibatch, const Shard& shard, const Moments& of_advantages) {
    const Episodes<S, Action>& e = *lived_episodes_;
    const ActivationsView<S> a = shard.a;
    const Range columns = shard.columns(agent_.net.time);
    const auto value = value_of(agent_.net);
    const double share = 1 / double(minibatch.steps);
    PpoStatistics& sums = sums_[std::size_t(shard.number)];
    Decision<Net, Action>::clear_gradients(agent_.net, a);
    a.d(value).setZero();
    for (Index i = 0; i < columns.count; ++i) {
      const Index step = minibatch.step[std::size_t(columns.first + i)];
      if (step < 0) continue;
      const std::size_t t = std::size_t(step);
      const Decision<Net, Action> policy(agent_.net, a, i);
      const double advantage = (advantages_[t] - of_advantages.mean) / of_advantages.deviation;
      const double log_ratio = double(policy.log_prob(e.actions[t])) - double(e.log_probs[t]),
                   ratio = std::exp(log_ratio);
      const bool beyond = advantage > 0 ? ratio > 1 + config.clip : ratio < 1 - config.clip;
      if (!beyond) policy.add_log_prob_gradient(e.actions[t], S(-share * ratio * advantage));
      if (config.entropy != 0) policy.add_entropy_gradient(S(-share * config.entropy));
      const double v = double(a[value](0, i)), error = v - returns_[t];
      a.d(value)(0, i) = S(share * config.value * value_slope(v, e.values[t], returns_[t]));
      sums.entropy += share * double(policy.entropy());
      sums.kl += share * (std::expm1(log_ratio) - log_ratio);
      sums.clip_fraction += std::abs(ratio - 1) > config.clip ? share : 0;
      sums.value_error += share * error * error;
    }
  }
  /// The derivative of half the squared error, or of the larger of that and the clipped one.
  double value_slope(double v, double old, double target) const {
    if (config.value_clip == 0) return v - target;
    const double near = old + std::clamp(v - old, -config.value_clip, config.value_clip);
    if (std::abs(v - target) >= std::abs(near - target)) return v - target;
    return near == v ? v - target : 0;
  }

  double explained_variance() const {
    double n = 0, g = 0, gg = 0, d = 0, dd = 0;
    for (const Piece& piece : pieces_)
      for (std::size_t t = std::size_t(piece.first); t < std::size_t(piece.first + piece.count); ++t) {
        const double difference = returns_[t] - lived_episodes_->values[t];
        n += 1, g += returns_[t], gg += returns_[t] * returns_[t], d += difference, dd += difference * difference;
      }
    const double variance = gg / n - g / n * (g / n);
    return variance > 0 ? 1 - (dd / n - d / n * (d / n)) / variance : 0;
  }

  RecentReturns recent_;
  Agent<Net>& agent_;
  Rollout<Net, World> rollout_;
  Executor executor_;
  Shards<S> shards_;
  Adam<S> adam_;
  Random random_;
  const Episodes<S, Action>* lived_episodes_ = nullptr;
  std::vector<Piece> pieces_;
  Minibatch<S> minibatch_;
  std::vector<double> advantages_, returns_;
  std::vector<PpoStatistics> sums_;  // of the shards
  Index steps_ = 0, lived_ = 0;
};

}  // namespace heed
