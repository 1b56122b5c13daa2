#pragma once
// Random matrices, and how far two are apart.
#include <cmath>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>
#include "catch.hpp"
#include "heed/core/masks.hpp"
#include "heed/core/memory.hpp"
#include "heed/core/scope.hpp"
#include "heed/layers/activation.hpp"
#include "heed/testing/gradient_check.hpp"

namespace support {

using heed::Axis, heed::Dynamic, heed::Index, heed::Parameters, heed::Scope, heed::Tokens;
using Lengths = std::vector<Index>;

inline Index sum(const Lengths& lengths) {
  Index all = 0;
  for (Index n : lengths) all += n;
  return all;
}

/// Uniform in +-size.
template <class S>
Tokens<S> random(Index rows, Index cols, std::uint64_t seed, double size = 1) {
  heed::Random random(seed);
  Tokens<S> x(rows, cols);
  for (Index i = 0; i < x.size(); ++i) x.data()[i] = S(random.uniform(-size, size));
  return x;
}

/// Numbers of +-size, nothing between.
template <class S>
Tokens<S> saturated(Index rows, Index cols, std::uint64_t seed, double size = 1e4) {
  Tokens<S> x = random<S>(rows, cols, seed);
  for (Index i = 0; i < x.size(); ++i) x.data()[i] = x.data()[i] < 0 ? S(-size) : S(size);
  return x;
}

template <class A, class B>
bool same_bits(const A& a, const B& b) {
  static_assert(std::is_same_v<typename A::Scalar, typename B::Scalar>);
  if (a.rows() != b.rows() || a.cols() != b.cols()) return false;
  for (Index j = 0; j < a.cols(); ++j)
    for (Index i = 0; i < a.rows(); ++i) {
      const auto x = a(i, j), y = b(i, j);
      if (std::memcmp(&x, &y, sizeof x) != 0) return false;
    }
  return true;
}

inline void require_shape(Index rows, Index cols, Index wanted_rows, Index wanted_cols) {
  REQUIRE(rows == wanted_rows);
  REQUIRE(cols == wanted_cols);
}

/// |a - b| / max(1, |b|), in Euclidean norm.
template <class A, class B>
double distance(const A& a, const B& b) {
  require_shape(a.rows(), a.cols(), b.rows(), b.cols());
  double difference = 0, norm = 0;
  for (Index j = 0; j < a.cols(); ++j)
    for (Index i = 0; i < a.rows(); ++i) {
      const double x = double(a(i, j)), y = double(b(i, j));
      difference += (x - y) * (x - y);
      norm += y * y;
    }
  return std::sqrt(difference) / std::max(1.0, std::sqrt(norm));
}
}  // namespace support
