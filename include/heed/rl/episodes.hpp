#pragma once
#include <algorithm>
#include <cmath>
#include <vector>

#include "heed/core/sequences.hpp"

namespace heed {

/// Episodes as they were lived, one behind the other: what learning reads. It keeps its room from batch to batch.
template <class S>
struct Episodes {
  Sequences time;                  ///< a sequence an episode, a column a step
  Sequences input;                 ///< a sequence a step, a column of x each (one, or one an entity)
  std::vector<Index> actions;      ///< taken at each step
  std::vector<double> rewards;     ///< that it brought
  std::vector<S> log_probs;        ///< log-probability of the action when it was taken
  std::vector<char> truncated;     ///< for each episode: cut by a time limit, and not terminated
  std::vector<double> last_value;  ///< for each episode: the learned value of what a cut left, else 0

  Index count() const { return time.count(); }
  Index steps() const { return time.columns(); }
  /// The observations, a column a step or an entity.
  auto x() const { return room_.leftCols(input.columns()); }

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
    rewards.clear();
    log_probs.clear();
    truncated.clear();
    last_value.clear();
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
template <class S>
void rewards_to_go(const Episodes<S>& episodes, double gamma, double scale, std::vector<double>& returns) {
  returns.resize(std::size_t(episodes.steps()));
  for (Index e = 0; e < episodes.count(); ++e) {
    double following = episodes.last_value[std::size_t(e)];
    for (Index t = episodes.time.length(e); t-- > 0;) {
      const std::size_t step = std::size_t(episodes.time.first(e) + t);
      following = scale * episodes.rewards[step] + gamma * following;
      returns[step] = following;
    }
  }
}

}  // namespace heed
