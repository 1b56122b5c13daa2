#pragma once
// What tests of environments share: recorded episodes, and what every environment owes.
#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "../catch.hpp"
#include "heed/rl/environment.hpp"

namespace support {

using heed::Index;
using heed::Outcome;
using heed::Random;
using heed::Write;

/// A line of a file of numbers by the names of its first line. An empty field is NaN.
using Row = std::map<std::string, double>;
using Rows = std::vector<Row>;

inline std::vector<std::string> fields(const std::string& line) {
  std::vector<std::string> all(1);
  for (char c : line)
    if (c == ',')
      all.emplace_back();
    else if (c != '\r')
      all.back() += c;
  return all;
}

inline Rows recorded(const std::string& name) {
  std::ifstream file(HEED_TEST_DATA "/" + name);
  REQUIRE(file.good());
  std::string line;
  std::getline(file, line);
  const auto names = fields(line);
  Rows rows;
  while (std::getline(file, line)) {
    const auto numbers = fields(line);
    REQUIRE(numbers.size() == names.size());
    Row& row = rows.emplace_back();
    for (std::size_t i = 0; i < names.size(); ++i)
      row[names[i]] = numbers[i].empty() ? std::nan("") : std::stod(numbers[i]);
  }
  return rows;
}

/// The rows by episodes, each beginning with step 0.
inline std::vector<Rows> episodes(const Rows& rows) {
  std::vector<Rows> all;
  for (const Row& row : rows) {
    if (row.at("step") == 0) all.emplace_back();
    all.back().push_back(row);
  }
  return all;
}

/// The numbers called prefix0, prefix1 and so on.
inline std::vector<double> series(const Row& row, const std::string& prefix) {
  std::vector<double> all;
  for (auto at = row.find(prefix + "0"); at != row.end(); at = row.find(prefix + std::to_string(all.size())))
    all.push_back(at->second);
  return all;
}

template <class World>
typename World::Action action_of(const Row& row) {
  if constexpr (heed::DiscreteEnvironment<World>)
    return Index(row.at("action"));
  else
    return World::Action::Constant(row.at("action"));
}

/// What is seen, in single precision.
template <class World>
std::vector<double> seen(const World& world, const typename World::State& state) {
  Eigen::MatrixXf x(world.observation(), heed::columns_of(world, state));
  world.observe(state, Write<float>(x));
  return {x.data(), x.data() + x.size()};
}

inline double difference(const std::vector<double>& a, const std::vector<double>& b) {
  REQUIRE(a.size() == b.size());
  double worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i) worst = std::max(worst, std::abs(a[i] - b[i]));
  return worst;
}

/// How a Gymnasium environment was met: the state of a row is state_of(its numbers, the steps taken), and back again
/// numbers_of(state).
struct Replay {
  Index rows = 0, terminated = 0, truncated = 0;
  Index wrong = 0;              // ends and observations, to the last bit, that were not the recorded ones
  double step = 0, reward = 0;  // the largest differences after one step
  double played = 0;            // and of states played through, in the first steps of each episode
};
template <class World>
Replay replay(const World& world, const Rows& rows, Index steps, auto state_of, auto numbers_of) {
  Replay found;
  typename World::State playing{};
  for (const Row& row : rows) {
    const Index t = Index(row.at("step"));
    auto state = state_of(series(row, "s"), t);
    if (t == 0) playing = state;
    const Outcome outcome = world.step(state, action_of<World>(row));
    found.step = std::max(found.step, difference(numbers_of(state), series(row, "n")));
    found.reward = std::max(found.reward, std::abs(outcome.reward - row.at("reward")));
    found.wrong += outcome.terminated != (row.at("terminated") != 0) || outcome.truncated != (row.at("truncated") != 0);
    found.wrong += state.steps != t + 1;
    found.wrong += seen(world, state_of(series(row, "n"), t + 1)) != series(row, "o");
    found.terminated += outcome.terminated;
    found.truncated += outcome.truncated;
    ++found.rows;
    if (t < steps) {
      world.step(playing, action_of<World>(row));
      found.played = std::max(found.played, difference(numbers_of(playing), series(row, "n")));
    }
  }
  return found;
}

/// Plays a recorded episode through: each row is what is seen, the action then taken, and what that brought; the last
/// is what is seen at the end. wanted(row): what is seen.
template <class World>
void check_episode(const World& world, typename World::State state, const Rows& rows, auto wanted) {
  Index wrong = 0;
  for (const Row& row : rows) {
    wrong += seen(world, state) != wanted(row);
    if (std::isnan(row.at("action"))) break;
    const Outcome outcome = world.step(state, action_of<World>(row));
    wrong += outcome.reward != row.at("reward") || outcome.terminated != (row.at("terminated") != 0);
    wrong += outcome.truncated != (row.contains("truncated") && row.at("truncated") != 0);
  }
  CHECK(wrong == 0);
  CHECK(state.steps == Index(rows.size()) - 1);
  CHECK(std::isnan(rows.back().at("action")));
  CHECK_THROWS_WITH(world.step(state, 0), ContainsSubstring("must be reset"));
}

/// What steps with these actions bring, in sum and at last.
struct Played {
  double reward = 0;
  Outcome last;
};
template <class World>
Played play(const World& world, typename World::State& state, const std::vector<typename World::Action>& actions) {
  Played played;
  for (const auto& action : actions) {
    CHECK_FALSE(played.last.over());
    played.last = world.step(state, action);
    played.reward += played.last.reward;
  }
  return played;
}

/// Drawn from all that are allowed.
template <class World>
typename World::Action any_action(const World& world, Random& random) {
  if constexpr (heed::DiscreteEnvironment<World>) {
    return random.below(world.actions());
  } else {
    const typename World::Action low = world.low(), high = world.high();
    return low.unaryExpr([&](double) { return random.uniform(); }).cwiseProduct(high - low) + low;
  }
}

template <class World>
void check_observation(const std::string& name, const World& world, const typename World::State& state) {
  const Index rows = world.observation(), cols = heed::columns_of(world, state);
  Eigen::MatrixXd x = Eigen::MatrixXd::Constant(rows, cols + 2, 7), wide(rows, cols + 1), high(rows + 1, cols);
  world.observe(state, Write<double>(x.middleCols(1, cols)));
  CHECK((x.col(0).array() == 7).all());
  CHECK((x.col(cols + 1).array() == 7).all());
  const std::vector<double> single = seen(world, state);
  Index wrong = 0;
  for (Index i = 0; i < rows * cols; ++i) wrong += double(float(x(i % rows, 1 + i / rows))) != single[std::size_t(i)];
  CHECK(wrong == 0);
  CHECK_THROWS_WITH(world.observe(state, Write<double>(wide)), ContainsSubstring(name + ": x is "));
  CHECK_THROWS_WITH(world.observe(state, Write<double>(high)), ContainsSubstring(name + ": x is "));
}

/// Random episodes: the same random numbers bring the same, others another; each ends in time, is truncated at the
/// limit only, and cannot go on; actions that are not there and blocks of another shape are errors. No outcome is
/// anything but finite.
template <class World>
void check_world(const std::string& name, const World& world, Index rounds = 20) {
  Random random(1), same(1), actions(2);
  std::vector<std::vector<double>> starts;
  for (Index round = 0; round < rounds; ++round) {
    auto state = world.reset(random), twin = world.reset(same);
    starts.push_back(seen(world, state));
    check_observation(name, world, state);
    if constexpr (heed::DiscreteEnvironment<World>) {
      CHECK_THROWS_WITH(world.step(state, -1), ContainsSubstring(name + ": action -1 is not one of 0 to "));
      CHECK_THROWS_WITH(world.step(state, world.actions()),
                        ContainsSubstring("action " + std::to_string(world.actions()) + " is not one of 0 to "));
    }
    Outcome outcome;
    Index steps = 0, wrong = 0;
    while (!outcome.over() && steps < 2000) {
      const auto action = any_action(world, actions);
      outcome = world.step(state, action);
      const Outcome again = world.step(twin, action);
      wrong += outcome.reward != again.reward || outcome.over() != again.over() || !std::isfinite(outcome.reward);
      wrong += seen(world, state) != seen(world, twin);
      ++steps;
      if (!outcome.terminated) wrong += outcome.truncated != (world.time_limit() > 0 && steps == world.time_limit());
    }
    CHECK(wrong == 0);
    CHECK(outcome.over());
    CHECK(steps <= world.time_limit());
    check_observation(name, world, state);
    CHECK_THROWS_WITH(
        world.step(state, any_action(world, actions)),
        ContainsSubstring(name + ": the episode is over after " + std::to_string(steps) + " steps and must be reset"));
  }
  CHECK(std::count(starts.begin(), starts.end(), starts[0]) < rounds);
}

/// Numbers of `draw(random)` fill [low, high) evenly: their ends, mean and mean square, each within five standard
/// errors.
void check_uniform(auto draw, double low, double high) {
  Random random(1);
  const int n = 5000;
  const double middle = (low + high) / 2, half = (high - low) / 2;
  double least = high, most = low, mean = 0, square = 0;
  for (int i = 0; i < n; ++i) {
    const double x = draw(random);
    least = std::min(least, x);
    most = std::max(most, x);
    mean += (x - middle) / n;
    square += (x - middle) * (x - middle) / n;
  }
  CHECK((least >= low && least < low + half / 250));
  CHECK((most < high && most > high - half / 250));
  CHECK(std::abs(mean) < 5 * half / std::sqrt(3.0 * n));
  CHECK(square == Approx(half * half / 3).epsilon(5 * std::sqrt(0.8 / n)));
}

/// `draw(random)` takes the values 0 to n - 1 equally often, within five standard errors.
void check_equally_likely(auto draw, Index n) {
  Random random(1);
  const int draws = 6000;
  std::vector<int> times(std::size_t(n), 0);
  for (int i = 0; i < draws; ++i) {
    const Index value = draw(random);
    REQUIRE((value >= 0 && value < n));
    ++times[std::size_t(value)];
  }
  const double p = 1 / double(n);
  for (int count : times) CHECK(std::abs(count - draws * p) < 5 * std::sqrt(draws * p * (1 - p)));
}

}  // namespace support
