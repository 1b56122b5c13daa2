#pragma once
#include <algorithm>
#include <cmath>
#include <numbers>

#include "heed/detail/episode.hpp"
#include "heed/rl/environment.hpp"

namespace heed {

/// Swinging the tip of two hanging links up with a motor between them (Sutton 1996), exactly Gymnasium's Acrobot-v1
/// (version 1.4), whose dynamics are those of the book (Sutton and Barto 1998, sec. 11.3).
///
///   d_1 = 7/2 + cos(b)    d_2 = 5/4 + cos(b) / 2
///   phi_2 = g/2 sin(a + b)    phi_1 = -b'^2 sin(b) / 2 - a' b' sin(b) + 3/2 g sin(a) + phi_2
///   b'' = (torque + d_2/d_1 phi_1 - a'^2 sin(b) / 2 - phi_2) / (5/4 - d_2^2 / d_1)
///   a'' = -(d_2 b'' + phi_1) / d_1
///
///   a: angle of the first link, 0 hangs down    b: of the second against the first    g = 9.8 m/s^2
///   each link: 1 kg, 1 m long, its centre of mass in the middle, its moment of inertia 1 kg m^2
///   torque: -1, 0 or 1 N m (action 0, 1, 2), for 0.2 s by one step of the classic fourth-order Runge-Kutta method;
///   then angles are wrapped to +-pi and speeds clipped, a' to +-4 pi rad/s and b' to +-9 pi rad/s
///
/// What is seen is [cos(a), sin(a), cos(b), sin(b), a', b']. An episode starts with all four numbers uniform in +-0.1,
/// terminates when the tip is more than 1 m above the hinge, -cos(a) - cos(a + b) > 1, and is truncated at the limit.
/// Each step brings a reward of -1, and 0 where it terminates.
class Acrobot {
 public:
  struct State {
    double angle, bend;                ///< a and b, rad
    double angular_speed, bend_speed;  ///< rad/s
    Index steps = 0;                   ///< taken so far
  };
  using Action = Index;

  /// Truncates episodes after `limit` steps; 0: never.
  explicit Acrobot(Index limit = 500) : limit_(detail::checked_limit("Acrobot", limit)) {}

  Index actions() const { return 3; }
  Index observation() const { return 6; }
  Index time_limit() const { return limit_; }

  State reset(Random& random) const {
    State s;
    s.angle = random.uniform(-0.1, 0.1);
    s.bend = random.uniform(-0.1, 0.1);
    s.angular_speed = random.uniform(-0.1, 0.1);
    s.bend_speed = random.uniform(-0.1, 0.1);
    return s;
  }

  Outcome step(State& s, Action action) const {
    detail::expect_action("Acrobot", action, 3);
    detail::expect_going("Acrobot", up(s) || detail::reached(limit_, s.steps), s.steps);
    constexpr double pi = std::numbers::pi, h = 0.2;
    const double torque = double(action - 1);
    const Numbers now(s.angle, s.bend, s.angular_speed, s.bend_speed);
    const Numbers k1 = slope(now, torque), k2 = slope(now + h / 2 * k1, torque), k3 = slope(now + h / 2 * k2, torque),
                  k4 = slope(now + h * k3, torque);
    const Numbers next = now + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4);
    s.angle = std::remainder(next[0], 2 * pi);
    s.bend = std::remainder(next[1], 2 * pi);
    s.angular_speed = std::clamp(next[2], -4 * pi, 4 * pi);
    s.bend_speed = std::clamp(next[3], -9 * pi, 9 * pi);
    ++s.steps;
    return {.reward = up(s) ? 0.0 : -1.0, .terminated = up(s), .truncated = detail::reached(limit_, s.steps)};
  }

  template <class S>
  void observe(const State& s, Write<S> x) const {
    detail::expect_shape("Acrobot", "x", x, 6, 1);
    x.col(0) << S(std::cos(s.angle)), S(std::sin(s.angle)), S(std::cos(s.bend)), S(std::sin(s.bend)),
        S(s.angular_speed), S(s.bend_speed);
  }

 private:
  using Numbers = Eigen::Vector4d;  // a, b, a', b'

  /// a', b', a'', b''.
  static Numbers slope(const Numbers& s, double torque) {
    constexpr double gravity = 9.8;
    const double a = s[0], b = s[1], a_speed = s[2], b_speed = s[3], cosine = std::cos(b), sine = std::sin(b);
    const double d1 = 3.5 + cosine, d2 = 1.25 + 0.5 * cosine;
    const double phi2 = 0.5 * gravity * std::sin(a + b);
    const double phi1 =
        -0.5 * (b_speed * b_speed) * sine - a_speed * b_speed * sine + 1.5 * gravity * std::sin(a) + phi2;
    const double b_acceleration =
        (torque + d2 / d1 * phi1 - 0.5 * (a_speed * a_speed) * sine - phi2) / (1.25 - d2 * d2 / d1);
    return {a_speed, b_speed, -(d2 * b_acceleration + phi1) / d1, b_acceleration};
  }
  static bool up(const State& s) { return -std::cos(s.angle) - std::cos(s.angle + s.bend) > 1; }

  Index limit_;
};
static_assert(DiscreteEnvironment<Acrobot>);

}  // namespace heed
