#pragma once
#include <vector>

#include "heed/core/sequences.hpp"

namespace heed {

/// The last steps of episodes that go on, lane by lane: what coming steps look back at. It keeps its room.
template <class S, class Action>
class PastSteps {
 public:
  Sequences time;               ///< a sequence a lane, a column a step
  std::vector<Action> actions;  ///< taken at each step

  /// None, in any of the lanes.
  PastSteps(Index observation, Index lanes)
      : time(Sequences::uniform(lanes, 0)), observation_(observation), lanes_(lanes) {}

  /// Adds a step that saw x.
  template <class X>
  void append(const Action& action, const X& x) {
    actions.push_back(action);
    x_.resize(std::size_t(observation_ * (input_.columns() + x.cols())));
    input_.append(x.cols());
    detail::copy<S>(x, see(input_.count() - 1));
  }
  /// What step i saw.
  auto x(Index i) const {
    return Eigen::Map<const Tokens<S>>(x_.data() + observation_ * input_.first(i), observation_, input_.length(i));
  }
  /// Without lanes.
  void clear() { time.clear(), actions.clear(), input_.clear(), x_.clear(); }

  template <class Fields>
  void fields(Fields& f) {
    f("time", time);
    f("input", input_);
    f("actions", actions);
    f("x", x_);
  }
  bool valid() const {
    return time.valid() && input_.valid() && time.count() == lanes_ && time.columns() == input_.count() &&
           Index(actions.size()) == input_.count() && Index(x_.size()) == observation_ * input_.columns();
  }

 private:
  auto see(Index i) {
    return Eigen::Map<Tokens<S>>(x_.data() + observation_ * input_.first(i), observation_, input_.length(i));
  }
  Index observation_, lanes_;
  Sequences input_;   // a sequence a step
  std::vector<S> x_;  // its columns
};

}  // namespace heed
