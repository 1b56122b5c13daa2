#pragma once
#include "heed/core/policy.hpp"
#include "heed/distributions/categorical.hpp"

namespace heed {

/// Whether a policy points: its logits lie along an axis of entities, one for each, and not along time. Action i is to
/// choose the i-th entity of the step; `actions()` of the world does not matter.
template <Policy Net>
bool points(const Net& net) {
  return !(net.logits.axis == net.time);
}

/// What a policy that has computed its logits chooses from at column i of its time: one of its actions, or one of the
/// entities in sight.
template <Policy Net, class S = typename Net::Scalar>
Categorical<S> decision(const Net& net, ActivationsView<S> a, Index i) {
  const auto logits = a[net.logits];
  return points(net) ? Categorical<S>(logits, a.sequences(net.logits.axis), i) : Categorical<S>(logits, i);
}

/// Where the gradient of the logits of that decision is to be added: actions x 1.
template <Policy Net, class S = typename Net::Scalar>
Write<S> decision_gradient(const Net& net, ActivationsView<S> a, Index i) {
  auto dlogits = a.d(net.logits);
  if (points(net)) return column_of(dlogits, a.sequences(net.logits.axis), i);
  return dlogits.col(i);
}

}  // namespace heed
