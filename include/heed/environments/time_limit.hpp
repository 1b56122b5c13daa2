#pragma once
#include <algorithm>

#include "heed/detail/episode.hpp"
#include "heed/detail/wrapper.hpp"

namespace heed {

/// An environment whose episodes are truncated after `limit` steps, as by Gymnasium's TimeLimit. What the environment
/// itself says of the end stays: an episode that terminates on the last step is both.
template <Environment World>
class TimeLimit : public detail::Wrapper<World> {
 public:
  struct State {
    typename World::State inner;  ///< of the environment within
    Index steps = 0;              ///< taken so far
  };
  using Action = typename World::Action;

  /// Truncates after `limit` steps.
  TimeLimit(const World& world, Index limit) : detail::Wrapper<World>(world), limit_(limit) {
    detail::expect_at_least("TimeLimit", "limit", limit, 1);
  }

  Index time_limit() const {
    const Index inner = this->world_.time_limit();
    return inner > 0 ? std::min(inner, limit_) : limit_;
  }
  Index entities(const State& s) const requires EntityEnvironment<World> { return this->world_.entities(s.inner); }

  void allowed(const State& s, std::span<bool> mask) const requires(masks_actions<World>) {
    this->world_.allowed(s.inner, mask);
  }

  State reset(Random& random) const { return {this->world_.reset(random)}; }

  Outcome step(State& s, const Action& action) const {
    detail::expect_going("TimeLimit", s.steps >= limit_, s.steps);
    Outcome outcome = this->world_.step(s.inner, action);
    ++s.steps;
    outcome.truncated = outcome.truncated || s.steps >= limit_;
    return outcome;
  }

  template <class S>
  void observe(const State& s, Write<S> x) const {
    this->world_.observe(s.inner, x);
  }

 private:
  Index limit_;
};

}  // namespace heed
