#pragma once
#include <algorithm>
#include <array>

#include "heed/detail/episode.hpp"
#include "heed/detail/wrapper.hpp"

namespace heed {

/// An environment that shows its last n observations at once, one below the other, the newest last, as Gymnasium's
/// FrameStackObservation; those before the start of the episode are 0. So a policy without memory sees a little of the past.
///
///   x: n observation x 1
///
/// n: at most `most`, for which a State has room. It keeps the world's own States of those steps, whatever they show.
template <Environment World, Index most = 16>
requires(!EntityEnvironment<World>) class ObservationWindow : public detail::Wrapper<World> {
 public:
  struct State {
    std::array<typename World::State, std::size_t(most)> inner{};  ///< that of step t at t modulo n
    Index steps = 0;                                               ///< taken so far
  };
  using Action = typename World::Action;

  /// Shows the last n observations.
  ObservationWindow(const World& world, Index n) : detail::Wrapper<World>(world), n_(n) {
    detail::expect_at_least("ObservationWindow", "n", n, 1);
    if (n > most)
      detail::fail("ObservationWindow: the last %ld observations, but there is room for %ld", long(n), long(most));
  }

  Index observation() const { return n_ * this->world_.observation(); }
  Index time_limit() const { return this->world_.time_limit(); }

  void allowed(const State& s, std::span<bool> mask) const requires(masks_actions<World>) {
    this->world_.allowed(s.inner[place(s.steps)], mask);
  }

  State reset(Random& random) const {
    State s;
    s.inner[0] = this->world_.reset(random);
    return s;
  }
  Outcome step(State& s, const Action& action) const {
    auto next = s.inner[place(s.steps)];
    const Outcome outcome = this->world_.step(next, action);
    s.inner[place(++s.steps)] = next;
    return outcome;
  }

  template <class S>
  void observe(const State& s, Write<S> x) const {
    detail::expect_shape("ObservationWindow", "x", x, observation(), 1);
    const Index rows = this->world_.observation(), seen = std::min(s.steps + 1, n_);
    x.topRows((n_ - seen) * rows).setZero();
    for (Index back = 0; back < seen; ++back)
      this->world_.observe(s.inner[place(s.steps - back)], Write<S>(x.middleRows((n_ - 1 - back) * rows, rows)));
  }

 private:
  std::size_t place(Index step) const { return std::size_t(step % n_); }

  Index n_;
};

}  // namespace heed
