#pragma once
// What this machine can do at most, and with what a program was compiled to make use of it.

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <heed/detail/elementwise.hpp>

#include "contender.hpp"

namespace versus {

inline std::string describe_build() {
#ifdef __clang__
  const std::string compiler = "clang++ " __clang_version__;
#else
  const std::string compiler = "g++ " __VERSION__;
#endif
  return compiler + " " + VERSUS_FLAGS + ", Eigen " + std::to_string(EIGEN_WORLD_VERSION) + "." +
         std::to_string(EIGEN_MAJOR_VERSION) + "." + std::to_string(EIGEN_MINOR_VERSION) + " with " +
         Eigen::SimdInstructionSetsInUse();
}

/// Chains of multiply-adds in registers alone, so many side by side: GFLOP/s.
template <int Chains>
double multiply_add_rate() {
  using Packet = heed::detail::Packet<float>;
  volatile float opaque = 0.5f;
  const auto half = Packet::broadcast(opaque), one = Packet::broadcast(2 * opaque);
  constexpr int steps = 10000;
  float kept = 0;
  const double rate = best_rate([&] {
    typename Packet::Type chain[Chains];
    for (auto& c : chain) c = one;
    for (int i = 0; i < steps; ++i)
      for (auto& c : chain) c = Packet::multiply_add(c, half, one);
    for (const auto& c : chain) kept += Packet::sum(c);
  });
  opaque = kept;
  return rate * 2e-9 * steps * Chains * double(Packet::size);
}

/// e^x of 1,024 numbers, which leave room in the first cache, by Eigen's exp or by powers of two as heed's softmax takes them,
/// whichever is faster: elements a nanosecond.
inline double exponential_rate() {
  using R = heed::detail::Register<float>;
  const Eigen::ArrayXf x = Eigen::ArrayXf::LinSpaced(1024, -20, 0);
  Eigen::ArrayXf y(x.size());
  volatile float kept = 0;
  const auto power = [](const R& number) { return heed::detail::power_of_two<float>(number * 1.4426950408889634f); };
  const double eigens = best_rate([&] {
    y = x.exp();
    kept = y[17];
  });
  const double heeds = best_rate([&] {
    heed::detail::elementwise_run(x.size(), y.data(), false, power, x.data());
    kept = y[17];
  });
  return 1e-9 * double(x.size()) * std::max(eigens, heeds);
}

/// "multiply_adds": GFLOP/s    "exponentials": elements a nanosecond
inline std::vector<std::pair<std::string, double>> machine_limits() {
  return {{"multiply_adds",
           std::max({multiply_add_rate<4>(), multiply_add_rate<6>(), multiply_add_rate<8>(), multiply_add_rate<10>(),
                     multiply_add_rate<12>(), multiply_add_rate<14>(), multiply_add_rate<20>()})},
          {"exponentials", exponential_rate()}};
}

}  // namespace versus
