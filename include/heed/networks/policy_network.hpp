#pragma once
#include <array>
#include <numeric>
#include <vector>

#include "heed/core/policy.hpp"
#include "heed/layers/linear.hpp"

namespace heed {
namespace detail {
/// Config::actions where it is a constant, the same for all of them.
template <class Config>
inline constexpr int constant_actions = Dynamic;
template <class Config>
requires(!std::is_member_pointer_v<decltype(&Config::actions)>)  //
    inline constexpr int constant_actions<Config> = int(Config::actions);
}  // namespace detail

/// A policy: a body that turns observations into features, logits of the actions and, if asked for, a learned value.
///
///   logits = Wp features + bp    value = wv features + bv
///
///   Wp ("policy"): orthogonal with gain 0.01, so that all actions start equally likely    wv ("value"): orthogonal
///
/// Config::actions says how many actions there are; instead of it Config::choices, of several actions at once, how many
/// each of them has: their logits stand below each other, see MultiCategorical.
template <class Body, class Settings>
class PolicyNetwork {
 public:
  using Scalar = typename Body::Scalar;
  using S = Scalar;
  using Config = Settings;
  /// Whether it makes several choices at once
  static constexpr bool chooses = requires(const Config c) { c.choices; };
  static constexpr int known_features = decltype(Body::features)::known;  ///< rows of body.features, or Dynamic
  static constexpr int known_actions =
      detail::constant_actions<Config>;  ///< Config::actions where it is a constant, or Dynamic
  Body body;
  Linear<S, known_features, known_actions> policy_head;
  Linear<S, known_features> value_head;
  Columns<known_actions> logits;
  Columns<1> value;  ///< empty where there is no learned value
  std::conditional_t<chooses, std::vector<Index>, std::array<Index, 0>> choices;  ///< none of one action at a time
  Axis time, input;
  Index observation;  ///< rows of what is seen

  PolicyNetwork(Scope at, const Config& c)
      : body(at, c),
        policy_head(at / "policy", body.features.rows, logits_of(c), LinearInit::orthogonal(0.01)),
        value_head({}, {}),
        logits(at.columns<known_actions>(logits_of(c))),
        time(at.axis()),
        input(body.input()),
        observation(body.observation()) {
    if constexpr (chooses) choices.assign(c.choices.begin(), c.choices.end());
    if (!c.value) return;
    value_head = Linear<S, known_features>(at / "value", body.features.rows, 1, LinearInit::orthogonal(1));
    value = at.columns<1>();
  }

  /// See past_of.
  Index past() const requires requires(const Body b) { b.past(); }
  { return body.past(); }

  void forward(ParametersView<const S> p, Read<S> x, ActivationsView<S> a) const {
    body.forward(p, x, a);
    heads(p, a);
  }
  void extend(ParametersView<const S> p, Read<S> x, MemoryView<S> m, ActivationsView<S> a) const {
    body.extend(p, x, m, a);
    heads(p, a);
  }
  /// From a.d(logits) and a.d(value).
  void backward(ParametersView<const S> p, Read<S> x, ActivationsView<S> a, ParametersView<S> g, Gradient<S> dx) const {
    policy_head.backward(p, a[body.features], a.d(logits), g, a.d(body.features));
    if (value) value_head.backward(p, a[body.features], a.d(value), g, add_to(a.d(body.features)));
    body.backward(p, x, a, g, dx);
  }

  void graph(Graph& g) const {
    const Node features = body.graph(g, g.input("observation", input, observation));
    g.output("logits", policy_head.graph(g, features), time);
    if (value) g.output("value", value_head.graph(g, features), time);
  }

 private:
  static Index logits_of(const Config& c) {
    if constexpr (chooses)
      return std::accumulate(c.choices.begin(), c.choices.end(), Index(0));
    else
      return c.actions;
  }
  void heads(ParametersView<const S> p, ActivationsView<S> a) const {
    policy_head.forward(p, a[body.features], a[logits]);
    if (value) value_head.forward(p, a[body.features], a[value]);
  }
};

}  // namespace heed
