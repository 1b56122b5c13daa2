#pragma once
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>

#include "heed/core/agent.hpp"
#include "heed/core/shards.hpp"
#include "heed/rl/decision.hpp"
#include "heed/rl/environment.hpp"
#include "heed/rl/episodes.hpp"

namespace heed {

/// How actions are chosen: sampled from the policy, or the most probable.
enum class Choice { sample, mode };

/// Some of the lanes of a Rollout, which act together: what one thread plays.
template <Policy Net, Environment World>
class Lanes {
 public:
  using S = typename Net::Scalar;
  using Action = typename World::Action;

  /// The lanes `of` all; capacity: how many steps a policy that looks back without limit can remember.
  Lanes(const Agent<Net>& agent, const World& world, Range of, std::uint64_t seed, Index capacity)
      : net_(agent.net),
        world_(world),
        first_(of.first),
        past_(past_of(agent.net, agent.layout)),
        memory_(agent.layout, of.count, {.columns = capacity, .chunk = chunk}),
        activations_(agent.layout),
        lanes_(std::size_t(of.count)),
        x_(world.observation(), of.count) {
    log_.x.resize(world.observation(), 0);
    before_.x = log_.x;
    for (std::size_t i = 0; i < lanes_.size(); ++i) {
      char name[32];
      std::snprintf(name, sizeof name, "lane %zu", name_of(i));
      lanes_[i].random = Random(seed, name);
      lanes_[i].own.reserve(std::size_t(std::max(world.time_limit(), Index(0))));
    }
  }

  /// Plays one whole episode in each.
  void run(const Parameters<S>& p, Choice choice) {
    log_.clear();
    for (std::size_t i = 0; i < lanes_.size(); ++i) begin(i);
    play(p, choice, 0);
  }
  /// Plays so many steps in each, one episode following the other, from where they are.
  void run_steps(const Parameters<S>& p, Choice choice, Index steps) {
    std::swap(log_, before_);
    log_.clear();
    for (std::size_t i = 0; i < lanes_.size(); ++i)
      if (lanes_[i].open)
        take_up(i);
      else
        begin(i);
    remember(p);
    play(p, choice, steps);
  }

  /// Columns of x that was lived.
  Index columns() const { return log_.columns; }
  /// Sorts what was logged step by step into episodes, behind those that are there, and their columns into x.
  template <class X>
  void append_to(Episodes<S, Action>& episodes, X x) const {
    for (const Lane& lane : lanes_) {
      for (std::size_t number : lane.own) {
        const Logged& step = log_.steps[number];
        x.middleCols(episodes.input.columns(), step.columns) = log_.x.middleCols(step.column, step.columns);
        episodes.input.append(step.columns);
        episodes.actions.push_back(step.action);
        episodes.rewards.push_back(step.reward);
        episodes.log_probs.push_back(step.log_prob);
        episodes.values.push_back(step.value);
      }
      for (const Part& part : lane.parts) {
        episodes.time.append(part.steps);
        episodes.past.push_back(part.past);
        episodes.truncated.push_back(part.truncated);
        episodes.last_value.push_back(part.last_value);
      }
      episodes.finished.insert(episodes.finished.end(), lane.finished.begin(), lane.finished.end());
    }
  }

 private:
  static constexpr Index chunk = 16;  // of the past, at a time

  enum class Phase { acting, closing, done };  // closing: cut, and what was left is yet to be valued
  /// Some steps of one episode, behind what was lived of it before.
  struct Part {
    Index steps = 0, past = 0;  // the past included
    bool truncated = false;
    double last_value = 0;
  };
  struct Lane {
    typename World::State state{};
    Random random{0};
    Phase phase = Phase::done;
    bool open = false;             // its episode goes on
    Index taken = 0;               // steps of this run
    Finished so_far;               // of its episode
    std::vector<Part> parts;       // of this run
    std::vector<std::size_t> own;  // its steps in the log
    std::vector<Finished> finished;
  };
  struct Logged {
    Index column, columns;  // of x
    Action action;
    double reward, value;
    S log_prob;
  };
  struct Log {
    std::vector<Logged> steps;
    Tokens<S> x;
    Index columns = 0;
    void clear() { steps.clear(), columns = 0; }
  };

  /// The number of a lane among all.
  std::size_t name_of(std::size_t lane) const { return std::size_t(first_) + lane; }

  void play(const Parameters<S>& p, Choice choice, Index steps) {
    while (observe()) {
      net_.extend(p, x_.leftCols(activations_.columns(net_.input)), memory_, activations_);
      act(choice, steps);
    }
  }
  /// Ready to act in a first part of this run.
  void begin(Lane& lane, const Part& part) {
    lane.phase = Phase::acting;
    lane.taken = 0;
    lane.parts.assign(1, part);
    lane.own.clear();
    lane.finished.clear();
  }
  void begin(std::size_t number) {
    begin(lanes_[number], {});
    start(number);
  }
  void start(std::size_t number) {
    Lane& lane = lanes_[number];
    lane.state = world_.reset(lane.random);
    lane.open = true;
    lane.so_far = {};
    memory_.forget(Index(number));
  }
  /// What the coming steps look back at comes first in their part.
  void take_up(std::size_t number) {
    Lane& lane = lanes_[number];
    const Index past = std::min(lane.parts.back().steps, past_);
    own_.assign(lane.own.end() - past, lane.own.end());
    begin(lane, {.steps = past, .past = past});
    for (std::size_t i : own_) {
      const Logged& step = before_.steps[i];
      keep(lane, {0, step.columns, step.action, 0, 0, 0}, before_.x.middleCols(step.column, step.columns));
    }
  }
  /// The past of all lanes, encoded anew: with the parameters as they are now.
  void remember(const Parameters<S>& p) {
    const auto past = [&](Index i) { return lanes_[std::size_t(i)].parts[0].past; };
    const Index count = Index(lanes_.size());
    for (Index i = 0; i < count; ++i)
      if (past(i) > 0) memory_.forget(i);
    for (Index first = 0;; first += chunk) {
      const auto some = [&](Index i) { return std::clamp(past(i) - first, Index(0), chunk); };
      activations_.begin(net_.time, count, some);
      if (activations_.columns(net_.time) == 0) return;
      own_.clear();
      for (Index i = 0; i < count; ++i)
        for (Index t = 0; t < some(i); ++t) own_.push_back(lanes_[std::size_t(i)].own[std::size_t(first + t)]);
      begin_input(Index(own_.size()), [&](Index i) { return log_.steps[own_[std::size_t(i)]].columns; });
      Index column = 0;
      for (std::size_t i : own_) {
        const Logged& step = log_.steps[i];
        x_.middleCols(column, step.columns) = log_.x.middleCols(step.column, step.columns);
        column += step.columns;
      }
      net_.extend(p, x_.leftCols(column), memory_, activations_);
      memory_.advance();
    }
  }

  /// Says how many columns of x each step has, and makes room for them.
  template <class ColumnsOf>
  void begin_input(Index steps, ColumnsOf columns_of_step) {
    if (!(net_.input == net_.time)) activations_.begin(net_.input, steps, columns_of_step);
    const Index columns = activations_.columns(net_.input);
    if (x_.cols() < columns) x_.resize(x_.rows(), 2 * columns);
  }
  /// Writes what each lane that goes on sees into x_; false when there is none.
  bool observe() {
    const auto seen = [&](Index i) { return lanes_[std::size_t(i)].phase == Phase::done ? Index(0) : Index(1); };
    activations_.begin(net_.time, Index(lanes_.size()), seen);
    if (activations_.columns(net_.time) == 0) return false;
    going_.clear();
    for (std::size_t i = 0; i < lanes_.size(); ++i)
      if (lanes_[i].phase != Phase::done) going_.push_back(i);
    const auto columns = [&](Index i) { return columns_of(world_, lanes_[going_[std::size_t(i)]].state); };
    begin_input(Index(going_.size()), columns);
    Index column = 0;
    for (Index i = 0; i < Index(going_.size()); ++i) {
      const Index n = columns(i);
      const std::size_t number = going_[std::size_t(i)];
      world_.observe(lanes_[number].state, Write<S>(x_.middleCols(column, n)));
      if (!x_.middleCols(column, n).allFinite())
        detail::fail("Rollout: an observation is not finite at step %ld of episode %zu",
                     long(lanes_[number].so_far.steps), name_of(number));
      column += n;
    }
    return true;
  }

  void act(Choice choice, Index steps) {
    Index column = 0;
    for (Index i = 0; i < Index(going_.size()); ++i) {
      const std::size_t number = going_[std::size_t(i)];
      Lane& lane = lanes_[number];
      const Index columns = columns_of(world_, lane.state);
      if (lane.phase == Phase::closing)
        close(number, true, value(i), steps);
      else
        step(number, i, x_.middleCols(column, columns), choice, steps);
      column += columns;
    }
  }
  template <class X>
  void step(std::size_t number, Index i, const X& x, Choice choice, Index steps) {
    Lane& lane = lanes_[number];
    const Decision<Net, Action> policy(net_, activations_.view(), i);
    const Action action = choice == Choice::sample ? policy.sample(lane.random) : policy.mode();
    const S log_prob = policy.log_prob(action);
    const Outcome outcome = world_.step(lane.state, within_bounds(world_, action));
    if (!std::isfinite(outcome.reward))
      detail::fail("Rollout: the reward is %g at step %ld of episode %zu", outcome.reward, long(lane.so_far.steps),
                   name_of(number));
    keep(lane, {0, x.cols(), action, outcome.reward, value(i), log_prob}, x);
    memory_.advance(Index(number));
    ++lane.parts.back().steps;
    ++lane.taken;
    ++lane.so_far.steps;
    lane.so_far.total += outcome.reward;
    lane.open = !outcome.over();
    if (lane.open && lane.taken != steps) return;
    const bool cut = lane.open || (outcome.truncated && !outcome.terminated);
    if (cut && value_of(net_))
      lane.phase = Phase::closing;
    else
      close(number, cut, 0, steps);
  }
  /// Ends a part; with steps to take, and where its episode is over, another begins.
  void close(std::size_t number, bool cut, double last_value, Index steps) {
    Lane& lane = lanes_[number];
    lane.parts.back().truncated = cut;
    lane.parts.back().last_value = last_value;
    lane.phase = Phase::done;
    if (lane.open) return;
    lane.finished.push_back(lane.so_far);
    if (lane.taken >= steps) return;
    start(number);
    lane.phase = Phase::acting;
    lane.parts.push_back({});
  }
  double value(Index i) {
    const auto value = value_of(net_);
    return value ? double(activations_[value](0, i)) : 0;
  }
  template <class X>
  void keep(Lane& lane, Logged step, const X& x) {
    if (log_.x.cols() < log_.columns + step.columns)
      log_.x.conservativeResize(x.rows(), 2 * (log_.columns + step.columns));
    step.column = log_.columns;
    log_.x.middleCols(step.column, step.columns) = x;
    log_.columns += step.columns;
    lane.own.push_back(log_.steps.size());
    log_.steps.push_back(step);
  }

  const Net net_;
  const World world_;
  Index first_, past_;
  Memory<S> memory_;
  Activations<S> activations_;
  std::vector<Lane> lanes_;
  std::vector<std::size_t> going_, own_;
  Tokens<S> x_;
  Log log_, before_;  // of this run, and of the one before
};

}  // namespace heed
