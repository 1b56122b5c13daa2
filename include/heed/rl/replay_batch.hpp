#pragma once
#include <span>

#include "heed/core/sequences.hpp"
#include "heed/rl/replay.hpp"

namespace heed {

/// Steps that were drawn from a replay, as a network takes them: a sequence each, of its past, itself and what it is
/// learned from.
template <class S>
class ReplayBatch {
 public:
  /// A step that is learned from.
  struct Item {
    Index step;       ///< its place in the replay
    Index column;     ///< of time, where the network sees what the step saw
    Index following;  ///< of time, n steps later, or as late as there is; -1 where the episode terminated before
    Index action;     ///< what was done in it
    double reward, discount;  ///< see Replay::Ahead
  };
  Sequences time;           ///< a sequence an item
  Sequences input;          ///< a sequence a column of time
  std::vector<Item> items;  ///< one a step that is learned from

  /// What is observed, a column a step.
  auto x() const { return room_.leftCols(input.columns()); }

  /// Returns of n steps. What lies between is left out where nothing is looked back at.
  void gather(const Replay<S>& replay, std::span<const Index> steps, Index n, double gamma) {
    time.clear(), input.clear(), items.clear(), places_.clear();
    for (const Index step : steps) {
      const auto ahead = replay.ahead(step, n, gamma);
      const Index first = input.count(), past = replay.past(step), last = ahead.discount > 0 ? ahead.steps : 0;
      for (Index k = -past; k <= last; ++k)
        if (k <= 0 || k == last || replay.config.look_back > 0) see(replay, replay.place(step, k));
      time.append(input.count() - first);
      items.push_back(
          {step, first + past, last > 0 ? input.count() - 1 : -1, replay.action(step), ahead.reward, ahead.discount});
    }
    if (room_.rows() != replay.config.observation || room_.cols() < input.columns())
      room_.resize(replay.config.observation, std::max(input.columns(), 2 * room_.cols()));
    for (std::size_t i = 0; i < places_.size(); ++i)
      replay.read(places_[i], room_.middleCols(input.first(Index(i)), input.length(Index(i))));
  }

 private:
  void see(const Replay<S>& replay, Index place) {
    places_.push_back(place);
    input.append(replay.columns(place));
  }
  std::vector<Index> places_;  // in the replay, of each column of time
  Tokens<S> room_;
};

}  // namespace heed
