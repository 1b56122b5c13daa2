#pragma once
#include <algorithm>
#include <span>

#include "heed/core/tokens.hpp"

namespace heed {

/// Which actions are allowed at a step; empty where all are.
using Allowed = std::span<const bool>;

/// That of many steps. It keeps its room.
class ActionMasks {
 public:
  /// Adds a step: of as many actions as those before it.
  void append(Allowed allowed) {
    const Index actions = Index(allowed.size());
    if (actions == 0) return;
    if (actions != room_.rows()) room_.resize(actions, 0);
    if (steps_ == room_.cols()) {  // conservativeResize of bool would be one more thing for each program to compile
      Tokens<bool> larger(actions, 2 * steps_ + 16);
      std::copy_n(room_.data(), room_.size(), larger.data());
      room_.swap(larger);
    }
    std::copy(allowed.begin(), allowed.end(), room_.col(steps_++).data());
  }
  /// Of a step.
  Allowed operator[](std::size_t step) const {
    return steps_ == 0 ? Allowed() : Allowed(room_.col(Index(step)).data(), std::size_t(room_.rows()));
  }
  /// Empties it and keeps the room.
  void clear() { steps_ = 0; }

 private:
  Tokens<bool> room_;  // a column a step
  Index steps_ = 0;
};

}  // namespace heed
