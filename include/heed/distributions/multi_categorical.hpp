#pragma once
#include <optional>
#include <span>

#include "heed/distributions/categorical.hpp"

namespace heed {

/// Several independent choices at once, whose logits stand below each other in one column:
///
///   log p(a) = sum_k log p_k(a_k)    H = sum_k H_k    KL(p || q) = sum_k KL(p_k || q_k)
///
///   sizes: how many actions each choice has    logits: sum of the sizes x n, of which column `column` is used
///   mask: like logits, false where an action is not allowed    a: one action a choice, numbered from 0 in each
///
/// Each choice is a Categorical: what is impossible or an error there is so here, once the choice is looked at. Errors:
/// a size below 1, sizes that are not those of the column, another number of actions than of choices.
///
/// It is a view, made anew where it is needed: it keeps pointers to the logits, the mask and the sizes, and allocates
/// nothing.
template <class S>
class MultiCategorical {
 public:
  /// Choices of these sizes, their logits below each other in a column.
  MultiCategorical(Read<S> logits, Index column, std::span<const Index> sizes)
      : logits_(logits), column_(column), sizes_(sizes) {
    check();
  }
  /// Of those that the mask allows.
  MultiCategorical(Read<S> logits, Index column, std::span<const Index> sizes, Read<bool> mask)
      : logits_(logits), mask_(mask), column_(column), sizes_(sizes) {
    check();
    detail::expect_shape("MultiCategorical", "mask", mask, logits.rows(), logits.cols());
  }

  /// How many are made at once.
  Index choices() const { return Index(sizes_.size()); }
  /// The most probable action of each choice, the first of several.
  void mode(std::span<Index> actions) const {
    expect_as_many(actions.size());
    each([&](std::size_t k, Index, const Categorical<S>& choice) { actions[k] = choice.mode(); });
  }
  /// Draws an action of each choice in turn, with one uniform number each.
  void sample(Random& random, std::span<Index> actions) const {
    expect_as_many(actions.size());
    each([&](std::size_t k, Index, const Categorical<S>& choice) { actions[k] = choice.sample(random); });
  }
  S log_prob(std::span<const Index> actions) const {
    expect_as_many(actions.size());
    S sum = 0;
    each([&](std::size_t k, Index, const Categorical<S>& choice) { sum += choice.log_prob(actions[k]); });
    return sum;
  }
  S entropy() const {
    S sum = 0;
    each([&](std::size_t, Index, const Categorical<S>& choice) { sum += choice.entropy(); });
    return sum;
  }
  /// KL(p || q), where this is p.
  S divergence(const MultiCategorical& q) const {
    expect_as_many(q.sizes_.size());
    S sum = 0;
    each([&](std::size_t k, Index first, const Categorical<S>& choice) {
      sum += choice.divergence(q.choice(first, q.sizes_[k]));
    });
    return sum;
  }

  // The gradients for this column of logits, times `scale`, are added to a column of sum of the sizes x 1: in the rows
  // of each choice those of its Categorical.

  void add_log_prob_gradient(std::span<const Index> actions, S scale, Write<S> dlogits) const {
    log_prob(actions);  // before anything is added
    expect_column(dlogits);
    each([&](std::size_t k, Index first, const Categorical<S>& choice) {
      choice.add_log_prob_gradient(actions[k], scale, dlogits.middleRows(first, sizes_[k]));
    });
  }
  void add_entropy_gradient(S scale, Write<S> dlogits) const {
    expect_column(dlogits);
    each([&](std::size_t k, Index first, const Categorical<S>& choice) {
      choice.add_entropy_gradient(scale, dlogits.middleRows(first, sizes_[k]));
    });
  }
  void add_divergence_gradient(const MultiCategorical& q, S scale, Write<S> dlogits) const {
    divergence(q);  // before anything is added
    expect_column(dlogits);
    each([&](std::size_t k, Index first, const Categorical<S>& choice) {
      choice.add_divergence_gradient(q.choice(first, q.sizes_[k]), scale, dlogits.middleRows(first, sizes_[k]));
    });
  }

 private:
  void check() const {
    Index rows = 0;
    for (std::size_t k = 0; k < sizes_.size(); ++k) {
      if (sizes_[k] < 1) [[unlikely]]
        detail::fail("MultiCategorical: choice %zu is among %ld actions", k, long(sizes_[k]));
      rows += sizes_[k];
    }
    if (rows != logits_.rows()) [[unlikely]]
      detail::fail("MultiCategorical: %zu choices among %ld actions in all, but %ld logits", sizes_.size(), long(rows),
                   long(logits_.rows()));
    if (column_ < 0 || column_ >= logits_.cols()) [[unlikely]]
      detail::fail("MultiCategorical: column %ld is not one of %ld", long(column_), long(logits_.cols()));
  }
  void expect_as_many(std::size_t n) const {
    if (n != sizes_.size()) [[unlikely]]
      detail::fail("MultiCategorical: %zu choices, but %zu are given", sizes_.size(), n);
  }
  void expect_column(const Write<S>& dlogits) const {
    detail::expect_shape("MultiCategorical", "dlogits", dlogits, logits_.rows(), 1);
  }

  /// Calls f(k, first row, choice k).
  template <class F>
  void each(F f) const {
    Index first = 0;
    for (std::size_t k = 0; k < sizes_.size(); ++k) {
      f(k, first, choice(first, sizes_[k]));
      first += sizes_[k];
    }
  }
  Categorical<S> choice(Index first, Index size) const {
    const auto logits = logits_.middleRows(first, size);
    return mask_ ? Categorical<S>(logits, column_, mask_->middleRows(first, size)) : Categorical<S>(logits, column_);
  }

  Read<S> logits_;
  std::optional<Read<bool>> mask_;
  Index column_;
  std::span<const Index> sizes_;
};

}  // namespace heed
