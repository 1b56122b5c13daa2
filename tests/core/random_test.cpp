#include "heed/core/random.hpp"

#include <vector>

#include "catch.hpp"

using heed::Index;
using heed::Random;

namespace {

/// The sum of (observed - expected)^2 / expected over equally probable cells; its mean is cells - 1, its variance twice
/// that.
double chi_square(const std::vector<int>& counts) {
  double total = 0, sum = 0;
  for (int n : counts) total += n;
  const double expected = total / double(counts.size());
  for (int n : counts) sum += (n - expected) * (n - expected) / expected;
  return sum;
}
double five_sigma(double cells) { return cells - 1 + 5 * std::sqrt(2 * (cells - 1)); }

}  // namespace

TEST_CASE("Random is SplitMix64: the published numbers from state 0") {
  Random random(0xcbf29ce484222325u);  // the hash of no stream at all, so that the state starts at mix(0) = 0
  CHECK(random.bits() == 0xe220a8397b1dcdafu);
  CHECK(random.bits() == 0x6e789e6aa1b965f4u);
  CHECK(random.bits() == 0x06c45d188009454fu);
}

TEST_CASE("Random is eight bytes, and a copy goes on alike") {
  static_assert(std::is_trivially_copyable_v<Random>);
  static_assert(sizeof(Random) == 8);
  Random random(7, "stream");
  random.bits();
  Random copy = random;
  for (int i = 0; i < 10; ++i) CHECK(copy.bits() == random.bits());
}

TEST_CASE("Random: seeds and stream names give different streams") {
  std::vector<Random> randoms;
  for (std::uint64_t seed : {0u, 1u, 2u, 3u})
    for (const char* name : {"", "a", "b", "layers.0.weight", "layers.1.weight"}) randoms.emplace_back(seed, name);
  std::vector<std::uint64_t> first;
  for (Random r : randoms) first.push_back(r.bits());
  std::sort(first.begin(), first.end());
  CHECK(std::adjacent_find(first.begin(), first.end()) == first.end());

  // Neighbouring seeds are uncorrelated.
  const int n = 20000;
  Random a(1), b(2);
  double sum = 0;
  for (int i = 0; i < n; ++i) sum += (a.uniform() - 0.5) * (b.uniform() - 0.5);
  CHECK(std::abs(sum / n) < 5 * (1.0 / 12) / std::sqrt(n));
}

TEST_CASE("Random: uniform numbers fill the interval from 0 to 1 evenly") {
  Random random(1);
  std::vector<int> counts(100), pairs(100);
  double before = random.uniform();
  for (int i = 0; i < 100000; ++i) {
    const double u = random.uniform();
    REQUIRE((u >= 0 && u < 1));
    ++counts[std::size_t(u * 100)];
    ++pairs[std::size_t(u * 10) * 10 + std::size_t(before * 10)];
    before = u;
  }
  CHECK(chi_square(counts) < five_sigma(100));
  CHECK(chi_square(pairs) < five_sigma(100));
}

TEST_CASE("Random: uniform numbers of an interval stay in it and reach its ends") {
  Random random(2);
  double low = 1e9, high = -1e9;
  for (int i = 0; i < 10000; ++i) {
    const double u = random.uniform(-3, 5);
    low = std::min(low, u);
    high = std::max(high, u);
  }
  CHECK((low >= -3 && low < -2.98));
  CHECK((high < 5 && high > 4.98));
}

TEST_CASE("Random: below is even, also where 2^64 is far from a multiple") {
  Random random(3);
  CHECK(random.below(1) == 0);
  std::vector<int> counts(7);
  for (int i = 0; i < 70000; ++i) {
    const Index n = random.below(7);
    REQUIRE((n >= 0 && n < 7));
    ++counts[std::size_t(n)];
  }
  CHECK(chi_square(counts) < five_sigma(7));

  // A plain remainder would put 3/4 of them below 2^62.
  const Index range = 3 * (Index(1) << 61);
  int low = 0;
  const int n = 20000;
  for (int i = 0; i < n; ++i) {
    const Index k = random.below(range);
    REQUIRE((k >= 0 && k < range));
    low += k < Index(1) << 62;
  }
  CHECK(std::abs(double(low) / n - 2.0 / 3) < 5 * std::sqrt(2.0 / 9 / n));
}

TEST_CASE("Random: the moments of normal numbers") {
  Random random(4);
  const int n = 200000;
  double moment[5] = {};
  for (int i = 0; i < n; ++i) {
    const double z = random.normal();
    REQUIRE(std::isfinite(z));
    for (int k = 1; k <= 4; ++k) moment[k] += std::pow(z, k) / n;
  }
  // Five standard deviations: the variances of z, z^2, z^3, z^4 are 1, 2, 15, 96.
  CHECK(std::abs(moment[1]) < 5 * std::sqrt(1.0 / n));
  CHECK(std::abs(moment[2] - 1) < 5 * std::sqrt(2.0 / n));
  CHECK(std::abs(moment[3]) < 5 * std::sqrt(15.0 / n));
  CHECK(std::abs(moment[4] - 3) < 5 * std::sqrt(96.0 / n));
}
