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
  struct Step {
    Index column = 0, columns = 0;  // of x
    Action action{};
    double reward = 0, value = 0;
    S log_prob = 0;
  };

  explicit StepLog(Index observation) : x_(observation, 0) {}

  /// Adds a step that saw x, and could choose from what was allowed; returns its number.
  template <class X>
  std::size_t keep(Step step, const X& x, Allowed allowed) {
    step.column = columns_;
    step.columns = x.cols();
    columns_ += x.cols();
    if (x_.cols() < columns_) x_.conservativeResize(x_.rows(), 2 * columns_);
    x_.middleCols(step.column, step.columns) = x;
    allowed_.append(allowed);
    steps_.push_back(step);
    return steps_.size() - 1;
  }
  Step& operator[](std::size_t i) { return steps_[i]; }
  const Step& operator[](std::size_t i) const { return steps_[i]; }
  /// What step i saw.
  auto x(std::size_t i) const { return x_.middleCols(steps_[i].column, steps_[i].columns); }
  Allowed allowed(std::size_t i) const { return allowed_[i]; }
  /// What was seen from a column on.
  auto x_from(Index column) const { return x_.middleCols(column, columns_ - column); }
  /// Of x, in all.
  Index columns() const { return columns_; }

  void clear() { steps_.clear(), allowed_.clear(), columns_ = 0; }

 private:
  std::vector<Step> steps_;
  ActionMasks allowed_;
  Tokens<S> x_;
  Index columns_ = 0;
};

}  // namespace heed
