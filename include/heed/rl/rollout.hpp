#pragma once
#include <algorithm>

#include "heed/core/agent.hpp"
#include "heed/rl/decision.hpp"
#include "heed/rl/environment.hpp"
#include "heed/rl/episodes.hpp"

namespace heed {

/// How actions are chosen: sampled from the policy, or the most probable.
enum class Choice { sample, mode };

/// Plays episodes with a policy, all at once: one lane an episode, each run to its end (to take the first that finish would
/// favour short ones). A lane that has finished waits. Each lane has its own stream of random numbers, so what happens in
/// one does not depend on the others.
template <Policy Net, DiscreteEnvironment World>
class Rollout {
 public:
  using S = typename Net::Scalar;

  /// capacity: how many steps a policy that looks back without limit can remember; 0: the world's time limit.
  Rollout(const Agent<Net>& agent, const World& world, Index episodes, std::uint64_t seed, Index capacity = 0)
      : net_(agent.net),
        world_(world),
        parameters_(agent.layout.parameters()),
        memory_(agent.layout, checked(agent, world, episodes), room(agent.net, world, capacity)),
        activations_(agent.layout),
        lanes_(std::size_t(episodes)),
        x_(world.observation(), episodes),
        log_x_(world.observation(), 0) {
    for (std::size_t i = 0; i < lanes_.size(); ++i) {
      char name[32];
      std::snprintf(name, sizeof name, "lane %zu", i);
      lanes_[i].random = Random(seed, name);
    }
  }

  /// Plays one episode in each lane, and returns them all.
  const Episodes<S>& run(const Parameters<S>& p, Choice choice = Choice::sample) {
    if (p.flat.size() != parameters_)
      detail::fail("Rollout: %ld parameters, but the agent has %ld", long(p.flat.size()), long(parameters_));
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
    collect();
    return episodes_;
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

  static Index checked(const Agent<Net>& agent, const World& world, Index episodes) {
    if (episodes < 1) detail::fail("Rollout: %ld episodes, but at least 1 is needed", long(episodes));
    const Index actions = points(agent.net) ? world.actions() : agent.net.logits.rows;
    if (agent.net.observation != world.observation() || actions != world.actions())
      detail::fail("Rollout: the policy is for observations of %ld and %ld actions, but the world has %ld and %ld",
                   long(agent.net.observation), long(actions), long(world.observation()), long(world.actions()));
    if (points(agent.net) && !(agent.net.logits.axis == agent.net.input))
      detail::fail("Rollout: the policy points along axis %d, but the entities lie along axis %d",
                   agent.net.logits.axis.id, Axis(agent.net.input).id);
    if (EntityEnvironment<World> && agent.net.input == agent.net.time)
      detail::fail("Rollout: the world shows sets of entities, but the policy takes one column a step");
    return episodes;
  }
  static Index room(const Net& net, const World& world, Index capacity) {
    const Index steps = capacity != 0 ? capacity : world.time_limit();
    return steps > 0 && value_of(net) ? steps + 1 : steps;  // one for what a cut left
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
                     long(memory_.length(net_.time, Index(number))), number);
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
      detail::fail("Rollout: the reward is %g at step %ld of episode %zu", outcome.reward, long(t), number);
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

  /// Sorts what was logged step by step into episodes.
  void collect() {
    // A counting sort by lane: first how many steps each has, then where its next step goes.
    next_.assign(lanes_.size() + 1, 0);
    for (const Logged& step : log_) ++next_[step.lane + 1];
    episodes_.time.clear();
    for (std::size_t i = 0; i < lanes_.size(); ++i) {
      episodes_.time.append(Index(next_[i + 1]));
      next_[i + 1] += next_[i];
    }
    order_.resize(log_.size());
    for (std::size_t i = 0; i < log_.size(); ++i) order_[next_[log_[i].lane]++] = i;

    episodes_.input.clear();
    episodes_.actions.clear();
    episodes_.rewards.clear();
    episodes_.log_probs.clear();
    auto x = episodes_.reserve(x_.rows(), logged_columns_);
    for (std::size_t i : order_) {
      const Logged& step = log_[i];
      x.middleCols(episodes_.input.columns(), step.columns) = log_x_.middleCols(step.column, step.columns);
      episodes_.input.append(step.columns);
      episodes_.actions.push_back(step.action);
      episodes_.rewards.push_back(step.reward);
      episodes_.log_probs.push_back(step.log_prob);
    }
    episodes_.truncated.clear();
    episodes_.last_value.clear();
    for (const Lane& lane : lanes_) {
      episodes_.truncated.push_back(lane.truncated);
      episodes_.last_value.push_back(lane.last_value);
    }
  }

  const Net net_;
  const World world_;
  Index parameters_;
  Memory<S> memory_;
  Activations<S> activations_;
  std::vector<Lane> lanes_;
  std::vector<std::size_t> going_, next_, order_;
  Tokens<S> x_, log_x_;
  Index logged_columns_ = 0;
  std::vector<Logged> log_;
  Episodes<S> episodes_;
};

/// The returns of some episodes: undiscounted sums of rewards.
struct Returns {
  Index episodes = 0, steps = 0;
  double mean = 0, min = 0, max = 0;

  template <class S>
  static Returns of(const Episodes<S>& episodes) {
    Returns r{.episodes = episodes.count(), .steps = episodes.steps()};
    for (Index e = 0; e < r.episodes; ++e) {
      const double total = episodes.total_reward(e);
      r.mean += total / double(r.episodes);
      r.min = e == 0 ? total : std::min(r.min, total);
      r.max = e == 0 ? total : std::max(r.max, total);
    }
    return r;
  }
};

/// Plays fresh episodes with the policy as it is, by default with its most probable actions.
template <Policy Net, DiscreteEnvironment World>
Returns evaluate(const Agent<Net>& agent, const World& world, Index episodes, std::uint64_t seed,
                 Choice choice = Choice::mode) {
  return Returns::of(Rollout<Net, World>(agent, world, episodes, seed).run(agent.p, choice));
}

}  // namespace heed
