#pragma once
#include "heed/core/policy.hpp"
#include "heed/distributions/categorical.hpp"
#include "heed/distributions/multi_categorical.hpp"
#include "heed/distributions/squashed_gaussian.hpp"
#include "heed/rl/action_masks.hpp"
#include "heed/rl/environment.hpp"

namespace heed {

/// Whether a policy points: its logits lie along an axis of entities, one for each, and not along time. Action i is to
/// choose the i-th entity of the step; `actions()` of the world does not matter.
template <Policy Net>
bool points(const Net& net) {
  return !(net.logits.axis == net.time);
}

namespace detail {
inline auto mask_of(Allowed allowed) {
  return Eigen::Map<const Tokens<bool>>(allowed.data(), Index(allowed.size()), 1);
}
}  // namespace detail

/// What a policy that has computed its logits chooses from at column i of its time: one of its actions, of those that are
/// allowed, or one of the entities in sight.
template <Policy Net, class S = typename Net::Scalar>
Categorical<S> decision(const Net& net, ActivationsView<S> a, Index i, Allowed allowed = {}) {
  const auto logits = a[net.logits];
  if (points(net)) return Categorical<S>(logits, a.sequences(net.logits.axis), i);
  if (allowed.empty()) return Categorical<S>(logits, i);
  return Categorical<S>(logits.col(i), 0, detail::mask_of(allowed));
}

/// Where the gradient of the logits of that decision is to be added: actions x 1.
template <Policy Net, class S = typename Net::Scalar>
Write<S> decision_gradient(const Net& net, ActivationsView<S> a, Index i) {
  auto dlogits = a.d(net.logits);
  if (points(net)) return column_of(dlogits, a.sequences(net.logits.axis), i);
  return dlogits.col(i);
}

/// What a policy decides at column i of its time, whatever the actions are: their distribution, and where its gradients
/// go. Actions are numbers where the network has logits, several at once where it has choices, and vectors of numbers
/// where it has `mean` and `log_std`.
///
/// The entropy, and its gradient, are asked for with the action that was taken: where there is no closed form (of what is
/// squashed) they are estimates from it.
template <class Net, class Action>
class Decision;

/// One action of some: see Categorical.
template <class Net>
requires requires(const Net net) { net.logits; }
class Decision<Net, Index> {
 public:
  using S = typename Net::Scalar;
  /// Of what the network answered for step i.
  Decision(const Net& net, ActivationsView<S> a, Index i, Allowed allowed = {})
      : policy_(decision(net, a, i, allowed)), dlogits_(decision_gradient(net, a, i)) {}

  /// Before gradients of decisions are added.
  static void clear_gradients(const Net& net, ActivationsView<S> a) { a.d(net.logits).setZero(); }
  /// Draws one.
  Index sample(Random& random) const { return policy_.sample(random); }
  /// The most probable.
  Index mode() const { return policy_.mode(); }
  S log_prob(Index action) const { return policy_.log_prob(action); }
  S entropy(Index) const { return policy_.entropy(); }
  void add_log_prob_gradient(Index action, S scale) const { policy_.add_log_prob_gradient(action, scale, dlogits_); }
  void add_entropy_gradient(Index, S scale) const { policy_.add_entropy_gradient(scale, dlogits_); }

 private:
  Categorical<S> policy_;
  Write<S> dlogits_;
};

/// Several at once: see MultiCategorical.
template <class Net, std::size_t n>
requires requires(const Net net) { net.logits, net.choices; }
class Decision<Net, std::array<Index, n>> {
 public:
  using S = typename Net::Scalar;
  using Action = std::array<Index, n>;
  /// Of what the network answered for step i.
  Decision(const Net& net, ActivationsView<S> a, Index i, Allowed allowed = {})
      : policy_(distribution(net, a[net.logits].col(i), allowed)), dlogits_(a.d(net.logits).col(i)) {}

  /// Before gradients of decisions are added.
  static void clear_gradients(const Net& net, ActivationsView<S> a) { a.d(net.logits).setZero(); }
  /// Draws one.
  Action sample(Random& random) const {
    Action action;
    policy_.sample(random, action);
    return action;
  }
  /// The most probable.
  Action mode() const {
    Action action;
    policy_.mode(action);
    return action;
  }
  S log_prob(const Action& action) const { return policy_.log_prob(action); }
  S entropy(const Action&) const { return policy_.entropy(); }
  void add_log_prob_gradient(const Action& action, S scale) const {
    policy_.add_log_prob_gradient(action, scale, dlogits_);
  }
  void add_entropy_gradient(const Action&, S scale) const { policy_.add_entropy_gradient(scale, dlogits_); }

 private:
  static MultiCategorical<S> distribution(const Net& net, Read<S> logits, Allowed allowed) {
    if (allowed.empty()) return MultiCategorical<S>(logits, 0, net.choices);
    return MultiCategorical<S>(logits, 0, net.choices, detail::mask_of(allowed));
  }
  MultiCategorical<S> policy_;
  Write<S> dlogits_;
};

/// Whether the Gaussian of a policy is squashed: its actions are what is squashed, see SquashedGaussian, and `given_to`
/// makes of them what lies within the world's bounds. Densities and entropy are those of actions within [-1, 1], whatever
/// the bounds.
template <class Net>
bool squashes([[maybe_unused]] const Net& net) {
  if constexpr (requires { net.squashed; })
    return net.squashed;
  else
    return false;
}

/// A vector: see Gaussian and SquashedGaussian.
template <class Net, int n>
requires requires(const Net net) { net.mean, net.log_std; }
class Decision<Net, Eigen::Matrix<double, n, 1>> {
 public:
  using S = typename Net::Scalar;
  using Action = Eigen::Matrix<double, n, 1>;
  /// Of what the network answered for step i.
  Decision(const Net& net, ActivationsView<S> a, Index i, Allowed = {})
      : squashed_(squashes(net)),
        policy_(a[net.mean], i, a[net.log_std], low, high),
        dmean_(a.d(net.mean).col(i)),
        dlog_std_(a.d(net.log_std).col(i)) {}

  /// Before gradients of decisions are added.
  static void clear_gradients(const Net& net, ActivationsView<S> a) {
    a.d(net.mean).setZero();
    a.d(net.log_std).setZero();
  }
  /// Draws one.
  Action sample(Random& random) const {
    Numbers x;
    policy_.sample(random, x);
    return x.template cast<double>();
  }
  /// The most probable.
  Action mode() const {
    Numbers x;
    policy_.mode(x);
    return x.template cast<double>();
  }
  S log_prob(const Action& action) const {
    return squashed_ ? policy_.log_prob(numbers(action)) : policy_.gaussian().log_prob(numbers(action));
  }
  S entropy(const Action& action) const {
    return squashed_ ? policy_.entropy_estimate(numbers(action)) : policy_.gaussian().entropy();
  }
  void add_log_prob_gradient(const Action& action, S scale) const {
    policy_.add_log_prob_gradient(numbers(action), scale, dmean_, dlog_std_);  // the same, squashed or not
  }
  void add_entropy_gradient(const Action& action, S scale) const {
    if (squashed_)
      policy_.add_entropy_estimate_gradient(numbers(action), scale, dmean_, dlog_std_);
    else
      policy_.gaussian().add_entropy_gradient(scale, dlog_std_);
  }

 private:
  using Numbers = Eigen::Matrix<S, n, 1>;
  static Numbers numbers(const Action& action) { return action.template cast<S>(); }
  static inline const Action low = Action::Constant(-1), high = Action::Constant(1);
  bool squashed_;
  SquashedGaussian<S> policy_;
  Write<S> dmean_, dlog_std_;
};

namespace detail {

/// That a policy is for what a world shows, and for as many actions.
template <Policy Net, AnyEnvironment World>
void expect_fit(const char* who, const Net& net, const World& world) {
  const Index needed = actions_of(world);
  Index actions = needed;
  if constexpr (requires { net.logits; }) {
    actions = points(net) ? needed : net.logits.rows;
    if (points(net) && masks_actions<World>)
      fail("%s: the world says which actions are allowed, but a policy that points chooses from all in sight", who);
  } else
    actions = net.mean.rows;
  if (net.observation != world.observation() || actions != needed)
    fail("%s: the policy is for observations of %ld and %ld actions, but the world has %ld and %ld", who,
         long(net.observation), long(actions), long(world.observation()), long(needed));
  if (shows_entities<World> && net.input == net.time)
    fail("%s: the world shows sets of entities, but the policy takes one column a step", who);
}

}  // namespace detail

/// What the world is given of an action: within its bounds, where it has some, which it is squashed into, or cut at (as
/// Gymnasium's ClipAction).
template <AnyEnvironment World, class Net>
typename World::Action given_to(const World& world, [[maybe_unused]] const Net& net,
                                const typename World::Action& action) {
  if constexpr (ContinuousEnvironment<World>) {
    const typename World::Action low = world.low(), high = world.high();
    if (!squashes(net)) return action.cwiseMax(low).cwiseMin(high);
    const typename World::Action zero = World::Action::Zero();
    typename World::Action given;
    SquashedGaussian<double>(zero, 0, zero, low, high).action(action, given);
    return given;
  } else {
    return action;
  }
}

}  // namespace heed
