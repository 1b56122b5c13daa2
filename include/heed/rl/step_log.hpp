#pragma once
#include <vector>

#include "heed/core/tokens.hpp"
#include "heed/rl/action_masks.hpp"

namespace heed {

/// What was lived, step by step in the order in which it was: of many episodes that are played side by side. It keeps its
/// room.
template <class S, class Action>
class StepLog {
 public:
  /// What was done and what that brought.
  struct Step {
    Index column = 0, columns = 0;  ///< of x
    Action action{};                ///< what was done
    double reward = 0, value = 0;   ///< what it brought, and what was expected of what is seen
    S log_prob = 0;                 ///< of the action, when it was chosen
  };

  /// Of observations with so many rows.
  explicit StepLog(Index observation) : observation_(observation) {}

  /// Adds a step that saw x, and could choose from what was allowed; returns its number.
  std::size_t keep(Step step, Read<S> x, Allowed allowed) {
    step.column = columns_;
    step.columns = x.cols();
    columns_ += x.cols();
    x_.resize(std::size_t(observation_ * columns_));
    detail::copy<S>(x, Eigen::Map<Tokens<S>>(x_.data() + observation_ * step.column, observation_, step.columns));
    allowed_.append(allowed);
    steps_.push_back(step);
    return steps_.size() - 1;
  }
  /// Step i.
  Step& operator[](std::size_t i) { return steps_[i]; }
  /// Step i.
  const Step& operator[](std::size_t i) const { return steps_[i]; }
  /// What step i saw.
  auto x(std::size_t i) const { return x_of(steps_[i].column, steps_[i].columns); }
  /// What it could choose from.
  Allowed allowed(std::size_t i) const { return allowed_[i]; }
  /// What was seen from a column on.
  auto x_from(Index column) const { return x_of(column, columns_ - column); }
  /// Of x, in all.
  Index columns() const { return columns_; }

  /// Empties it and keeps the room.
  void clear() { steps_.clear(), allowed_.clear(), x_.clear(), columns_ = 0; }

 private:
  auto x_of(Index column, Index columns) const {
    return Eigen::Map<const Tokens<S>>(x_.data() + observation_ * column, observation_, columns);
  }

  Index observation_, columns_ = 0;  // of x
  std::vector<Step> steps_;
  ActionMasks allowed_;
  std::vector<S> x_;
};

}  // namespace heed
