#pragma once
#include "heed/core/policy.hpp"
#include "heed/distributions/categorical.hpp"
#include "heed/distributions/gaussian.hpp"
#include "heed/rl/environment.hpp"

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

/// What a policy decides at column i of its time, whatever the actions are: their distribution, and where its gradients
/// go. Actions are numbers where the network has logits, and vectors of numbers where it has `mean` and `log_std`.
template <class Net, class Action>
class Decision;

template <class Net>
requires requires(const Net net) { net.logits; }
class Decision<Net, Index> {
 public:
  using S = typename Net::Scalar;
  Decision(const Net& net, ActivationsView<S> a, Index i)
      : policy_(decision(net, a, i)), dlogits_(decision_gradient(net, a, i)) {}

  static void clear_gradients(const Net& net, ActivationsView<S> a) { a.d(net.logits).setZero(); }
  Index sample(Random& random) const { return policy_.sample(random); }
  Index mode() const { return policy_.mode(); }
  S log_prob(Index action) const { return policy_.log_prob(action); }
  S entropy() const { return policy_.entropy(); }
  void add_log_prob_gradient(Index action, S scale) const { policy_.add_log_prob_gradient(action, scale, dlogits_); }
  void add_entropy_gradient(S scale) const { policy_.add_entropy_gradient(scale, dlogits_); }

 private:
  Categorical<S> policy_;
  Write<S> dlogits_;
};

template <class Net, int n>
requires requires(const Net net) { net.mean, net.log_std; }
class Decision<Net, Eigen::Matrix<double, n, 1>> {
 public:
  using S = typename Net::Scalar;
  using Action = Eigen::Matrix<double, n, 1>;
  Decision(const Net& net, ActivationsView<S> a, Index i)
      : policy_(a[net.mean], i, a[net.log_std]), dmean_(a.d(net.mean).col(i)), dlog_std_(a.d(net.log_std).col(i)) {}

  static void clear_gradients(const Net& net, ActivationsView<S> a) {
    a.d(net.mean).setZero();
    a.d(net.log_std).setZero();
  }
  Action sample(Random& random) const {
    Numbers x;
    policy_.sample(random, x);
    return x.template cast<double>();
  }
  Action mode() const {
    Numbers x;
    policy_.mode(x);
    return x.template cast<double>();
  }
  S log_prob(const Action& action) const { return policy_.log_prob(numbers(action)); }
  S entropy() const { return policy_.entropy(); }
  void add_log_prob_gradient(const Action& action, S scale) const {
    policy_.add_log_prob_gradient(numbers(action), scale, dmean_, dlog_std_);
  }
  void add_entropy_gradient(S scale) const { policy_.add_entropy_gradient(scale, dlog_std_); }

 private:
  using Numbers = Eigen::Matrix<S, n, 1>;
  static Numbers numbers(const Action& action) { return action.template cast<S>(); }
  Gaussian<S> policy_;
  Write<S> dmean_, dlog_std_;
};

/// What the world is given of an action: within its bounds, where it has some (as Gymnasium's ClipAction).
template <AnyEnvironment World>
typename World::Action within_bounds(const World& world, const typename World::Action& action) {
  if constexpr (ContinuousEnvironment<World>)
    return action.cwiseMax(world.low()).cwiseMin(world.high());
  else
    return action;
}

}  // namespace heed
