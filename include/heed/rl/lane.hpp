#pragma once
#include <vector>

#include "heed/core/random.hpp"
#include "heed/rl/environment.hpp"
#include "heed/rl/episodes.hpp"

namespace heed {

/// A run of a world, with all its agents.
template <class World>
struct Scene {
  typename World::State state{};  ///< of the world
  bool open = false;              ///< its episode goes on, for one agent at least
  Index taken = 0;                ///< steps of this run

  /// What goes on in the next run.
  template <class Fields>
  void fields(Fields& f) {
    f("state", state);
    f("open", open);
  }
};

/// What one agent lives through.
struct Lane {
  /// closing: cut, and what was left is yet to be valued.
  enum class Phase { acting, closing, done };
  /// Some steps of one episode, behind what was lived of it before.
  struct Part {
    Index steps = 0, past = 0;  ///< the past included
    bool truncated = false;     ///< cut, not ended
    double last_value = 0;      ///< of what was left, where it was cut
  };

  Random random{0};                ///< of the first of a scene: what the world draws, too
  Phase phase = Phase::done;       ///< what comes next
  bool open = false;               ///< its episode goes on
  Finished so_far;                 ///< of its episode
  std::vector<Part> parts;         ///< of this run
  std::vector<std::size_t> own;    ///< its steps in the log
  std::vector<Finished> finished;  ///< episodes that ended

  /// Of this run nothing was lived yet.
  void clear() {
    parts.clear();
    own.clear();
    finished.clear();
  }
  /// What was lived of the episode before this run, so far as it is looked back at.
  Index past() const { return parts.empty() ? 0 : parts[0].past; }
  /// Adds a step to the part.
  void take(const Outcome& outcome) {
    ++parts.back().steps;
    so_far.take(outcome.reward);
    open = !outcome.over();
  }
  /// Ends the part.
  void close(bool cut, double last_value) {
    parts.back().truncated = cut;
    parts.back().last_value = last_value;
    phase = Phase::done;
    if (!open) finished.push_back(so_far);
  }
  /// What is known of the parts of this run but for their steps. number: of the lane
  template <class S, class Action>
  void append_to(Episodes<S, Action>& episodes, Index number) const {
    for (const Part& part : parts) {
      episodes.time.append(part.steps);
      episodes.past.push_back(part.past);
      episodes.truncated.push_back(part.truncated);
      episodes.last_value.push_back(part.last_value);
      episodes.lane.push_back(number);
      episodes.open.push_back(open && &part == &parts.back());
    }
    episodes.finished.insert(episodes.finished.end(), finished.begin(), finished.end());
  }
  template <class Fields>
  void fields(Fields& f) {
    f("random", random);
    f("open", open);
    f("so_far", so_far);
  }
};

}  // namespace heed
