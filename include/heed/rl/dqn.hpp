#pragma once
#include <chrono>
#include <limits>

#include "heed/core/shards.hpp"
#include "heed/optimizers/adam.hpp"
#include "heed/optimizers/clip.hpp"
#include "heed/rl/dqn_config.hpp"
#include "heed/rl/epsilon_greedy.hpp"
#include "heed/rl/replay_batch.hpp"
#include "heed/rl/rollout.hpp"

namespace heed {

/// Deep Q-learning (Mnih et al. 2015) with any of double (van Hasselt et al. 2016), dueling (see QNetwork), n steps and
/// prioritised replay (Schaul et al. 2016; all of them: Hessel et al. 2018), of networks that look back at their past.
///
///   minimise over the steps of a batch the mean of  w_t huber(q(s_<=t, a_t) - G_t)
///
///   G_t = r_t + gamma r_(t+1) + ... + gamma^n q'(s_<=(t+n), a)    a = argmax of q(s_<=(t+n), .)
///
///   q': the target network; without double_q it says a, too    w_t: importance, over the largest of the batch
///   huber(e) = e^2 / 2, and a straight line beyond +-huber
///
/// Nothing follows where the task ended the episode; where a time limit cut it, what there was left to see does. A step
/// is learned with its past, encoded anew; columns that are only looked at carry no loss. How it acts: see
/// EpsilonGreedy; `evaluate(agent, world, episodes, seed)` plays without exploring.
///
/// An executor, such as Threads, may share the learning out; the results are the same bits whichever it is. A gradient
/// that is not finite is an error, before any weight is touched.
template <Policy Net, DiscreteEnvironment World>
requires requires(const Net net) { net.q; }
class Dqn {
 public:
  using S = typename Net::Scalar;
  DqnConfig config;  ///< may be changed between iterations, but for what is read once

  /// The agent must outlive it; throws where network, world and config do not fit.
  Dqn(Agent<Net>& agent, const World& world, const DqnConfig& c = {}, Executor executor = {})
      : config(checked(c, agent, world)),
        agent_(agent),
        target_(agent.p),
        executor_(executor),
        shards_(agent.layout),
        adam_(agent.layout, {.learning_rate = c.learning_rate}),
        replay_(replay_config(c, agent, world)),
        random_(c.seed, "dqn"),
        recent_(c.recent),
        lanes_(agent, world, c.lanes, c.seed, c.capacity) {}

  /// Plays, and learns from what was played now and before.
  DqnStatistics iterate() {
    const auto start = std::chrono::steady_clock::now();
    config.check();
    adam_.config.learning_rate = config.learning_rate * config.schedule(progress());
    DqnStatistics all;
    for (Index i = 0; i < config.steps; ++i) {
      lanes_.step(agent_.p, epsilon(), replay_, recent_);
      steps_ += config.lanes;
      for (due_ += config.lanes; due_ >= config.learn_every; due_ -= config.learn_every)
        if (steps_ >= config.learning_starts && replay_.size() > 0) learn(all);
    }
    const double n = double(std::max(all.updates, Index(1)));
    for (double* mean : {&all.loss, &all.value, &all.error, &all.gradient_norm}) *mean /= n;
    all.steps = steps_;
    all.episodes = recent_.count();
    all.epsilon = epsilon();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    all.steps_per_second = double(config.steps * config.lanes) / took.count();
    return all;
  }

  /// Steps of the environment so far, over all lanes.
  Index steps() const { return steps_; }
  /// Episodes that ended so far.
  Index episodes() const { return recent_.count(); }
  /// Mean return of the last `config.recent` episodes, exploring; of fewer at the start, of none minus infinity.
  double mean_return() const { return recent_.mean(); }
  /// The share of actions that are random now.
  double epsilon() const {
    const double share = std::min(1.0, double(steps_) / double(config.epsilon_steps));
    return config.epsilon_start + share * (config.epsilon_end - config.epsilon_start);
  }
  /// What was lived.
  const Replay<S>& replay() const { return replay_; }
  /// The target network's weights.
  const Parameters<S>& target() const { return target_; }

  /// Between iterations: with all that can be learned from again.
  template <class Fields>
  void fields(Fields& f) {
    f("agent", agent_);
    f("target", target_);
    f("adam", adam_);
    f("replay", replay_);
    f("random", random_);
    f("recent", recent_);
    f("lanes", lanes_);
    f("steps", steps_);
    f("due", due_);
    f("updates", updates_);
  }

  /// Draws a batch, each step from a part of its own of what there is.
  const ReplayBatch<S>& draw() {
    drawn_.clear();
    for (Index i = 0; i < config.batch; ++i)
      drawn_.push_back(replay_.sample((double(i) + random_.uniform()) / double(config.batch)));
    batch_.gather(replay_, drawn_, config.n_step, config.gamma);
    return batch_;
  }
  /// The gradient of the loss over a batch, into `gradient()`; the means of loss, value and error.
  DqnStatistics gradient(const ReplayBatch<S>& batch) {
    const Axis time = agent_.net.time, input = agent_.net.input;
    const typename Shards<S>::Part parts[] = {{time, batch.time}, {input, batch.input}};
    shards_.begin(std::span(parts).first(input == time ? 1 : 2));
    weigh(batch);
    shards_.each(executor_, [&](const Shard& shard) {
      const Range mine = shard.columns(input);
      const auto x = batch.x().middleCols(mine.first, mine.count);
      agent_.net.forward(target_, x, shard.a);
      keep_following(batch, shard);
      agent_.net.forward(agent_.p, x, shard.a);
      loss_gradient(batch, shard);
      agent_.net.backward(agent_.p, x, shard.a, shard.g, no_gradient);
    });
    shards_.sum(executor_);
    DqnStatistics all;
    const double n = double(batch.items.size());
    for (std::size_t i = 0; i < batch.items.size(); ++i) {
      all.loss += weights_[i] * loss(errors_[i]) / n;
      all.value += values_[i] / n;
      all.error += std::abs(errors_[i]) / n;
    }
    return all;
  }
  /// Of the last update.
  const Parameters<S>& gradient() const { return shards_.gradient(); }

 private:
  using Shard = typename Shards<S>::Shard;
  static constexpr double infinity = std::numeric_limits<double>::infinity();

  static const DqnConfig& checked(const DqnConfig& c, const Agent<Net>& agent, const World& world) {
    c.check();
    detail::expect_fit("Dqn", agent.net, world);
    if (masks_actions<World>) detail::fail("Dqn: the world says which actions are allowed, but it chooses from all");
    return c;
  }
  static ReplayConfig replay_config(const DqnConfig& c, const Agent<Net>& agent, const World& world) {
    const Index steps = c.room / c.lanes, past = past_of(agent.net, agent.layout);
    const Index look_back = c.look_back > 0 ? std::min(c.look_back, past) : past;
    const Index episode = c.capacity > 0 ? c.capacity : world.time_limit();
    const Index needed = (look_back < unlimited ? look_back : std::max(episode - 1, Index(0))) + 1 + c.n_step;
    if (steps < needed)
      detail::fail("Dqn: room %ld, but %ld lanes need %ld each: the past of a step, itself and n_step %ld",
                   long(c.room), long(c.lanes), long(needed), long(c.n_step));
    return {.observation = world.observation(),
            .lanes = c.lanes,
            .steps = steps,
            .columns = steps * c.columns,
            .look_back = look_back,
            .alpha = c.priority};
  }
  double progress() const { return double(steps_) / double(config.total_steps); }

  void learn(DqnStatistics& all) {
    const DqnStatistics now = gradient(draw());
    const double most = config.max_gradient_norm > 0 ? config.max_gradient_norm : infinity;
    all.gradient_norm += double(clip_norm(shards_.gradient().flat, most));
    adam_.step(agent_.p.flat, shards_.gradient().flat);
    for (std::size_t i = 0; i < errors_.size(); ++i) replay_.learned(batch_.items[i].step, errors_[i]);
    all.loss += now.loss;
    all.value += now.value;
    all.error += now.error;
    ++all.updates;
    if (++updates_ % config.target_every == 0) move_target();
  }
  void move_target() {
    const S share = S(config.target_share);
    target_.flat = (1 - share) * target_.flat + share * agent_.p.flat;
  }
  /// What each item counts.
  void weigh(const ReplayBatch<S>& batch) {
    const std::size_t n = batch.items.size();
    for (auto* numbers : {&weights_, &values_, &errors_}) numbers->assign(n, 0);
    following_.resize(std::size_t(agent_.net.q.rows) * n);
    const double beta = config.importance + std::min(1.0, progress()) * (1 - config.importance);
    for (std::size_t i = 0; i < n; ++i) weights_[i] = replay_.importance(batch.items[i].step, beta);
    const double most = *std::max_element(weights_.begin(), weights_.end());
    for (double& w : weights_) w /= most;
  }
  /// The items of a shard, each with its columns there: f(number, item, column, following); following is -1 where
  /// nothing follows.
  template <class F>
  void each_item(const ReplayBatch<S>& batch, const Shard& shard, F f) const {
    const Range mine = shard.sequences(agent_.net.time);
    const Index first = shard.columns(agent_.net.time).first;
    for (Index i = mine.first; i < mine.first + mine.count; ++i) {
      const auto& item = batch.items[std::size_t(i)];
      f(std::size_t(i), item, item.column - first, item.following < 0 ? -1 : item.following - first);
    }
  }
  /// What the target network, which has just run, says of what follows.
  void keep_following(const ReplayBatch<S>& batch, const Shard& shard) {
    const auto q = shard.a[agent_.net.q];
    each_item(batch, shard, [&](std::size_t i, const auto&, Index, Index following) {
      if (following >= 0) of_item(i) = q.col(following);
    });
  }
  auto of_item(std::size_t i) {
    const Index actions = agent_.net.q.rows;
    return Eigen::Map<Tokens<S>>(following_.data() + Index(i) * actions, actions, 1);
  }
  /// Fills the gradient of q of a shard.
  void loss_gradient(const ReplayBatch<S>& batch, const Shard& shard) {
    const auto q = shard.a[agent_.net.q];
    auto dq = shard.a.d(agent_.net.q);
    dq.setZero();
    each_item(batch, shard, [&](std::size_t i, const auto& item, Index column, Index following) {
      double target = config.reward_scale * item.reward;
      if (following >= 0) {
        const auto values = of_item(i);
        target += item.discount *
                  double(config.double_q ? values(best_action(q, following), 0) : values(best_action(values, 0), 0));
      }
      values_[i] = double(q(item.action, column));
      const double error = errors_[i] = values_[i] - target;
      const double slope = config.huber > 0 ? std::clamp(error, -config.huber, config.huber) : error;
      dq(item.action, column) = S(weights_[i] * slope / double(batch.items.size()));
    });
  }
  double loss(double error) const {
    const double size = std::abs(error), straight = config.huber;
    return straight == 0 || size <= straight ? error * error / 2 : straight * (size - straight / 2);
  }

  Agent<Net>& agent_;
  Parameters<S> target_;
  Executor executor_;
  Shards<S> shards_;
  Adam<S> adam_;
  Replay<S> replay_;
  Random random_;
  RecentReturns recent_;
  EpsilonGreedy<Net, World> lanes_;
  ReplayBatch<S> batch_;
  std::vector<Index> drawn_;
  std::vector<double> weights_, values_, errors_;  // of the items of a batch
  std::vector<S> following_;                       // of the target network, actions x items
  Index steps_ = 0, due_ = 0, updates_ = 0;
};

}  // namespace heed
