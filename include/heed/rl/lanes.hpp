#pragma once
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "heed/core/agent.hpp"
#include "heed/core/shards.hpp"
#include "heed/rl/decision.hpp"
#include "heed/rl/environment.hpp"
#include "heed/rl/episodes.hpp"

namespace heed {

/// How actions are chosen: sampled from the policy, or the most probable.
enum class Choice { sample, mode };

/// Some of the lanes of a Rollout, which act together: what one thread plays.
template <Policy Net, DiscreteEnvironment World>
class Lanes {
 public:
  using S = typename Net::Scalar;

  /// The lanes `of` all; capacity: how many steps a policy that looks back without limit can remember.
  Lanes(const Agent<Net>& agent, const World& world, Range of, std::uint64_t seed, Index capacity)
      : net_(agent.net),
        world_(world),
        first_(of.first),
        memory_(agent.layout, of.count, capacity),
        activations_(agent.layout),
        lanes_(std::size_t(of.count)),
        x_(world.observation(), of.count),
        log_x_(world.observation(), 0) {
    for (std::size_t i = 0; i < lanes_.size(); ++i) {
      char name[32];
      std::snprintf(name, sizeof name, "lane %zu", name_of(i));
      lanes_[i].random = Random(seed, name);
    }
  }

  /// Plays one episode in each.
  void run(const Parameters<S>& p, Choice choice) {
    for (Lane& lane : lanes_) {
      lane.state = world_.reset(lane.random);
      lane.phase = Phase::acting;
      lane.truncated = false;
      lane.last_value = 0;
    }
    memory_.forget();
    log_.clear();
    logged_columns_ = 0;
    while (observe()) {
      net_.extend(p, x_.leftCols(activations_.columns(net_.input)), memory_, activations_);
      act(choice);
    }
  }

  /// Columns of x that its episodes have.
  Index columns() const { return logged_columns_; }
  /// Sorts what was logged step by step into episodes, behind those that are there, and their columns into x.
  template <class X>
  void append_to(Episodes<S>& episodes, X x) {
    // A counting sort by lane: first how many steps each has, then where its next step goes.
    next_.assign(lanes_.size() + 1, 0);
    for (const Logged& step : log_) ++next_[step.lane + 1];
    for (std::size_t i = 0; i < lanes_.size(); ++i) {
      episodes.time.append(Index(next_[i + 1]));
      next_[i + 1] += next_[i];
    }
    order_.resize(log_.size());
    for (std::size_t i = 0; i < log_.size(); ++i) order_[next_[log_[i].lane]++] = i;

    for (std::size_t i : order_) {
      const Logged& step = log_[i];
      x.middleCols(episodes.input.columns(), step.columns) = log_x_.middleCols(step.column, step.columns);
      episodes.input.append(step.columns);
      episodes.actions.push_back(step.action);
      episodes.rewards.push_back(step.reward);
      episodes.log_probs.push_back(step.log_prob);
    }
    for (const Lane& lane : lanes_) {
      episodes.truncated.push_back(lane.truncated);
      episodes.last_value.push_back(lane.last_value);
    }
  }

 private:
  enum class Phase { acting, closing, done };  // closing: cut, and what was left is yet to be valued
  struct Lane {
    typename World::State state{};
    Random random{0};
    Phase phase = Phase::done;
    bool truncated = false;
    double last_value = 0;
  };
  struct Logged {
    std::size_t lane;
    Index column, columns;  // of log_x_
    Index action;
    double reward;
    S log_prob;
  };

  /// The number of a lane among all.
  std::size_t name_of(std::size_t lane) const { return std::size_t(first_) + lane; }

  /// Writes what each lane that goes on sees into x_; false when there is none.
  bool observe() {
    const auto seen = [&](Index i) { return lanes_[std::size_t(i)].phase == Phase::done ? Index(0) : Index(1); };
    activations_.begin(net_.time, Index(lanes_.size()), seen);
    if (activations_.columns(net_.time) == 0) return false;
    going_.clear();
    for (std::size_t i = 0; i < lanes_.size(); ++i)
      if (lanes_[i].phase != Phase::done) going_.push_back(i);
    const auto columns = [&](Index i) { return columns_of(world_, lanes_[going_[std::size_t(i)]].state); };
    if (!(net_.input == net_.time)) activations_.begin(net_.input, Index(going_.size()), columns);
    const SequencesView of = activations_.sequences(net_.input);
    if (x_.cols() < of.columns()) x_.resize(x_.rows(), 2 * of.columns());
    Index column = 0;
    for (Index i = 0; i < Index(going_.size()); ++i) {
      const Index n = columns(i);
      const std::size_t number = going_[std::size_t(i)];
      world_.observe(lanes_[number].state, Write<S>(x_.middleCols(column, n)));
      if (!x_.middleCols(column, n).allFinite())
        detail::fail("Rollout: an observation is not finite at step %ld of episode %zu",
                     long(memory_.length(net_.time, Index(number))), name_of(number));
      column += n;
    }
    return true;
  }

  void act(Choice choice) {
    Index column = 0;
    for (Index i = 0; i < Index(going_.size()); ++i) {
      const std::size_t number = going_[std::size_t(i)];
      Lane& lane = lanes_[number];
      const Index columns = columns_of(world_, lane.state);
      if (lane.phase == Phase::closing) {
        lane.last_value = double(activations_[value_of(net_)](0, i));
        lane.phase = Phase::done;
      } else {
        step(number, i, column, columns, choice);
      }
      column += columns;
    }
  }
  void step(std::size_t number, Index i, Index column, Index columns, Choice choice) {
    Lane& lane = lanes_[number];
    const Categorical<S> policy = decision(net_, activations_.view(), i);
    const Index action = choice == Choice::sample ? policy.sample(lane.random) : policy.mode();
    const Index t = memory_.length(net_.time, Index(number));
    const Outcome outcome = world_.step(lane.state, action);
    if (!std::isfinite(outcome.reward))
      detail::fail("Rollout: the reward is %g at step %ld of episode %zu", outcome.reward, long(t), name_of(number));
    keep(number, column, columns, action, outcome.reward, policy.log_prob(action));
    memory_.advance(Index(number));
    if (!outcome.over()) return;
    lane.truncated = outcome.truncated && !outcome.terminated;
    lane.phase = lane.truncated && value_of(net_) ? Phase::closing : Phase::done;
  }
  void keep(std::size_t lane, Index column, Index columns, Index action, double reward, S log_prob) {
    if (log_x_.cols() < logged_columns_ + columns)
      log_x_.conservativeResize(x_.rows(), 2 * (logged_columns_ + columns));
    log_x_.middleCols(logged_columns_, columns) = x_.middleCols(column, columns);
    log_.push_back({lane, logged_columns_, columns, action, reward, log_prob});
    logged_columns_ += columns;
  }

  const Net net_;
  const World world_;
  Index first_;
  Memory<S> memory_;
  Activations<S> activations_;
  std::vector<Lane> lanes_;
  std::vector<std::size_t> going_, next_, order_;
  Tokens<S> x_, log_x_;
  Index logged_columns_ = 0;
  std::vector<Logged> log_;
};

}  // namespace heed
