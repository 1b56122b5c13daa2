#include "heed/rl/reward_normaliser.hpp"

#include <vector>

#include "catch.hpp"
#include "heed/core/random.hpp"

using heed::Random;
using heed::RewardNormaliser;

namespace {

using Numbers = std::vector<double>;

Numbers some(std::size_t n, std::uint64_t seed) {
  Random random(seed);
  Numbers x(n);
  for (double& xi : x) xi = 100 * random.normal() + 20;
  return x;
}

/// The variance of all the running returns of some episodes, from direct sums.
double direct(const std::vector<Numbers>& episodes, double gamma) {
  std::vector<long double> returns;
  for (const Numbers& rewards : episodes)
    for (std::size_t t = 0; t < rewards.size(); ++t) {
      long double sum = 0;
      for (std::size_t u = 0; u <= t; ++u) sum += std::pow((long double)gamma, (long double)(t - u)) * rewards[u];
      returns.push_back(sum);
    }
  long double mean = 0, squares = 0;
  for (const long double r : returns) mean += r / (long double)returns.size();
  for (const long double r : returns) squares += (r - mean) * (r - mean);
  return double(squares / (long double)returns.size());
}

}  // namespace

TEST_CASE("RewardNormaliser: by the deviation of the running discounted return") {
  const double gamma = GENERATE(0.0, 0.9, 1.0);
  const std::vector<Numbers> episodes{some(40, 1), some(1, 2), {}, some(80, 3)};
  RewardNormaliser n(gamma);
  for (const Numbers& rewards : episodes) n.update(rewards);
  CHECK(n.returns.count() == 121);
  const double variance = direct(episodes, gamma);
  CHECK(n.returns.variance(0) == Approx(variance).epsilon(1e-10));
  CHECK(n.normalise(30) == Approx(30 / std::sqrt(variance + 1e-8)).epsilon(1e-10));
  CHECK(n.normalise(-30) == -n.normalise(30));
  CHECK(n.normalise(1e9) == 10);
  CHECK(n.normalise(-1e9) == -10);
  CHECK(n.normalise(0) == 0);
}

TEST_CASE("RewardNormaliser: an episode may come in pieces") {
  const Numbers rewards = some(30, 4);
  RewardNormaliser whole(0.9), pieces(0.9);
  const double end = whole.update(rewards);
  double running = 0;
  for (const std::size_t first : {0u, 10u, 20u})
    running = pieces.update(std::span(rewards).subspan(first, 10), running);
  CHECK(running == end);
  CHECK(pieces.returns.state == whole.returns.state);
}

TEST_CASE("RewardNormaliser: rewards that are always 0 or always the same") {
  RewardNormaliser n(0.0);
  CHECK(n.normalise(3) == Approx(3));
  n.update(Numbers(20, 0));
  CHECK(n.normalise(0) == 0);
  RewardNormaliser same(0.0);
  same.update(Numbers(20, 1));
  CHECK(same.normalise(1) == 10);
  CHECK(same.returns.variance(0) < 1e-20);
}

TEST_CASE("RewardNormaliser: frozen it learns nothing, and goes on to add up") {
  const Numbers rewards = some(10, 5);
  RewardNormaliser n(0.5), free(0.5);
  n.update(rewards);
  const Eigen::VectorXd saved = n.returns.state;
  n.returns.frozen = true;
  CHECK(n.update(rewards, 3) == free.update(rewards, 3));
  CHECK(n.returns.state == saved);
}

TEST_CASE("RewardNormaliser: errors") {
  for (const double gamma : {-0.1, 1.1, std::nan("")})
    CHECK_THROWS_WITH(RewardNormaliser(gamma), ContainsSubstring("RewardNormaliser: gamma"));
  RewardNormaliser n(0.9);
  CHECK_THROWS_WITH(n.update(Numbers{std::nan("")}), ContainsSubstring("not finite"));
  CHECK(n.returns.count() == 0);
}
