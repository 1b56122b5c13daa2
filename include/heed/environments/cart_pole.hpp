#pragma once
#include <cmath>

#include "heed/detail/episode.hpp"
#include "heed/rl/environment.hpp"

namespace heed {

/// Balancing a pole on a cart (Barto, Sutton and Anderson 1983), exactly Gymnasium's CartPole-v1.
///
///   temp = (force + m l angular_speed^2 sin(angle)) / M
///   angular acceleration = (g sin(angle) - cos(angle) temp) / (l (4/3 - m cos(angle)^2 / M))
///   acceleration = temp - m l (angular acceleration) cos(angle) / M
///
///   M: cart 1 kg and pole m = 0.1 kg    l = 0.5 m, half the pole's length    g = 9.8 m/s^2    angle: 0 is upright
///   force: -10 N (action 0) or 10 N (action 1), for 0.02 s by explicit Euler: positions use the speeds before the step
///
/// An episode starts with all four numbers uniform in +-0.05, terminates when the cart is further than 2.4 m from the
/// centre or the pole further than 12 degrees from upright, and is truncated at the limit, also where it terminates there.
/// Each step brings a reward of 1, the last included. An action other than 0 and 1 is an error, and so is a step after
/// the end (where Gymnasium warns).
class CartPole {
 public:
  struct State {
    double position, speed;       ///< m, m/s
    double angle, angular_speed;  ///< rad, rad/s
    Index steps = 0;              ///< taken so far
  };
  using Action = Index;

  /// Truncates episodes after `limit` steps; 0: never.
  explicit CartPole(Index limit = 500) : limit_(detail::checked_limit("CartPole", limit)) {}

  Index actions() const { return 2; }
  Index observation() const { return 4; }
  Index time_limit() const { return limit_; }

  State reset(Random& random) const {
    State s;
    s.position = random.uniform(-0.05, 0.05);
    s.speed = random.uniform(-0.05, 0.05);
    s.angle = random.uniform(-0.05, 0.05);
    s.angular_speed = random.uniform(-0.05, 0.05);
    return s;
  }

  Outcome step(State& s, Action action) const {
    detail::expect_action("CartPole", action, 2);
    detail::expect_going("CartPole", fallen(s) || detail::reached(limit_, s.steps), s.steps);
    constexpr double gravity = 9.8, pole = 0.1, total = pole + 1.0, length = 0.5, pole_length = pole * length;
    constexpr double duration = 0.02;
    const double force = action == 1 ? 10.0 : -10.0, cosine = std::cos(s.angle), sine = std::sin(s.angle);
    const double temp = (force + pole_length * (s.angular_speed * s.angular_speed) * sine) / total;
    const double angular_acceleration =
        (gravity * sine - cosine * temp) / (length * (4.0 / 3.0 - pole * (cosine * cosine) / total));
    const double acceleration = temp - pole_length * angular_acceleration * cosine / total;
    s.position += duration * s.speed;
    s.speed += duration * acceleration;
    s.angle += duration * s.angular_speed;
    s.angular_speed += duration * angular_acceleration;
    ++s.steps;
    return {.reward = 1, .terminated = fallen(s), .truncated = detail::reached(limit_, s.steps)};
  }

  /// Position, speed, angle, angular speed.
  template <class S>
  void observe(const State& s, Write<S> x) const {
    detail::expect_shape("CartPole", "x", x, 4, 1);
    x.col(0) << S(s.position), S(s.speed), S(s.angle), S(s.angular_speed);
  }

 private:
  static bool fallen(const State& s) {
    constexpr double limit = 12 * 2 * 3.141592653589793 / 360;
    return s.position < -2.4 || s.position > 2.4 || s.angle < -limit || s.angle > limit;
  }

  Index limit_;
};
static_assert(DiscreteEnvironment<CartPole>);

}  // namespace heed
