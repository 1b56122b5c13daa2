#pragma once
// The same numbers in every program: weights and inputs by their names, and results by theirs.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace versus {

/// A result: an output, a gradient, a weight after a step.
struct Piece {
  std::string name;
  std::vector<float> values;
};

/// Uniform in centre +- scale, from a stream of that name.
inline void fill(float* to, std::size_t size, const std::string& name, double scale, double centre = 0) {
  std::uint64_t state = 14695981039346656037u;  // FNV-1a of the name, then SplitMix64
  for (const char c : name) state = (state ^ std::uint64_t(c)) * 1099511628211u;
  for (std::size_t i = 0; i < size; ++i) {
    std::uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    to[i] = float(centre + scale * (double(z >> 11) * 0x1p-52 - 1));
  }
}

/// What goes into a layer, and the gradient of what comes out of it.
inline void fill_tokens(float* to, std::size_t size, const std::string& name) { fill(to, size, name, 1.7); }

/// A matrix of so many columns, or a vector (no columns); the gains of norms are about 1.
inline void fill_weight(float* to, std::size_t size, const std::string& name, double columns) {
  const bool gain = name.find("norm") != std::string::npos && name.find(".weight") != std::string::npos;
  fill(to, size, name, columns > 0 ? std::sqrt(3 / columns) : 0.1, gain ? 1 : 0);
}

}  // namespace versus
