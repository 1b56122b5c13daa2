#pragma once
#include <algorithm>
#include <cmath>
#include <vector>

#include "heed/rl/action_masks.hpp"
#include "heed/rl/returns.hpp"

namespace heed {

/// An episode that is over, or what was played of it so far: the undiscounted sum of its rewards.
struct Finished {
  double total = 0;  ///< sum of the rewards so far
  Index steps = 0;   ///< so far

  /// One step more.
  void take(double reward) { total += reward, ++steps; }
  template <class Fields>
  void fields(Fields& f) {
    f("total", total);
    f("steps", steps);
  }
};

/// Episodes, or parts of episodes, as they were lived, one behind the other: what learning reads. A part that begins within
/// its episode begins with what was lived before, so far as the policy looks back: columns that are looked at and not
/// learned from. It keeps its room from batch to batch.
template <class S, class Action = Index>
struct Episodes {
  Sequences time;               ///< a sequence an episode, or a part of one, a column a step
  Sequences input;              ///< a sequence a step, a column of x each (one, or one an entity)
  std::vector<Action> actions;  ///< taken at each step
  ActionMasks allowed;          ///< actions at each step, where the world says so
  std::vector<double> rewards;  ///< that it brought
  std::vector<S> log_probs;     ///< log-probability of the action when it was taken
  std::vector<double> values;   ///< learned value of what was observed before it, else 0
  std::vector<Index> past;  ///< for each episode: so many of its first steps were lived before: all but the action is 0
  std::vector<char>
      truncated;  ///< for each episode: cut, by a time limit or since enough was lived, and not terminated
  std::vector<double> last_value;  ///< for each episode: the learned value of what a cut left, else 0
  std::vector<Index> lane;         ///< for each episode: where it was played
  std::vector<char> open;          ///< for each episode: it goes on, with the next part that is lived in its lane
  std::vector<Finished> finished;  ///< episodes that ended

  /// How many there are.
  Index count() const { return time.count(); }
  /// Of all together.
  Index steps() const { return time.columns(); }
  /// The observations, a column a step or an entity.
  auto x() const { return room_.leftCols(input.columns()); }

  /// Of an episode, without discount.
  double total_reward(Index episode) const {
    double sum = 0;
    for (Index t = 0; t < time.length(episode); ++t) sum += rewards[std::size_t(time.first(episode) + t)];
    return sum;
  }

  /// Empties it and keeps the room.
  void clear() {
    time.clear();
    input.clear();
    actions.clear();
    allowed.clear();
    rewards.clear();
    log_probs.clear();
    values.clear();
    past.clear();
    truncated.clear();
    last_value.clear();
    lane.clear();
    open.clear();
    finished.clear();
  }
  /// Room for x, at least so many columns.
  auto reserve(Index rows, Index columns) {
    if (room_.rows() != rows || room_.cols() < columns) room_.resize(rows, std::max(columns, 2 * room_.cols()));
    return room_.leftCols(columns);
  }

 private:
  Tokens<S> room_;
};

/// Discounted reward-to-go of each step, G_t = r_t + gamma G_(t+1), which ends with its episode; behind a cut stands the
/// learned value of what was left, if there is one. Without one, a cut episode counts as complete. Rewards are multiplied
/// by `scale`; learned values are of scaled rewards.
template <class S, class Action>
void rewards_to_go(const Episodes<S, Action>& episodes, double gamma, double scale, std::vector<double>& returns) {
  returns.resize(std::size_t(episodes.steps()));
  for (Index e = 0; e < episodes.count(); ++e) {
    const std::size_t first = std::size_t(episodes.time.first(e)), length = std::size_t(episodes.time.length(e));
    discounted(std::span(episodes.rewards).subspan(first, length), episodes.last_value[std::size_t(e)], gamma,
               std::span(returns).subspan(first, length), scale);
  }
}

}  // namespace heed
