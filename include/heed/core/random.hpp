#pragma once
#include <cmath>
#include <cstdint>
#include <string_view>

#include "heed/core/tokens.hpp"

namespace heed {

/// A stream of random numbers, the same on every platform (but for the last bit of libm's log and cos in `normal`).
/// SplitMix64 (Steele, Lea and Flood 2014): the n-th number is a hash of seed + n * golden ratio, so the whole state is
/// one word and a stream is keyed by hashing a name into its seed.
class Random {
 public:
  /// A stream of its own for each seed and name.
  explicit Random(std::uint64_t seed, std::string_view stream = {}) : Random(seed, key(stream)) {}
  /// A stream of its own for each seed and key.
  Random(std::uint64_t seed, std::uint64_t stream) : state_(mix(seed ^ stream)) {}
  /// The key of a named stream (FNV-1a).
  static std::uint64_t key(std::string_view stream) {
    std::uint64_t h = 0xcbf29ce484222325u;
    for (char c : stream) h = (h ^ std::uint8_t(c)) * 0x100000001b3u;
    return h;
  }

  /// 64 bits.
  std::uint64_t bits() { return mix(state_ += golden); }
  /// The n-th number to come, in any order and without moving on: what dropout draws again on the way back.
  std::uint64_t bits_at(std::uint64_t n) const { return mix(state_ + (n + 1) * golden); }
  /// As bits_at, in [0, 1).
  double uniform_at(std::uint64_t n) const { return double(bits_at(n) >> 11) * 0x1p-53; }
  /// In [0, 1), 53 bits.
  double uniform() { return double(bits() >> 11) * 0x1p-53; }
  /// In [low, high).
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  /// An integer in [0, n), n >= 1, without bias (by rejection).
  Index below(Index n) {
    const std::uint64_t range = std::uint64_t(n), reject = (0 - range) % range;
    std::uint64_t b = bits();
    while (b < reject) b = bits();
    return Index(b % range);
  }
  /// Standard normal (Box and Muller 1958).
  double normal() {
    const double radius = std::sqrt(-2 * std::log(1 - uniform()));
    return radius * std::cos(6.283185307179586 * uniform());
  }

  template <class Fields>
  void fields(Fields& f) {
    f("state", state_);
  }

 private:
  static constexpr std::uint64_t golden = 0x9e3779b97f4a7c15u;
  static std::uint64_t mix(std::uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  std::uint64_t state_;
};

}  // namespace heed
