#pragma once
#include "heed/core/policy.hpp"

namespace heed {

/// The one place that owns: a layout, the network built in it, and its parameters.
template <Network Net>
class Agent {
 public:
  using Scalar = typename Net::Scalar;

  Layout layout;              ///< which weights there are, and where
  Axis time = layout.axis();  ///< a sequence an episode, a column a step
  Net net;                    ///< handles
  Parameters<Scalar> p;       ///< weights

  /// Weights start by their initialisers, from the seed.
  explicit Agent(const typename Net::Config& config, std::uint64_t seed = 0)
      : net(Scope(layout, time), config), p(layout, seed) {}

  template <class Fields>
  void fields(Fields& f) {
    for (const Entry& e : layout.entries()) f(e.name, p.flat.data() + e.offset, e.shape);
  }
};

}  // namespace heed
