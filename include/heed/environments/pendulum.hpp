#pragma once
#include <algorithm>
#include <cmath>
#include <numbers>

#include "heed/detail/episode.hpp"
#include "heed/rl/environment.hpp"

namespace heed {

/// Swinging a pendulum up with a motor too weak to lift it at once, exactly Gymnasium's Pendulum-v1 (version 1.4).
///
///   speed' = clip(speed + (3 g / (2 l) sin(angle) + 3 / (m l^2) torque) 0.05 s, +-8 rad/s)
///   angle' = angle + speed' 0.05 s
///   reward = -(wrapped(angle)^2 + 0.1 speed^2 + 0.001 torque^2), of the angle and the speed before the step
///
///   m = 1 kg    l = 1 m    g = 10 m/s^2    angle: 0 is upright, and it counts turns
///   wrapped: to +-pi
///
/// What is seen is [cos(angle), sin(angle), speed]. An action is a torque in N m, clipped to +-2; what is not a number
/// is an error. An episode starts with the angle uniform in +-pi and the speed in +-1, never terminates, and is
/// truncated at the limit.
class Pendulum {
 public:
  struct State {
    double angle, speed;  ///< rad, rad/s
    Index steps = 0;      ///< taken so far
  };
  using Action = Eigen::Matrix<double, 1, 1>;

  /// Truncates episodes after `limit` steps; 0: never.
  explicit Pendulum(Index limit = 200) : limit_(detail::checked_limit("Pendulum", limit)) {}

  Action low() const { return Action::Constant(-2.0); }
  Action high() const { return Action::Constant(2.0); }
  Index observation() const { return 3; }
  Index time_limit() const { return limit_; }

  State reset(Random& random) const {
    State s;
    s.angle = random.uniform(-std::numbers::pi, std::numbers::pi);
    s.speed = random.uniform(-1, 1);
    return s;
  }

  Outcome step(State& s, const Action& action) const {
    if (std::isnan(action[0])) [[unlikely]]
      detail::fail("Pendulum: the torque at step %ld is not a number", long(s.steps));
    detail::expect_going("Pendulum", detail::reached(limit_, s.steps), s.steps);
    constexpr double gravity = 10, mass = 1, length = 1, duration = 0.05, fastest = 8;
    const double torque = std::clamp(action[0], -2.0, 2.0), angle = std::remainder(s.angle, 2 * std::numbers::pi);
    const double cost = angle * angle + 0.1 * (s.speed * s.speed) + 0.001 * (torque * torque);
    const double acceleration = 3 * gravity / (2 * length) * std::sin(s.angle) + 3 / (mass * length * length) * torque;
    s.speed = std::clamp(s.speed + acceleration * duration, -fastest, fastest);
    s.angle += s.speed * duration;
    ++s.steps;
    return {.reward = -cost, .truncated = detail::reached(limit_, s.steps)};
  }

  template <class S>
  void observe(const State& s, Write<S> x) const {
    detail::expect_shape("Pendulum", "x", x, 3, 1);
    x.col(0) << S(std::cos(s.angle)), S(std::sin(s.angle)), S(s.speed);
  }

 private:
  Index limit_;
};
static_assert(ContinuousEnvironment<Pendulum>);

}  // namespace heed
