#pragma once
#include <vector>

#include "heed/core/random.hpp"
#include "heed/rl/episodes.hpp"

namespace heed {

/// A run of a world, with all its agents.
template <class World>
struct Scene {
  typename World::State state{};
  bool open = false;  // its episode goes on, for one agent at least
  Index taken = 0;    // steps of this run

  /// What goes on in the next run.
  template <class Fields>
  void fields(Fields& f) {
    f("state", state);
    f("open", open);
  }
};

/// What one agent lives through.
struct Lane {
  enum class Phase { acting, closing, done };  // closing: cut, and what was left is yet to be valued
  /// Some steps of one episode, behind what was lived of it before.
  struct Part {
    Index steps = 0, past = 0;  // the past included
    bool truncated = false;
    double last_value = 0;
  };

  Random random{0};  // of the first of a scene: what the world draws, too
  Phase phase = Phase::done;
  bool open = false;             // its episode goes on
  Finished so_far;               // of its episode
  std::vector<Part> parts;       // of this run
  std::vector<std::size_t> own;  // its steps in the log
  std::vector<Finished> finished;

  /// Of this run nothing was lived yet.
  void clear() {
    parts.clear();
    own.clear();
    finished.clear();
  }
  template <class Fields>
  void fields(Fields& f) {
    f("random", random);
    f("open", open);
    f("so_far", so_far);
  }
};

}  // namespace heed
