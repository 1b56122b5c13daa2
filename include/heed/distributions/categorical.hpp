#pragma once
#include <cmath>
#include <limits>

#include "heed/core/random.hpp"
#include "heed/core/sequences.hpp"

namespace heed {

/// The numbers of one sequence of a row, 1 x n, as a column: what a Categorical of that sequence reads and adds to.
template <class M>
auto column_of(M&& row, SequencesView sequences, Index i) {
  using Number = std::remove_pointer_t<decltype(row.data())>;
  using Column = Tokens<std::remove_const_t<Number>>;
  if (i < 0 || i >= sequences.count()) [[unlikely]]
    detail::fail("column_of: sequence %ld is not one of %ld", long(i), long(sequences.count()));
  detail::expect_shape("column_of", "the row", row, detail::checked_rows<1>(row), sequences.columns());
  return Eigen::Map<std::conditional_t<std::is_const_v<Number>, const Column, Column>>(
      detail::place(row.data()) + sequences.first(i), sequences.length(i), 1);
}

/// The categorical distribution given by one column of logits:
///
///   p_i = exp(l_i) / sum_j exp(l_j)    log p_i = (l_i - max l) - log sum_j exp(l_j - max l)    H = - sum_i p_i log p_i
///
///   logits l: actions x n, of which column `column` is used    mask: actions x n, false where an action is not allowed
///   entropy and divergence: nats
///
/// Or by one sequence of a row of logits, where the actions are to choose one of the entities in sight:
///
///   logits: 1 x n, of which sequence `column` is used    mask: 1 x n    actions: numbered from 0 in each sequence
///
/// An action that is masked, or whose logit is -inf, is impossible: probability 0, never sampled, gradient 0. Errors: a
/// logit that is NaN or +inf (of an action that is allowed), a column whose every action is impossible, log p of an
/// impossible action, an action out of range, a sequence without entities.
///
/// It is a view, made anew where it is needed: it keeps pointers to the column, and exp(l_i - max l) of the first few
/// actions, and allocates nothing.
template <class S>
class Categorical {
 public:
  /// Of the logits in a column.
  Categorical(Read<S> logits, Index column) : Categorical(checked(logits, column), nullptr, logits.rows(), column) {}
  /// Of those that the mask, of the same column, allows.
  Categorical(Read<S> logits, Index column, Read<bool> mask)
      : Categorical(checked(logits, column), checked(mask, logits, column), logits.rows(), column) {}
  /// Of a row of scores: the sequence that belongs to a column.
  Categorical(Read<S, 1> row, SequencesView sequences, Index column)
      : Categorical(checked(row, sequences, column), nullptr, sequences.length(column), column) {}
  /// Of those that the mask allows.
  Categorical(Read<S, 1> row, SequencesView sequences, Index column, Read<bool, 1> mask)
      : Categorical(checked(row, sequences, column), column_of(mask, sequences, column).data(),
                    sequences.length(column), column) {}

  Index actions() const { return actions_; }
  /// The most probable action, the first of several.
  Index mode() const { return mode_; }
  /// Draws an action with one uniform number: the first i with p_0 + ... + p_i > u.
  Index sample(Random& random) const {
    const double target = random.uniform() * sum_;
    double sum = 0;
    Index last = mode_;
    for (Index i = 0; i < actions_; ++i) {
      if (weight(i) == 0) continue;
      sum += double(weight(i));
      last = i;
      if (sum > target) break;
    }
    return last;
  }
  /// Of an action.
  S probability(Index action) const { return p(checked(action)); }
  S log_prob(Index action) const {
    if (relative(checked(action)) == -infinity) [[unlikely]]
      detail::fail("Categorical: log p of action %ld, which is impossible in column %ld", long(action), long(column_));
    return log_p(action);
  }
  S entropy() const {
    S mean = 0;  // of l - max l: both terms of the result are positive
    for (Index i = 0; i < actions_; ++i)
      if (const S pi = p(i); pi > 0) mean += pi * relative(i);
    return log_sum_ - mean;
  }
  /// KL(p || q) = sum_i p_i (log p_i - log q_i), infinite where q excludes what p does not.
  S divergence(const Categorical& q) const {
    expect_as_many(q);
    S kl = 0;
    for (Index i = 0; i < actions_; ++i)
      if (const S pi = p(i); pi > 0) kl += pi * (log_p(i) - q.log_p(i));
    return kl;
  }

  // The gradients for this column of logits, times `scale`, are added to a column of actions x 1.

  // d log p_a / dl_i = [i = a] - p_i
  void add_log_prob_gradient(Index action, S scale, Write<S> dlogits) const {
    log_prob(action);
    expect_column(dlogits);
    for (Index i = 0; i < actions_; ++i) dlogits(i, 0) -= scale * (i == action ? std::expm1(log_p(i)) : p(i));
  }
  // dH / dl_i = - p_i (log p_i + H)
  void add_entropy_gradient(S scale, Write<S> dlogits) const {
    expect_column(dlogits);
    const S h = entropy();
    for (Index i = 0; i < actions_; ++i)
      if (const S pi = p(i); pi > 0) dlogits(i, 0) -= scale * pi * (log_p(i) + h);
  }
  // dKL(p || q) / dl_i = p_i (log p_i - log q_i - KL)
  void add_divergence_gradient(const Categorical& q, S scale, Write<S> dlogits) const {
    expect_column(dlogits);
    const S kl = divergence(q);
    for (Index i = 0; i < actions_; ++i)
      if (const S pi = p(i); pi > 0) dlogits(i, 0) += scale * pi * (log_p(i) - q.log_p(i) - kl);
  }

 private:
  static constexpr Index kept = 16;
  static constexpr S infinity = std::numeric_limits<S>::infinity();

  Categorical(const S* logits, const bool* mask, Index actions, Index column)
      : logits_(logits), mask_(mask), actions_(actions), column_(column) {
    for (Index i = 0; i < actions_; ++i) {
      const S l = logit(i);
      if (std::isnan(l) || l == infinity) [[unlikely]]
        detail::fail("Categorical: the logit of action %ld in column %ld is %g", long(i), long(column), double(l));
      if (l > max_) max_ = l, mode_ = i;
    }
    if (max_ == -infinity) [[unlikely]]
      detail::fail("Categorical: each of the %ld actions in column %ld is masked or has the logit -inf", long(actions_),
                   long(column));
    double others = 0;
    for (Index i = 0; i < actions_; ++i) {
      const S w = i == mode_ ? S(1) : std::exp(relative(i));
      if (i < kept) weights_[i] = w;
      if (i != mode_) others += double(w);
    }
    sum_ = 1 + others;
    inverse_sum_ = S(1 / sum_);
    log_sum_ = S(std::log1p(others));  // exact also where one action is nearly certain
  }

  static const S* checked(const Read<S>& logits, Index column) {
    if (column < 0 || column >= logits.cols()) [[unlikely]]
      detail::fail("Categorical: column %ld is not one of %ld", long(column), long(logits.cols()));
    return logits.data() + column * logits.outerStride();
  }
  static const S* checked(const Read<S, 1>& row, SequencesView sequences, Index column) {
    const auto logits = column_of(row, sequences, column);
    if (logits.size() == 0) [[unlikely]]
      detail::fail("Categorical: there is nothing to choose from in sequence %ld", long(column));
    return logits.data();
  }
  static const bool* checked(const Read<bool>& mask, const Read<S>& logits, Index column) {
    detail::expect_shape("Categorical", "mask", mask, logits.rows(), logits.cols());
    return mask.data() + column * mask.outerStride();
  }
  Index checked(Index action) const {
    if (action < 0 || action >= actions_) [[unlikely]]
      detail::fail("Categorical: action %ld is not one of %ld", long(action), long(actions_));
    return action;
  }
  void expect_as_many(const Categorical& q) const {
    if (q.actions_ != actions_) [[unlikely]]
      detail::fail("Categorical: %ld actions, but the other has %ld", long(actions_), long(q.actions_));
  }
  void expect_column(const Write<S>& dlogits) const {
    detail::expect_shape("Categorical", "dlogits", dlogits, actions_, 1);
  }

  S weight(Index i) const { return i < kept ? weights_[i] : std::exp(relative(i)); }
  S logit(Index i) const { return !mask_ || mask_[i] ? logits_[i] : -infinity; }
  S relative(Index i) const { return logit(i) - max_; }
  S log_p(Index i) const { return relative(i) - log_sum_; }
  S p(Index i) const { return weight(i) * inverse_sum_; }

  const S* logits_;
  const bool* mask_;
  Index actions_, column_;
  Index mode_ = 0;
  S max_ = -infinity, log_sum_;
  double sum_;  // of exp(l - max l)
  S inverse_sum_;
  S weights_[kept];  // exp(l - max l) of the first actions
};

}  // namespace heed
