#pragma once
#include "heed/core/graph.hpp"
#include "heed/core/policy.hpp"

namespace heed {

/// A policy and a value function side by side, which share nothing but what they observe. The policy's own value is not
/// asked for. Both look back equally far.
template <class PolicyNet, class ValueNet>
class WithCritic : public PolicyNet {
 public:
  using S = typename PolicyNet::Scalar;
  struct Config {
    typename PolicyNet::Config actor;  ///< of the policy
    typename ValueNet::Config critic;  ///< of the value
  };
  ValueNet critic;
  Columns<1> value;

  WithCritic(Scope at, const Config& c)
      : PolicyNet(at / "actor", c.actor), critic(at / "critic", c.critic), value(critic.value) {
    if (c.actor.value) detail::fail("WithCritic: the actor is to have no value of its own");
    if (!(critic.input == this->input)) detail::fail("WithCritic: actor and critic observe different axes");
    if (critic.observation != this->observation)
      detail::fail("WithCritic: the actor observes %ld numbers, but the critic %ld", long(this->observation),
                   long(critic.observation));
  }

  void forward(ParametersView<const S> p, Read<S> x, ActivationsView<S> a) const {
    PolicyNet::forward(p, x, a);
    critic.forward(p, x, a);
  }
  void extend(ParametersView<const S> p, Read<S> x, MemoryView<S> m, ActivationsView<S> a) const {
    PolicyNet::extend(p, x, m, a);
    critic.extend(p, x, m, a);
  }
  void backward(ParametersView<const S> p, Read<S> x, ActivationsView<S> a, ParametersView<S> g, Gradient<S> dx) const {
    PolicyNet::backward(p, x, a, g, dx);
    critic.backward(p, x, a, g, dx.part(0, x.rows(), 0, x.cols()));
  }

  void graph(Graph& g) const {
    PolicyNet::graph(g);
    critic.graph(g);
  }
};

}  // namespace heed
