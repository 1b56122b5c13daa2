#pragma once
#include <cstdio>
#include <vector>

#include "heed/core/agent.hpp"
#include "heed/rl/environment.hpp"
#include "heed/rl/episodes.hpp"
#include "heed/rl/recent_returns.hpp"
#include "heed/rl/replay.hpp"

namespace heed {

/// The action of the highest value in a column of values, the first of several.
template <class Q>
Index best_action(const Q& q, Index column) {
  Index action = 0;
  q.col(column).maxCoeff(&action);
  return action;
}

/// Episodes side by side, one following the other in each lane, with the actions of the highest value but for a share
/// epsilon, which are random. What is lived goes into a replay.
///
/// What a lane remembers is not encoded anew when the weights change: to the end of its episode it is of the weights as
/// they were. Each lane has its own stream of random numbers.
template <Policy Net, DiscreteEnvironment World>
class EpsilonGreedy {
 public:
  using S = typename Net::Scalar;

  /// capacity: how many steps a network that looks back without limit can remember; 0: the world's time limit.
  EpsilonGreedy(const Agent<Net>& agent, const World& world, Index lanes, std::uint64_t seed, Index capacity = 0)
      : net_(agent.net),
        world_(world),
        memory_(agent.layout, lanes, {.columns = capacity != 0 ? capacity : world.time_limit()}),
        activations_(agent.layout),
        x_(world.observation(), lanes) {
    for (Index i = 0; i < lanes; ++i) {
      char name[32];
      std::snprintf(name, sizeof name, "lane %ld", long(i));
      lanes_.emplace_back().random = Random(seed, name);
      lanes_.back().state = world_.reset(lanes_.back().random);
    }
  }

  /// One step of each lane; the returns of episodes that end are added to `returns`.
  void step(const Parameters<S>& p, double epsilon, Replay<S>& replay, RecentReturns& returns) {
    observe();
    net_.extend(p, x_.leftCols(activations_.columns(net_.input)), memory_, activations_);
    Index column = 0;
    for (std::size_t i = 0; i < lanes_.size(); ++i) {
      Lane& lane = lanes_[i];
      const auto x = x_.middleCols(column, columns(i));
      column += columns(i);
      const bool explores = lane.random.uniform() < epsilon;
      const Index action = explores ? lane.random.below(world_.actions()) : best_action(activations_[net_.q], Index(i));
      const Outcome outcome = world_.step(lane.state, action);
      replay.add(Index(i), x, action, outcome);
      memory_.advance(Index(i));
      lane.so_far.take(outcome.reward);
      if (!outcome.over()) continue;
      if (!outcome.terminated) add_left(i, replay);
      returns.add(lane.so_far.total);
      start_anew(i);
    }
  }

  /// Between steps.
  template <class Fields>
  void fields(Fields& f) {
    f("lanes", lanes_);
    f("memory", memory_);
  }

 private:
  struct Lane {
    typename World::State state{};
    Random random{0};
    Finished so_far;  // of its episode

    template <class Fields>
    void fields(Fields& f) {
      f("state", state);
      f("random", random);
      f("so_far", so_far);
    }
  };

  /// How many columns a lane sees.
  Index columns(std::size_t lane) const { return columns_of(world_, lanes_[lane].state); }
  /// Writes what each lane sees into x_.
  void observe() {
    activations_.begin(net_.time, Index(lanes_.size()), [](Index) { return 1; });
    if (!(net_.input == net_.time))
      activations_.begin(net_.input, Index(lanes_.size()), [this](Index i) { return columns(std::size_t(i)); });
    Index column = 0;
    for (std::size_t i = 0; i < lanes_.size(); column += columns(i++)) observe(i, column);
  }
  void observe(std::size_t lane, Index column) {
    const Index count = columns(lane);
    if (x_.cols() < column + count) x_.conservativeResize(x_.rows(), 2 * (column + count));
    auto x = x_.middleCols(column, count);
    world_.observe(lanes_[lane].state, Write<S>(x));
    if (!detail::all_finite<S>(x))
      detail::fail("EpsilonGreedy: an observation of lane %zu is not finite at step %ld of its episode", lane,
                   long(lanes_[lane].so_far.steps));
  }
  void add_left(std::size_t lane, Replay<S>& replay) {
    const Index behind = activations_.columns(net_.input);
    observe(lane, behind);
    replay.add_left(Index(lane), x_.middleCols(behind, columns(lane)));
  }
  void start_anew(std::size_t lane) {
    lanes_[lane].so_far = {};
    lanes_[lane].state = world_.reset(lanes_[lane].random);
    memory_.forget(Index(lane));
  }

  const Net net_;
  const World world_;
  Memory<S> memory_;
  Activations<S> activations_;
  std::vector<Lane> lanes_;
  Tokens<S> x_;
};

}  // namespace heed
