#include "heed/environments/brain_signal.hpp"

#include <array>
#include <complex>
#include <set>

#include "worlds.hpp"

using namespace support;
using heed::BrainSignal;
using State = BrainSignal::State;

namespace {

const double pi = std::acos(-1.0);

/// What is seen of the signal, a column a channel.
Eigen::MatrixXd signal_of(const BrainSignal& world, const State& s) {
  Eigen::MatrixXd x(world.observation(), world.entities(s));
  world.observe(s, Write<double>(x));
  Eigen::MatrixXd signal(world.samples() * world.segments(), world.config.channels);
  for (Index channel = 0; channel < signal.cols(); ++channel)
    for (Index i = 0; i < signal.rows(); ++i)
      signal(i, channel) = x(i % world.samples(), channel * world.segments() + i / world.samples());
  return signal;
}
/// A state without rhythm and artefacts: what is left is noise.
State quiet(State s) {
  s.carriers = 0;
  s.blink = s.muscle = -1e9;
  return s;
}

/// e^(-2 pi i f t) for the frequency of each rhythm, a column each.
Eigen::MatrixXcd waves(Index samples, double rate) {
  Eigen::MatrixXcd w(samples, 5);
  for (Index k = 0; k < 5; ++k)
    for (Index i = 0; i < samples; ++i)
      w(i, k) = std::polar(1.0, -2 * pi * BrainSignal::frequencies[std::size_t(k)] * double(i) / rate);
  return w;
}
/// |sum_t x_t e^(-2 pi i f t)|^2 / n.
Eigen::RowVectorXd power(const Eigen::VectorXd& x, const Eigen::MatrixXcd& waves) {
  return (x.transpose() * waves).cwiseAbs2() / double(x.size());
}
/// What that is for the noise, in the mean: from its autocovariance, the mean of c^|lag| over the processes.
double expected_power(double f, Index n, double rate) {
  double sum = 0, processes = 0;
  for (double g = 1; g < rate / 2; g *= 2, ++processes)
    for (Index lag = -n + 1; lag < n; ++lag)
      sum += (1 - double(std::abs(lag)) / double(n)) * std::exp(-2 * pi * g / rate * double(std::abs(lag))) *
             std::cos(2 * pi * f / rate * double(lag));
  return sum / processes;
}

/// The rhythm of the most power over that of the noise: of each stretch as long as the rhythm, on the two channels that
/// have most of it, the second above all, since an artefact is not the same on two.
struct Oracle {
  const BrainSignal& world;
  Index lasting = world.samples() * Index(std::lround(world.config.lasting / world.config.patch));
  Eigen::MatrixXcd wave = waves(lasting, world.config.rate);
  Eigen::RowVectorXd noise = Eigen::RowVectorXd::NullaryExpr(
      5, [&](Index k) { return expected_power(BrainSignal::frequencies[std::size_t(k)], lasting, world.config.rate); });

  /// Looks at so many channels, from the first on.
  Index rhythm(const Eigen::MatrixXd& signal, Index first, Index channels) const {
    double most = 0;
    Index best = 0;
    for (Index from = 0; from + lasting <= signal.rows(); from += world.samples()) {
      Eigen::MatrixXd strength(channels, 5);
      for (Index c = 0; c < channels; ++c) {
        Eigen::VectorXd x = signal.col(first + c).segment(from, lasting);
        x.array() -= x.mean();
        strength.row(c) = power(x, wave).cwiseQuotient(noise);
      }
      for (Index k = 0; k < 5; ++k) {
        std::sort(strength.col(k).data(), strength.col(k).data() + channels);
        const double largest = strength(channels - 1, k), second = strength(std::max(channels - 2, Index(0)), k);
        const double score = second + 0.3 * std::min(largest, 2 * second);
        if (score > most) {
          most = score;
          best = k;
        }
      }
    }
    return best;
  }
};

}  // namespace

TEST_CASE("BrainSignal: the rhythm is on the carriers for its time, and nowhere else") {
  const BrainSignal world;
  Random random(1);
  for (Index rhythm = 0; rhythm < 5; ++rhythm) {
    State s = world.reset(random);
    s.rhythm = rhythm;
    s.onset = rhythm % 5;
    s.carriers = 0b100100;
    s.phase = 0.7;
    State without = s;
    without.carriers = 0;
    const Eigen::MatrixXd rhythms = signal_of(world, s) - signal_of(world, without);
    const double f = BrainSignal::frequencies[std::size_t(rhythm)];
    double worst = 0;
    Index wrong = 0;
    for (Index channel = 0; channel < 8; ++channel)
      for (Index i = 0; i < 256; ++i) {
        const Index segment = i / 32;
        const bool on = (channel == 2 || channel == 5) && segment >= s.onset && segment < s.onset + 4;
        wrong += world.carries(s, channel * 8 + segment) != on;
        const double t = double(i - 32 * s.onset) / 128;
        worst = std::max(
            worst, std::abs(rhythms(i, channel) - (on ? std::sqrt(10 / f) * std::sin(2 * pi * f * t + s.phase) : 0)));
      }
    CHECK(worst < 1e-12);
    CHECK(wrong == 0);
  }
}

TEST_CASE("BrainSignal: blinks are on the frontal channels, a burst of a muscle on one") {
  const BrainSignal world({.frontal = 3});
  Random random(1);
  State s = quiet(world.reset(random));
  const Eigen::MatrixXd noise = signal_of(world, s);
  s.blink = 0.5;
  const Eigen::MatrixXd blink = signal_of(world, s) - noise;
  CHECK(blink(64, 0) == Approx(5));
  CHECK(blink(64 + 16, 0) == Approx(5 * std::exp(-0.125 * 0.125 / 0.02)));
  CHECK(blink(64 - 16, 0) == Approx(blink(64 + 16, 0)));
  CHECK((blink.col(1) - blink.col(0)).cwiseAbs().maxCoeff() < 1e-12);
  CHECK((blink.col(2) - blink.col(0)).cwiseAbs().maxCoeff() < 1e-12);
  CHECK(blink.rightCols(5).isZero(0));

  s.blink = -1e9;
  s.muscle_channel = 6;
  s.muscle = 1.125;
  const Eigen::MatrixXd burst = signal_of(world, s) - noise;
  CHECK(burst.leftCols(6).isZero(0));
  CHECK(burst.col(7).isZero(0));
  CHECK(burst.col(6).head(144).isZero(0));
  CHECK(burst.col(6).tail(256 - 176).isZero(0));
  double square = 0;
  for (int i = 0; i < 100; ++i, ++s.noise) {
    const Eigen::VectorXd is = signal_of(world, s).col(6).segment(144, 32);
    State still = s;
    still.muscle = -1e9;
    square += (is - signal_of(world, still).col(6).segment(144, 32)).squaredNorm() / 3200;
  }
  CHECK(square == Approx(4).epsilon(5 * std::sqrt(0.8 / 3200)));
}

TEST_CASE("BrainSignal: the noise has variance 1, a spectrum like 1 over f, and is another on each channel") {
  for (const double rate : {128.0, 256.0}) {
    const BrainSignal world({.rate = rate});
    Random random(1);
    const int rounds = 300;
    const Eigen::MatrixXcd wave = waves(Index(2 * rate), rate);
    Eigen::RowVectorXd mean = Eigen::RowVectorXd::Zero(5);
    double square = 0, across = 0;
    for (int i = 0; i < rounds; ++i) {
      const Eigen::MatrixXd x = signal_of(world, quiet(world.reset(random)));
      for (Index c = 0; c < 8; ++c) mean += power(x.col(c), wave) / (8 * rounds);
      square += x.squaredNorm() / double(x.size()) / rounds;
      across += x.col(0).dot(x.col(1)) / double(x.rows()) / rounds;
    }
    for (Index k = 0; k < 5; ++k) {
      const double f = BrainSignal::frequencies[std::size_t(k)];
      CHECK(mean(k) == Approx(expected_power(f, wave.rows(), rate)).epsilon(5 / std::sqrt(8.0 * rounds)));
      CHECK(f * mean(k) == Approx(10 * mean(2)).epsilon(0.3));
    }
    CHECK(square == Approx(1).epsilon(0.05));
    CHECK(std::abs(across) < 0.1);
  }
}

TEST_CASE("BrainSignal: a token names its channel and its segment") {
  const BrainSignal world({.channels = 3, .carriers = 1, .idle = 1, .window = 1.5, .patch = 0.5, .lasting = 0.5});
  CHECK(world.segments() == 3);
  CHECK(world.samples() == 64);
  CHECK(world.observation() == 64 + 3 + 3);
  Random random(1);
  const State s = world.reset(random);
  CHECK(world.entities(s) == 9);
  Eigen::MatrixXd x(70, 9);
  world.observe(s, Write<double>(x));
  for (Index column = 0; column < 9; ++column) {
    Eigen::VectorXd wanted = Eigen::VectorXd::Zero(6);
    wanted(column / 3) = wanted(3 + column % 3) = 1;
    CHECK(x.col(column).tail(6) == wanted);
  }
}

TEST_CASE("BrainSignal: rhythm, onset, carriers and artefacts are drawn evenly, and idle channels never carry") {
  const BrainSignal world({.carriers = 2, .idle = 3});
  const auto draw = [&](auto what) {
    return [&world, what](Random& random) { return Index(what(world.reset(random))); };
  };
  check_equally_likely(draw([](const State& s) { return s.rhythm; }), 5);
  check_equally_likely(draw([](const State& s) { return s.onset; }), 5);
  check_equally_likely(draw([](const State& s) { return s.muscle_channel; }), 8);
  check_equally_likely(draw([](const State& s) { return s.blink >= 0; }), 2);
  check_equally_likely(draw([](const State& s) { return s.muscle >= 0; }), 2);
  const std::vector<std::uint64_t> pairs{3, 5, 9, 17, 6, 10, 18, 12, 20, 24};  // two of the first five
  check_equally_likely(
      draw([&](const State& s) { return std::find(pairs.begin(), pairs.end(), s.carriers) - pairs.begin(); }), 10);
  check_uniform([&](Random& random) { return world.reset(random).phase; }, 0, 2 * pi);
  const BrainSignal always({.artefacts = 1});
  check_uniform([&](Random& random) { return always.reset(random).blink; }, 0, 2);
  check_uniform([&](Random& random) { return always.reset(random).muscle; }, 0, 1.75);
}

TEST_CASE("BrainSignal: each step asks for a rhythm of a new window") {
  const BrainSignal world({.windows = 40});
  CHECK(world.time_limit() == 40);
  Random random(1);
  State s = world.reset(random);
  std::set<std::vector<double>> windows;
  std::set<Index> rhythms;
  for (Index t = 0; t < 40; ++t) {
    windows.insert(seen(world, s));
    rhythms.insert(s.rhythm);
    const bool right = t % 3 == 0;
    const Outcome outcome = world.step(s, right ? s.rhythm : (s.rhythm + 1) % 5);
    CHECK(outcome.reward == (right ? 1 : 0));
    CHECK(outcome.terminated == (t == 39));
    CHECK_FALSE(outcome.truncated);
  }
  CHECK(windows.size() == 40);
  CHECK(rhythms.size() == 5);
  CHECK(s.steps == 40);
}

TEST_CASE("BrainSignal: what it owes as an environment") {
  check_world("BrainSignal", BrainSignal({.windows = 3}));
  check_world("BrainSignal", BrainSignal());
  check_world("BrainSignal", BrainSignal({.rate = 100,
                                          .channels = 1,
                                          .carriers = 1,
                                          .frontal = 0,
                                          .idle = 0,
                                          .window = 0.5,
                                          .patch = 0.5,
                                          .lasting = 0.5}));
}

TEST_CASE("BrainSignal: power at the frequencies tells the rhythm, but not that of a channel that does not carry it") {
  const BrainSignal world;
  const Oracle oracle{world};
  Random random(1);
  const int rounds = 400;
  double right = 0, carrying = 0, other = 0;
  for (int i = 0; i < rounds; ++i) {
    const State s = world.reset(random);
    const Eigen::MatrixXd signal = signal_of(world, s);
    right += oracle.rhythm(signal, 0, 6) == s.rhythm;
    for (Index channel = 0; channel < 8; ++channel)
      (world.carries(s, channel * 8 + s.onset) ? carrying : other) += oracle.rhythm(signal, channel, 1) == s.rhythm;
  }
  CHECK(right / rounds > 0.97);
  CHECK(carrying / (2 * rounds) > 0.9);
  CHECK(std::abs(other / (6 * rounds) - 0.2) < 5 * std::sqrt(0.16 / rounds));  // by chance
}

TEST_CASE("BrainSignal: errors") {
  const auto make = [](const BrainSignal::Config& c) { return BrainSignal(c); };
  CHECK_THROWS_WITH(make({.rate = 80}), ContainsSubstring("BrainSignal: rate 80, but it must be above 80 Hz"));
  CHECK_THROWS_WITH(make({.channels = 65}), ContainsSubstring("channels 65, but it must be 1 to 64"));
  CHECK_THROWS_WITH(make({.carriers = 7}), ContainsSubstring("carriers 7, but it must be 1 to channels - idle"));
  CHECK_THROWS_WITH(make({.carriers = 0}), ContainsSubstring("carriers 0"));
  CHECK_THROWS_WITH(make({.frontal = 9}), ContainsSubstring("frontal 9, but it must be 0 to channels"));
  CHECK_THROWS_WITH(make({.idle = 8}), ContainsSubstring("idle 8, but it must be 0 to channels - 1"));
  CHECK_THROWS_WITH(make({.artefacts = 1.5}), ContainsSubstring("artefacts 1.5, but it must be in [0, 1]"));
  CHECK_THROWS_WITH(make({.windows = 0}), ContainsSubstring("BrainSignal: windows 0, but at least 1 is needed"));
  CHECK_THROWS_WITH(make({.patch = 0.3}), ContainsSubstring("BrainSignal: patch is 38.4 samples, but a whole number"));
  CHECK_THROWS_WITH(make({.window = 1.1}), ContainsSubstring("window is 4.4 patches, but a whole number"));
  CHECK_THROWS_WITH(make({.lasting = 0}), ContainsSubstring("lasting is 0 patches"));
  CHECK_THROWS_WITH(make({.lasting = 2.25}), ContainsSubstring("BrainSignal: a rhythm of 2.25 s in a window of 2 s"));
}
