#pragma once
#include <concepts>

#include "heed/core/activations.hpp"
#include "heed/core/memory.hpp"
#include "heed/core/parameters.hpp"
#include "heed/core/scope.hpp"

namespace heed {

/// A network in general: what Agent can own. It is built at a place in a layout from its plain Config.
template <class N>
concept Network = requires(Scope at, const typename N::Config& config) {
  typename N::Scalar;
  N(at, config);
};

/// What a trainer asks of a network that acts:
///
/// - `time`: the axis of its decisions, and `input`: the axis of the columns of x (time itself, or a child of it where an
///   observation is a set of entities),
/// - `forward(p, x, a)` over whole sequences, `backward(p, x, a, g, dx)` from the gradients of its outputs, and
///   `extend(p, x, m, a)`: forward for the columns that follow what memory holds,
/// - `logits`: a column a decision, along time; or, of a network that points, one row along a child axis of time: action
///   i is to choose the i-th entity of the step.
///
///   or, of actions that are vectors of numbers, `mean` and `log_std`: of a Gaussian, a column a decision, along time,
///   which is squashed where `squashed` is true.
///
/// Of several actions at once `choices` says how many each has; their logits stand below each other.
///
/// A network with a `value` handle that is not empty has a learned value, too.
template <class N>
concept Policy = Network<N> &&
    requires(const N net, ParametersView<const typename N::Scalar> p, ParametersView<typename N::Scalar> g,
             Read<typename N::Scalar> x, Gradient<typename N::Scalar> dx, ActivationsView<typename N::Scalar> a,
             MemoryView<typename N::Scalar> m) {
  { net.time } -> std::convertible_to<Axis>;
  { net.input } -> std::convertible_to<Axis>;
  { net.observation } -> std::convertible_to<Index>;
  requires requires { a[net.logits]; } || requires {
    a[net.mean], a[net.log_std];
  };
  net.forward(p, x, a);
  net.backward(p, x, a, g, dx);
  net.extend(p, x, m, a);
};

/// The handle of the learned value; empty where the network has none.
template <class N>
auto value_of(const N& net) {
  if constexpr (requires { net.value; })
    return net.value;
  else
    return Columns<1>{};
}

/// How many of the steps before it a step may depend on, of its episode: what the network says (`past()`), else none
/// where it remembers nothing, and all where it does.
template <class N>
Index past_of(const N& net, const Layout& layout) {
  if constexpr (requires { net.past(); })
    return net.past();
  else
    return layout[Axis(net.time)].remembered == 0 && layout.state_rows() == 0 ? 0 : unlimited;
}

}  // namespace heed
