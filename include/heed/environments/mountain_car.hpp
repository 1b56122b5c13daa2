#pragma once
#include <algorithm>
#include <cmath>

#include "heed/detail/episode.hpp"
#include "heed/rl/environment.hpp"

namespace heed {

/// Driving out of a valley with a motor too weak for the slope (Moore 1990), exactly Gymnasium's MountainCar-v0
/// (version 1.4).
///
///   speed' = clip(speed + 0.001 push - 0.0025 cos(3 position), +-0.07)
///   position' = clip(position + speed', -1.2, 0.6)    and at the left end, -1.2, a speed to the left becomes 0
///
///   push: -1, 0 or 1 (action 0, 1, 2: to the left, none, to the right)    positions and speeds have no units: the
///   valley's height is sin(3 position), the speed is by the step
///
/// What is seen is [position, speed]. An episode starts at rest with the position uniform in [-0.6, -0.4], terminates
/// at a position of 0.5 or more with a speed of 0 or more, and is truncated at the limit. Each step brings a reward of
/// -1, the last included.
class MountainCar {
 public:
  struct State {
    double position, speed;  ///< along the valley, and a step
    Index steps = 0;         ///< taken so far
  };
  using Action = Index;

  /// Truncates episodes after `limit` steps; 0: never.
  explicit MountainCar(Index limit = 200) : limit_(detail::checked_limit("MountainCar", limit)) {}

  Index actions() const { return 3; }
  Index observation() const { return 2; }
  Index time_limit() const { return limit_; }

  State reset(Random& random) const { return {random.uniform(-0.6, -0.4), 0}; }

  Outcome step(State& s, Action action) const {
    detail::expect_action("MountainCar", action, 3);
    detail::expect_going("MountainCar", out(s) || detail::reached(limit_, s.steps), s.steps);
    constexpr double left = -1.2, right = 0.6, force = 0.001, gravity = 0.0025, fastest = 0.07;
    const double acceleration = double(action - 1) * force - gravity * std::cos(3 * s.position);
    s.speed = std::clamp(s.speed + acceleration, -fastest, fastest);
    s.position = std::clamp(s.position + s.speed, left, right);
    if (s.position == left && s.speed < 0) s.speed = 0;
    ++s.steps;
    return {.reward = -1, .terminated = out(s), .truncated = detail::reached(limit_, s.steps)};
  }

  template <class S>
  void observe(const State& s, Write<S> x) const {
    detail::expect_shape("MountainCar", "x", x, 2, 1);
    x.col(0) << S(s.position), S(s.speed);
  }

 private:
  static bool out(const State& s) { return s.position >= 0.5 && s.speed >= 0; }

  Index limit_;
};
static_assert(DiscreteEnvironment<MountainCar>);

}  // namespace heed
