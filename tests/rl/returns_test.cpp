#include "heed/rl/returns.hpp"

#include <cmath>
#include <vector>

#include "catch.hpp"
#include "heed/core/random.hpp"

using heed::discounted;
using heed::Ends;
using heed::generalised_advantages;
using heed::Index;
using heed::n_step;
using heed::Random;
using heed::Sequences;

namespace {

using Numbers = std::vector<double>;

Numbers some(std::size_t n, std::uint64_t seed) {
  Random random(seed);
  Numbers x(n);
  for (double& xi : x) xi = random.normal();
  return x;
}

/// One sequence, and sums straight from the definitions.
struct Case {
  Numbers rewards, values;
  double following, gamma;

  std::size_t steps() const { return rewards.size(); }
  double value(std::size_t t) const { return t < steps() ? values[t] : following; }
  /// sum over n steps (fewer at the end) of discounted rewards, and the value there.
  double n_step(std::size_t t, std::size_t n) const {
    const std::size_t m = std::min(n, steps() - t);
    double sum = std::pow(gamma, double(m)) * value(t + m);
    for (std::size_t k = 0; k < m; ++k) sum += std::pow(gamma, double(k)) * rewards[t + k];
    return sum;
  }
  /// sum_l (gamma lambda)^l delta_(t+l), eq. 16.
  double advantage(std::size_t t, double lambda) const {
    double sum = 0;
    for (std::size_t l = 0; t + l < steps(); ++l)
      sum += std::pow(gamma * lambda, double(l)) * (rewards[t + l] + gamma * value(t + l + 1) - value(t + l));
    return sum;
  }
  /// (1 - lambda) sum_n lambda^(n-1) (n-step return - V_t), the last standing for all beyond it, eq. 11 to 16.
  double weighted_advantage(std::size_t t, double lambda) const {
    double sum = 0, weight = 1;
    for (std::size_t n = 1; t + n < steps(); ++n, weight *= lambda)
      sum += (1 - lambda) * weight * (n_step(t, n) - values[t]);
    return sum + weight * (n_step(t, steps() - t) - values[t]);
  }
};

}  // namespace

TEST_CASE("returns: by hand") {
  const Numbers rewards{1, 2, 3}, values{10, 20, 30};
  Numbers out(3);
  discounted(rewards, 40, 0.5, out);
  CHECK(out == Numbers{7.75, 13.5, 23});
  discounted(rewards, 0, 0.5, out);
  CHECK(out == Numbers{2.75, 3.5, 3});
  discounted(rewards, 40, 0.5, out, 2);
  CHECK(out == Numbers{10.5, 17, 26});
  n_step(rewards, values, 40, 0.5, 2, out);
  CHECK(out == Numbers{9.5, 13.5, 23});
  n_step(rewards, values, 0, 0.5, 2, out);
  CHECK(out == Numbers{9.5, 3.5, 3});
  generalised_advantages(rewards, values, 40, 0.5, 0.5, out);
  CHECK(out == Numbers{-0.1875, -4.75, -7});
  generalised_advantages(rewards, values, 0, 0.5, 0.5, out);
  CHECK(out == Numbers{-1.4375, -9.75, -27});
}

TEST_CASE("returns: the direct sums of their definitions") {
  const std::size_t steps = GENERATE(0u, 1u, 2u, 17u, 60u);
  const double gamma = GENERATE(0.0, 0.9, 1.0), following = GENERATE(0.0, 1.7);
  CAPTURE(steps, gamma, following);
  const Case c{some(steps, 1), some(steps, 2), following, gamma};
  Numbers out(steps);
  const auto check = [&](auto wanted) {
    for (std::size_t t = 0; t < steps; ++t) CHECK(out[t] == Approx(wanted(t)).epsilon(1e-12).margin(1e-12));
  };
  discounted(c.rewards, following, gamma, out);
  check([&](std::size_t t) { return c.n_step(t, steps); });
  for (const Index n : {1, 2, 5, 1000}) {
    n_step(c.rewards, c.values, following, gamma, n, out);
    check([&](std::size_t t) { return c.n_step(t, std::size_t(n)); });
  }
  for (const double lambda : {0.0, 0.95, 1.0}) {
    generalised_advantages(c.rewards, c.values, following, gamma, lambda, out);
    check([&](std::size_t t) { return c.advantage(t, lambda); });
    check([&](std::size_t t) { return c.weighted_advantage(t, lambda); });
  }
}

TEST_CASE("returns: one kind is another at its ends") {
  const Numbers rewards = some(30, 3), values = some(30, 4);
  Numbers a(30), b(30);
  discounted(rewards, 2, 0.9, a);
  n_step(rewards, values, 2, 0.9, 30, b);
  for (std::size_t t = 0; t < 30; ++t) CHECK(b[t] == Approx(a[t]).epsilon(1e-12).margin(1e-12));
  generalised_advantages(rewards, values, 2, 0.9, 1, b);
  for (std::size_t t = 0; t < 30; ++t) CHECK(b[t] + values[t] == Approx(a[t]).epsilon(1e-12).margin(1e-12));
  n_step(rewards, values, 2, 0.9, 1, a);
  generalised_advantages(rewards, values, 2, 0.9, 0, b);
  for (std::size_t t = 0; t < 30; ++t) CHECK(b[t] == Approx(a[t] - values[t]).epsilon(1e-12).margin(1e-12));
}

TEST_CASE("returns: of several sequences each ends by itself, cut or terminated") {
  const Sequences time{3, 0, 1, 5, 0, 2};
  const std::vector<char> truncated{1, 1, 0, 1, 0, 0};
  const double nan = std::nan("");
  const Numbers last{1.5, 2, nan, -3, nan, nan}, rewards = some(11, 5), values = some(11, 6);
  const Ends ends{truncated, last};
  const double gamma = 0.8, lambda = 0.7;
  Numbers returns(11), few(11), advantages(11);
  discounted(time, rewards, ends, gamma, returns);
  n_step(time, rewards, values, ends, gamma, 2, few);
  generalised_advantages(time, rewards, values, ends, gamma, lambda, advantages);
  for (Index s = 0; s < time.count(); ++s) {
    const std::size_t first = std::size_t(time.first(s)), length = std::size_t(time.length(s));
    const auto part = [&](const Numbers& x) {
      return Numbers(x.begin() + std::ptrdiff_t(first), x.begin() + std::ptrdiff_t(first + length));
    };
    const Case c{part(rewards), part(values), truncated[std::size_t(s)] ? last[std::size_t(s)] : 0, gamma};
    for (std::size_t t = 0; t < length; ++t) {
      CHECK(returns[first + t] == Approx(c.n_step(t, length)).epsilon(1e-12));
      CHECK(few[first + t] == Approx(c.n_step(t, 2)).epsilon(1e-12));
      CHECK(advantages[first + t] == Approx(c.advantage(t, lambda)).epsilon(1e-12));
    }
  }
  Numbers none;
  discounted(Sequences{}, none, {}, gamma, none);
  generalised_advantages(Sequences{0, 0}, none, none, {std::span(truncated).first(2), std::span(last).first(2)}, gamma,
                         lambda, none);
}

TEST_CASE("returns: the result may lie where the rewards do") {
  const Numbers rewards = some(9, 7), values = some(9, 8);
  Numbers apart(9), place = rewards;
  discounted(rewards, 2, 0.9, apart);
  discounted(place, 2, 0.9, place);
  CHECK(place == apart);
  place = rewards;
  n_step(rewards, values, 2, 0.9, 3, apart);
  n_step(place, values, 2, 0.9, 3, place);
  CHECK(place == apart);
  place = rewards;
  generalised_advantages(rewards, values, 2, 0.9, 0.8, apart);
  generalised_advantages(place, values, 2, 0.9, 0.8, place);
  CHECK(place == apart);
}

TEST_CASE("returns: errors") {
  const Numbers three(3), two(2);
  Numbers out(3), small(2);
  CHECK_THROWS_WITH(discounted(three, 0, 1.1, out), ContainsSubstring("discounted: gamma 1.1 is not in [0, 1]"));
  CHECK_THROWS_WITH(discounted(three, 0, std::nan(""), out), ContainsSubstring("gamma nan"));
  CHECK_THROWS_WITH(discounted(three, 0, 1, small), ContainsSubstring("discounted: 3 steps, but 2 numbers for them"));
  CHECK_THROWS_WITH(n_step(three, three, 0, 1, 0, out), ContainsSubstring("n_step: n 0 must be at least 1"));
  CHECK_THROWS_WITH(n_step(three, three, 0, -0.5, 1, out), ContainsSubstring("n_step: gamma -0.5"));
  CHECK_THROWS_WITH(n_step(three, two, 0, 1, 1, out), ContainsSubstring("n_step: 3 steps, but 2 numbers"));
  CHECK_THROWS_WITH(generalised_advantages(three, three, 0, 1, 1.5, out),
                    ContainsSubstring("generalised_advantages: lambda 1.5 is not in [0, 1]"));
  CHECK_THROWS_WITH(generalised_advantages(three, three, 0, 2, 1, out), ContainsSubstring("gamma 2"));
  CHECK_THROWS_WITH(generalised_advantages(three, two, 0, 1, 1, out), ContainsSubstring("3 steps, but 2 numbers"));

  const Sequences time{1, 2};
  const std::vector<char> truncated{1, 0};
  const Ends ends{truncated, two};
  CHECK_NOTHROW(discounted(time, three, ends, 1, out));
  CHECK_THROWS_WITH(discounted(time, two, ends, 1, small), ContainsSubstring("discounted: 3 steps, but 2 numbers"));
  CHECK_THROWS_WITH(n_step(time, three, two, ends, 1, 1, out), ContainsSubstring("n_step: 3 steps, but 2 numbers"));
  CHECK_THROWS_WITH(generalised_advantages(time, three, three, ends, 1, 1, small), ContainsSubstring("3 steps"));
  CHECK_THROWS_WITH(discounted(time, three, {truncated, three}, 1, out),
                    ContainsSubstring("discounted: 2 sequences, but 2 marks of truncation and 3 last values"));
  CHECK_THROWS_WITH(discounted(time, three, {{}, two}, 1, out), ContainsSubstring("0 marks of truncation"));
}
