#pragma once
#include <algorithm>
#include <cmath>
#include <vector>

#include "heed/rl/environment.hpp"
#include "heed/rl/sum_tree.hpp"

namespace heed {

/// Of Replay.
struct ReplayConfig {
  Index observation = 0;  ///< rows of what is observed
  Index lanes = 1;        ///< steps are kept lane by lane
  Index steps = 0;        ///< room of each lane; what a cut left to see counts as one, too
  Index columns = 0;      ///< room of each lane for columns of observations; 0: one a step
  Index look_back = 0;    ///< how many steps before it a step is learned with, as far as its episode goes
  double alpha = 0;       ///< how much more often steps of large errors are drawn; 0: all alike
  double least = 1e-2;    ///< is added to an error, so that no step is forgotten
};

/// The last steps that were lived, lane by lane, to learn from again and again (Lin 1992). Its room is fixed: the
/// oldest steps of a lane make place for new ones, and nothing is allocated after the start.
///
/// A step is what was observed, the action and the Outcome. It is drawn once it is known what came of it (the next
/// observation, or its end) and as long as all that its network looks back at is still there. Drawn in proportion to
///
///   w_t = (|error_t| + least)^alpha    importance_t = (N w_t / sum w)^-beta    (Schaul et al. 2016, eq. 1, sec. 3.4)
///
///   error: of the last time that it was learned from; before, w is the highest so far    N: `size()`
///
/// Steps are numbered by their place: a number holds until something is added.
template <class S>
class Replay {
 public:
  const ReplayConfig config;  ///< as it was told

  /// Makes all its room at once; throws where a setting cannot be.
  explicit Replay(const ReplayConfig& c)
      : config(checked(c)),
        lanes_(std::size_t(c.lanes)),
        steps_(std::size_t(c.lanes * c.steps)),
        x_(Tokens<S>::Zero(c.observation, c.lanes * config.columns)),
        tree_(c.lanes * c.steps) {}

  /// What was observed, an action and what it brought, behind what the lane has. Where it is over, another episode
  /// follows.
  void add(Index lane, Read<S> x, Index action, const Outcome& outcome) {
    check(lane, x);
    Lane& l = lanes_[std::size_t(lane)];
    if (l.cut) detail::fail("Replay: the episode of lane %ld was cut: what was left is to come first", long(lane));
    if (action < 0) detail::fail("Replay: action %ld is negative", long(action));
    if (!std::isfinite(outcome.reward))
      detail::fail("Replay: the reward is %g at step %ld of an episode of lane %ld", outcome.reward, long(l.position),
                   long(lane));
    append(lane, x, {.action = action, .reward = outcome.reward, .terminated = outcome.terminated});
    l.cut = outcome.truncated && !outcome.terminated;
    if (outcome.terminated) l.position = 0;
  }
  /// What there was to see where an episode was truncated, and not terminated.
  void add_left(Index lane, Read<S> x) {
    check(lane, x);
    Lane& l = lanes_[std::size_t(lane)];
    if (!l.cut) detail::fail("Replay: no episode of lane %ld was cut", long(lane));
    append(lane, x, {});
    l.cut = false;
    l.position = 0;
  }

  /// How many steps can be drawn.
  Index size() const { return size_; }
  /// Draws a step: where the steps, each as long as its weight, are cut at this share of their whole length, in [0, 1).
  Index sample(double share) const { return tree_.find(share); }
  /// By which it is drawn.
  double weight(Index step) const { return tree_[step]; }
  /// What a step that was drawn counts, so that all count alike in the mean (beta 1).
  double importance(Index step, double beta) const {
    return std::pow(double(size_) * tree_[step] / tree_.sum(), -beta);
  }
  /// Says how far off a step that was drawn was.
  void learned(Index step, double error) {
    if (config.alpha == 0) return;
    const double w = std::pow(std::abs(error) + config.least, config.alpha);
    weigh(step, w);
    fresh_ = std::max(fresh_, w);
  }

  /// What was done in it.
  Index action(Index step) const { return steps_[std::size_t(step)].action; }
  /// The place of the step that came so many after it, or before.
  Index place(Index step, Index after) const {
    const Index lane = step / config.steps;
    return lane * config.steps + (step - lane * config.steps + after + config.steps) % config.steps;
  }
  /// How many steps before it belong to it.
  Index past(Index step) const { return std::min(config.look_back, steps_[std::size_t(step)].position); }

  /// What followed: the rewards of n steps, discounted (Sutton and Barto 2018, eq. 7.1, without the value).
  struct Ahead {
    Index steps = 0;      ///< fewer than n at the end of an episode, and of what was lived
    double reward = 0;    ///< r_t + gamma r_(t+1) + ...
    double discount = 1;  ///< gamma^steps, of the value of what was then observed; 0 where the episode terminated
  };
  /// What n steps brought, discounted, and where they end.
  Ahead ahead(Index step, Index n, double gamma) const {
    const Index lane = step / config.steps;
    Ahead a;
    for (Index number = number_of(step); a.steps < n && complete(lane, number); ++number) {
      const Step& s = this->step(lane, number);
      a.reward += a.discount * s.reward;
      a.discount *= s.terminated ? 0 : gamma;
      ++a.steps;
      if (s.terminated) break;
    }
    return a;
  }

  /// Columns of what was observed, and themselves.
  Index columns(Index step) const { return steps_[std::size_t(step)].columns; }
  /// What was observed, a column for each.
  void read(Index step, Write<S> x) const {
    const Step& s = steps_[std::size_t(step)];
    detail::expect_shape("Replay", "x", x, config.observation, s.columns);
    for (Index i = 0; i < s.columns; ++i) x.col(i) = x_.col(column_place(step / config.steps, s.column + i));
  }

  template <class Fields>
  void fields(Fields& f) {
    f.same("columns", config.columns);
    f.same("look_back", config.look_back);
    f("lanes", lanes_);
    f("steps", steps_);
    f("x", x_);
    f("tree", tree_);
    f("fresh", fresh_);
    f("size", size_);
  }
  bool valid() const {
    if (Index(lanes_.size()) != config.lanes || Index(steps_.size()) != config.lanes * config.steps) return false;
    Index drawn = 0;
    for (Index place = 0; place < Index(steps_.size()); ++place) drawn += tree_[place] > 0;
    if (size_ != drawn) return false;
    const auto fits = [](Index first, Index end, Index room) {
      return 0 <= first && first <= end && end - first <= room;
    };
    for (const Lane& l : lanes_)
      if (!fits(l.first, l.end, config.steps) || !fits(l.first_column, l.end_column, config.columns) || l.position < 0)
        return false;
    return std::all_of(steps_.begin(), steps_.end(), [&](const Step& s) {
      return s.action >= -1 && s.position >= 0 && s.column >= 0 && s.columns >= 0 && s.columns <= config.columns;
    });
  }

 private:
  struct Step {
    Index action = -1;  // none: what a cut left
    double reward = 0;
    Index terminated = 0;           // or 1: no gap between the numbers
    Index position = 0;             // in its episode
    Index column = 0, columns = 0;  // numbered as steps are
  };
  /// Steps and columns are numbered as they come; the lane has those from `first` up to `end`.
  struct Lane {
    Index first = 0, end = 0, first_column = 0, end_column = 0;
    Index position = 0;  // of the step to come
    Index cut = 0;       // or 1
  };

  static ReplayConfig checked(ReplayConfig c) {
    if (c.columns == 0) c.columns = c.steps;
    const char* names[] = {"observation", "lanes", "steps", "columns"};
    const Index counts[] = {c.observation, c.lanes, c.steps, c.columns};
    for (int i = 0; i < 4; ++i)
      if (counts[i] < 1) detail::fail("Replay: %s %ld must be at least 1", names[i], long(counts[i]));
    if (c.look_back < 0) detail::fail("Replay: look_back %ld must not be negative", long(c.look_back));
    if (!(c.alpha >= 0 && c.least >= 0))
      detail::fail("Replay: alpha %g and least %g must not be negative", c.alpha, c.least);
    return c;
  }
  void check(Index lane, const Read<S>& x) const {
    if (lane < 0 || lane >= config.lanes)
      detail::fail("Replay: lane %ld is not one of its %ld", long(lane), long(config.lanes));
    detail::expect_shape("Replay", "x", x, config.observation, x.cols());
    if (x.cols() > config.columns)
      detail::fail("Replay: an observation of %ld columns, but there is room for %ld", long(x.cols()),
                   long(config.columns));
  }

  Index step_place(Index lane, Index number) const { return lane * config.steps + number % config.steps; }
  Index column_place(Index lane, Index number) const { return lane * config.columns + number % config.columns; }
  Step& step(Index lane, Index number) { return steps_[std::size_t(step_place(lane, number))]; }
  const Step& step(Index lane, Index number) const { return steps_[std::size_t(step_place(lane, number))]; }
  Index number_of(Index place) const {
    const Index first = lanes_[std::size_t(place / config.steps)].first;
    return first + (place % config.steps - first % config.steps + config.steps) % config.steps;
  }
  /// Whether it is a step of which is known what came of it.
  bool complete(Index lane, Index number) const {
    const Step& s = step(lane, number);
    return s.action >= 0 && (s.terminated || number + 1 < lanes_[std::size_t(lane)].end);
  }

  void weigh(Index place, double w) {
    size_ += (w > 0) - (tree_[place] > 0);
    tree_.set(place, w);
  }
  void append(Index lane, const Read<S>& x, Step s) {
    Lane& l = lanes_[std::size_t(lane)];
    while (l.end - l.first == config.steps || l.end_column + x.cols() - l.first_column > config.columns) drop(lane);
    s.position = l.position++;
    s.column = l.end_column;
    s.columns = x.cols();
    for (Index i = 0; i < x.cols(); ++i) x_.col(column_place(lane, l.end_column++)) = x.col(i);
    step(lane, l.end++) = s;
    for (Index number = std::max(l.first, l.end - 2); number < l.end; ++number) {
      const Index place = step_place(lane, number);
      if (tree_[place] == 0 && complete(lane, number) && number - past(place) >= l.first) weigh(place, fresh_);
    }
  }
  /// Forgets the oldest step; those that look back at it are not drawn any more.
  void drop(Index lane) {
    Lane& l = lanes_[std::size_t(lane)];
    l.first_column += step(lane, l.first).columns;
    const Index oldest = l.first++;
    for (Index number = oldest; number < l.end && number - past(step_place(lane, number)) <= oldest; ++number)
      if (const Index place = step_place(lane, number); tree_[place] > 0) weigh(place, 0);
  }

  std::vector<Lane> lanes_;
  std::vector<Step> steps_;
  Tokens<S> x_;
  SumTree tree_;
  double fresh_ = 1;  // the weight of steps that were not learned from
  Index size_ = 0;
};

}  // namespace heed
