#pragma once
#include <algorithm>
#include <functional>
#include <limits>

#include "heed/detail/elementwise.hpp"

namespace heed::detail {

// A column of scores is turned into weights in place: at least 0, and their sum 1. What is not in sight has the score
// -infinity and gets the weight 0; where nothing is in sight all weights are 0. The way back turns dw into ds, given w.

template <class S>
using WeightColumn = Eigen::Map<Eigen::Matrix<S, Dynamic, 1>>;

/// The highest score, -infinity where there is none.
template <class S>
S highest(const WeightColumn<S>& s) {
  return s.size() > 0 ? s.maxCoeff() : -std::numeric_limits<S>::infinity();
}

/// w_i = e^(s_i) / sum_j e^(s_j)
template <class S>
void softmax(WeightColumn<S> w) {
  const S top = highest(w);
  if (top == -std::numeric_limits<S>::infinity()) {
    w.setZero();
    return;
  }
  elementwise(
      w, false, [top](const Register<S>& s) { return exponential<S>(s - top); }, w);
  w /= w.sum();
}

//   ds = w o (dw - w . dw)
template <class S>
void softmax_backward(const WeightColumn<S>& w, WeightColumn<S> dw) {
  dw.array() = w.array() * (dw.array() - w.dot(dw));
}

/// The softmax of the k highest scores, of equal ones the earlier (Zhao et al. 2019). `copy`: room for the column.
template <class S>
void top_k_softmax(WeightColumn<S> w, Index k, S* copy) {
  if (k < w.size()) {
    std::copy_n(w.data(), w.size(), copy);
    std::nth_element(copy, copy + k - 1, copy + w.size(), std::greater<>());
    const S least = copy[k - 1];
    Index equal = k - (w.array() > least).count();  // so many as high as the least are in
    for (S& s : w)
      if (s < least || (s == least && equal-- <= 0)) s = -std::numeric_limits<S>::infinity();
  }
  softmax(w);
}

/// The point of the simplex that is nearest to the scores (Martins and Astudillo 2016, eq. 2 to 4 and alg. 1):
///
///   w_i = max(s_i - tau, 0), with tau such that their sum is 1: (sum of the scores above tau, less 1) / (their number)
///
/// With the highest score at 0 tau is at least -1. From there each step leaves out the scores that are not above it,
/// until none is left out (Michelot 1986): the same tau without sorting.
template <class S>
void sparsemax(WeightColumn<S> w) {
  const S top = highest(w);
  if (top == -std::numeric_limits<S>::infinity()) {
    w.setZero();
    return;
  }
  w.array() -= top;
  S tau = -1;
  for (Index before = w.size() + 1;;) {
    S sum = 0;
    Index above = 0;
    for (const S s : w)
      if (s > tau) sum += s, ++above;
    if (above >= before) break;
    before = above;
    tau = (sum - 1) / S(above);
  }
  w.array() = (w.array() - tau).max(S(0));
}

//   ds = dw - mean of dw over the support, where w > 0    (eq. 14)
template <class S>
void sparsemax_backward(const WeightColumn<S>& w, WeightColumn<S> dw) {
  S sum = 0;
  Index above = 0;
  for (Index i = 0; i < w.size(); ++i)
    if (w(i) > 0) sum += dw(i), ++above;
  for (Index i = 0; i < w.size(); ++i) dw(i) = w(i) > 0 ? dw(i) - sum / S(above) : S(0);
}

}  // namespace heed::detail
