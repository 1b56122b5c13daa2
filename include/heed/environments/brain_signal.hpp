#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

#include "heed/detail/episode.hpp"
#include "heed/rl/environment.hpp"

namespace heed {

/// Naming the rhythm in a noisy signal of many channels, like an EEG: which channels and times to attend to is to be
/// learned.
///
/// Each step shows a new window. In it one of five rhythms, all equally likely, is on some channels, the carriers, for
/// a part of the time:
///
///   0 delta 2 Hz    1 theta 6 Hz    2 alpha 10 Hz    3 beta 20 Hz    4 gamma 40 Hz
///   a sin(2 pi f t + phase), a = amplitude sqrt(10 Hz / f), t from its beginning on; on all carriers the same
///   reward = 1 where the action is its number, else 0
///
/// Carriers, when it begins (with a patch) and phase are drawn for each window; the last `idle` channels never carry.
/// An episode terminates after `windows` steps.
///
/// Besides there are, w being white noise, uniform, of variance 1:
///   - noise of variance 1 on all channels, of a spectrum like 1/f: the sum / sqrt(n) of n processes
///     x' = c x + sqrt(1 - c^2) w, c = exp(-2 pi g / rate), of which g is 1, 2, 4 .. Hz, below rate / 2
///   - with probability `artefacts` a blink on the first `frontal` channels: blink exp(-(t - t0)^2 / (2 (0.1 s)^2))
///   - with probability `artefacts` a burst of a muscle, of 0.25 s, on one channel, any: muscle w
///
/// As configured below, to look for the frequency of the most power on two channels at once, as long as `lasting`,
/// names 99 % of the rhythms, and to look at a channel that does not carry names 20 %, as guessing does.
///
/// What is seen is a token for each segment of time of each channel, channel by channel: the samples of this patch,
/// then a 1 of `channels` for the channel, then a 1 of `segments()` for the segment.
///
/// A state holds what was drawn; the signal is made of it anew at each look. After the last step the last window still
/// stands.
class BrainSignal {
 public:
  static constexpr std::array<double, 5> frequencies{2, 6, 10, 20, 40};  ///< of the rhythms, Hz
  static constexpr Index most_channels = 64;                             ///< how many there may be
  struct Config {
    double rate = 128;       ///< samples a second, Hz; above 80
    Index channels = 8;      ///< of the signal
    Index carriers = 2;      ///< channels that carry the rhythm
    Index frontal = 2;       ///< channels that show blinks: the first
    Index idle = 2;          ///< channels that never carry: the last
    double window = 2;       ///< s
    double patch = 0.25;     ///< s, of a token
    double lasting = 1;      ///< s, of the rhythm
    double amplitude = 1;    ///< of a rhythm of 10 Hz
    double blink = 5;        ///< amplitude of a blink
    double muscle = 2;       ///< standard deviation of a burst
    double artefacts = 0.5;  ///< probability of each, in a window
    Index windows = 1;       ///< in an episode
  };
  struct State {
    std::uint64_t noise;     ///< its seed
    std::uint64_t carriers;  ///< bit c: channel c carries
    Index rhythm, onset;     ///< its first segment
    double phase;            ///< in radians, at the onset
    double blink, muscle;    ///< when, s; far away where there is none
    Index muscle_channel;    ///< which one it disturbs
    Index steps = 0;         ///< taken so far
  };
  using Action = Index;
  Config config;  ///< as it was told

  BrainSignal() : BrainSignal(Config{}) {}
  /// Throws where a setting cannot be.
  explicit BrainSignal(const Config& c)
      : config(checked(c)),
        patch_(whole("patch", c.patch * c.rate)),
        segments_(whole("window", c.window / c.patch)),
        lasting_(whole("lasting", c.lasting / c.patch)) {
    if (lasting_ > segments_) detail::fail("BrainSignal: a rhythm of %g s in a window of %g s", c.lasting, c.window);
  }

  Index actions() const { return Index(frequencies.size()); }
  Index segments() const { return segments_; }  ///< of a window
  Index samples() const { return patch_; }      ///< of a patch: the first rows of a column
  Index observation() const { return patch_ + config.channels + segments_; }
  Index entities(const State&) const { return config.channels * segments_; }
  Index time_limit() const { return config.windows; }

  State reset(Random& random) const { return drawn(random); }

  Outcome step(State& s, Action action) const {
    detail::expect_action("BrainSignal", action, actions());
    detail::expect_going("BrainSignal", s.steps >= config.windows, s.steps);
    const double reward = action == s.rhythm ? 1 : 0;
    const Index steps = s.steps + 1;
    if (steps < config.windows) {
      Random random(s.noise, "next window");
      s = drawn(random);
    }
    s.steps = steps;
    return {.reward = reward, .terminated = steps == config.windows};
  }

  /// Whether the rhythm is in the patch of this column: what attention should find.
  bool carries(const State& s, Index column) const {
    const Index segment = column % segments_;
    return carrier(s, column / segments_) && segment >= s.onset && segment < s.onset + lasting_;
  }

  template <class S>
  void observe(const State& s, Write<S> x) const {
    detail::expect_shape("BrainSignal", "x", x, observation(), entities(s));
    x.setZero();
    for (Index column = 0; column < x.cols(); ++column) {
      x(patch_ + column / segments_, column) = 1;
      x(patch_ + config.channels + column % segments_, column) = 1;
    }
    for (Index channel = 0; channel < config.channels; ++channel) {
      Noise noise(Random(s.noise, std::uint64_t(channel) + 1), config.rate);
      Random burst(s.noise, "muscle");
      for (Index i = 0; i < patch_ * segments_; ++i) {
        const Index column = channel * segments_ + i / patch_;
        const double t = double(i) / config.rate;
        double sample = noise.next();
        if (carries(s, column)) sample += rhythm(s, t);
        if (channel < config.frontal) sample += blink(s, t);
        if (channel == s.muscle_channel) sample += muscle(s, t, white(burst));
        x(i % patch_, column) = S(sample);
      }
    }
  }

 private:
  static constexpr double pi = 3.141592653589793, never = -1e9;
  static constexpr double burst_length = 0.25;  // s, of a muscle

  static Config checked(const Config& c) {
    const char* who = "BrainSignal";
    const auto expect = [&](bool right, const char* what, double is, const char* wanted) {
      if (!right) detail::fail("%s: %s %g, but it must be %s", who, what, is, wanted);
    };
    expect(c.rate > 2 * frequencies.back() && c.rate <= 65536, "rate", c.rate, "above 80 Hz and at most 65536");
    expect(c.channels >= 1 && c.channels <= most_channels, "channels", double(c.channels), "1 to 64");
    expect(c.frontal >= 0 && c.frontal <= c.channels, "frontal", double(c.frontal), "0 to channels");
    expect(c.idle >= 0 && c.idle < c.channels, "idle", double(c.idle), "0 to channels - 1");
    expect(c.carriers >= 1 && c.carriers <= c.channels - c.idle, "carriers", double(c.carriers),
           "1 to channels - idle");
    expect(c.artefacts >= 0 && c.artefacts <= 1, "artefacts", c.artefacts, "in [0, 1]");
    detail::expect_at_least(who, "windows", c.windows, 1);
    return c;
  }
  static Index whole(const char* what, double number) {
    const double rounded = std::round(number);
    if (!(rounded >= 1 && rounded < 1e6 && std::abs(number - rounded) < 1e-9))
      detail::fail("BrainSignal: %s is %g %s, but a whole number of at least 1 is needed", what, number,
                   what[0] == 'p' ? "samples" : "patches");
    return Index(rounded);
  }

  State drawn(Random& random) const {
    State s{};
    s.noise = random.bits();
    s.rhythm = random.below(actions());
    s.onset = random.below(segments_ - lasting_ + 1);
    s.phase = random.uniform(0, 2 * pi);
    // One channel after the other, each with the probability that fills the places that are left.
    Index places = config.carriers, channels = config.channels - config.idle;
    for (Index channel = 0; places > 0; ++channel)
      if (random.below(channels--) < places) {
        s.carriers |= std::uint64_t(1) << channel;
        --places;
      }
    s.blink = random.uniform() < config.artefacts ? random.uniform(0, config.window) : never;
    s.muscle =
        random.uniform() < config.artefacts ? random.uniform(0, std::max(0.0, config.window - burst_length)) : never;
    s.muscle_channel = random.below(config.channels);
    return s;
  }
  static bool carrier(const State& s, Index channel) { return s.carriers >> channel & 1; }
  /// White noise of variance 1.
  static double white(Random& random) { return random.uniform(-std::sqrt(3.0), std::sqrt(3.0)); }

  /// The sum of processes, sample by sample.
  class Noise {
   public:
    Noise(Random random, double rate) : random_(random) {
      for (double g = 1; g < rate / 2; g *= 2, ++n_) {
        keep_[n_] = std::exp(-2 * pi * g / rate);
        renew_[n_] = std::sqrt(1 - keep_[n_] * keep_[n_]);
        x_[n_] = white(random_);
      }
      scale_ = 1 / std::sqrt(double(n_));
    }
    double next() {
      double sum = 0;
      for (std::size_t i = 0; i < n_; ++i) {
        sum += x_[i];
        x_[i] = keep_[i] * x_[i] + renew_[i] * white(random_);
      }
      return scale_ * sum;
    }

   private:
    Random random_;
    std::size_t n_ = 0;
    double scale_ = 1;
    std::array<double, 16> x_, keep_, renew_;  // up to 2^15 Hz
  };

  // The parts of the signal at t, in s from the beginning of the window.
  double rhythm(const State& s, double t) const {
    const double f = frequencies[std::size_t(s.rhythm)], since = t - double(s.onset) * config.patch;
    return config.amplitude * std::sqrt(10 / f) * std::sin(2 * pi * f * since + s.phase);
  }
  double blink(const State& s, double t) const {
    const double z = (t - s.blink) / 0.1;
    return config.blink * std::exp(-z * z / 2);
  }
  double muscle(const State& s, double t, double w) const {
    return t >= s.muscle && t < s.muscle + burst_length ? config.muscle * w : 0;
  }

  Index patch_, segments_, lasting_;
};
static_assert(DiscreteEnvironment<BrainSignal> && EntityEnvironment<BrainSignal>);

}  // namespace heed
