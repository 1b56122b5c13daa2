#pragma once
#include <algorithm>
#include <cmath>

#include "heed/core/random.hpp"
#include "heed/detail/sinusoid.hpp"

namespace heed {

/// How a weight gets its first values: `fill` writes rows x cols numbers, row-major. `rows` is what PyTorch calls fan_out,
/// `cols` fan_in. Any function will do; those of the literature follow, by kind: a program that never fills has none of them.
class Initialiser {
 public:
  /// Writes the values of a weight with so many rows and columns.
  using Function = void (*)(double* w, Index rows, Index cols, double parameter, Random& random);
  /// Which; `function` is one's own.
  enum class Kind {
    function,
    constant,
    uniform,
    normal,
    xavier_uniform,
    xavier_normal,
    kaiming_uniform,
    kaiming_normal,
    orthogonal,
    sinusoidal
  };
  Kind kind;                    ///< which
  double parameter;             ///< of the kind: a value, a bound or a deviation
  Function function = nullptr;  ///< of one's own

  /// One's own.
  Initialiser(Function function_, double parameter_ = 0)
      : kind(Kind::function), parameter(parameter_), function(function_) {}
  /// One of those above.
  Initialiser(Kind kind_, double parameter_) : kind(kind_), parameter(parameter_) {}

  /// Writes the values, rows x cols of them.
  void fill(double* w, Index rows, Index cols, Random& random) const;
};

namespace detail {

inline void fill_constant(double* w, Index rows, Index cols, double value, Random&) {
  std::fill(w, w + rows * cols, value);
}
inline void fill_uniform(double* w, Index rows, Index cols, double bound, Random& random) {
  for (Index i = 0; i < rows * cols; ++i) w[i] = random.uniform(-bound, bound);
}
inline void fill_normal(double* w, Index rows, Index cols, double deviation, Random& random) {
  for (Index i = 0; i < rows * cols; ++i) w[i] = deviation * random.normal();
}
inline void fill_xavier_uniform(double* w, Index rows, Index cols, double gain, Random& random) {
  fill_uniform(w, rows, cols, gain * std::sqrt(6.0 / double(rows + cols)), random);
}
inline void fill_xavier_normal(double* w, Index rows, Index cols, double gain, Random& random) {
  fill_normal(w, rows, cols, gain * std::sqrt(2.0 / double(rows + cols)), random);
}
inline void fill_kaiming_uniform(double* w, Index rows, Index cols, double gain, Random& random) {
  fill_uniform(w, rows, cols, gain * std::sqrt(3.0 / double(cols)), random);
}
inline void fill_kaiming_normal(double* w, Index rows, Index cols, double gain, Random& random) {
  fill_normal(w, rows, cols, gain / std::sqrt(double(cols)), random);
}

/// Gram-Schmidt, each vector cleaned twice, on normal numbers: the rows where they are fewer, otherwise the columns.
inline void fill_orthogonal(double* w, Index rows, Index cols, double gain, Random& random) {
  fill_normal(w, rows, cols, 1, random);
  const Index vectors = std::min(rows, cols), size = std::max(rows, cols);
  auto at = [&](Index v, Index i) -> double& { return rows <= cols ? w[v * cols + i] : w[i * cols + v]; };
  auto dot = [&](Index a, Index b) {
    double sum = 0;
    for (Index i = 0; i < size; ++i) sum += at(a, i) * at(b, i);
    return sum;
  };
  for (Index v = 0; v < vectors; ++v) {
    for (int twice = 0; twice < 2; ++twice)
      for (Index before = 0; before < v; ++before) {
        const double along = dot(before, v);
        for (Index i = 0; i < size; ++i) at(v, i) -= along * at(before, i);
      }
    const double norm = std::sqrt(dot(v, v));
    for (Index i = 0; i < size; ++i) at(v, i) /= norm;
  }
  for (Index i = 0; i < rows * cols; ++i) w[i] *= gain;
}

inline void fill_sinusoidal(double* w, Index rows, Index cols, double, Random&) {
  sinusoidal_encodings<double>(0, 1, Eigen::Map<Tokens<double>>(w, cols, rows));
}

}  // namespace detail

inline void Initialiser::fill(double* w, Index rows, Index cols, Random& random) const {
  const auto by = [&](Function f) { f(w, rows, cols, parameter, random); };
  switch (kind) {
    case Kind::function: return by(function);
    case Kind::constant: return by(detail::fill_constant);
    case Kind::uniform: return by(detail::fill_uniform);
    case Kind::normal: return by(detail::fill_normal);
    case Kind::xavier_uniform: return by(detail::fill_xavier_uniform);
    case Kind::xavier_normal: return by(detail::fill_xavier_normal);
    case Kind::kaiming_uniform: return by(detail::fill_kaiming_uniform);
    case Kind::kaiming_normal: return by(detail::fill_kaiming_normal);
    case Kind::orthogonal: return by(detail::fill_orthogonal);
    case Kind::sinusoidal: return by(detail::fill_sinusoidal);
  }
}

inline Initialiser zero() { return {Initialiser::Kind::constant, 0}; }
inline Initialiser constant(double value) { return {Initialiser::Kind::constant, value}; }
/// Uniform in +-bound.
inline Initialiser uniform(double bound) { return {Initialiser::Kind::uniform, bound}; }
/// Normal with mean 0.
inline Initialiser normal(double deviation) { return {Initialiser::Kind::normal, deviation}; }
/// Uniform in +-gain sqrt(6 / (in + out)) (Glorot and Bengio 2010, eq. 16).
inline Initialiser xavier_uniform(double gain = 1) { return {Initialiser::Kind::xavier_uniform, gain}; }
/// Normal with deviation gain sqrt(2 / (in + out)).
inline Initialiser xavier_normal(double gain = 1) { return {Initialiser::Kind::xavier_normal, gain}; }
/// Uniform in +-gain sqrt(3 / in) (He et al. 2015, eq. 10); the gain for ReLU is sqrt(2).
inline Initialiser kaiming_uniform(double gain = 1.4142135623730951) {
  return {Initialiser::Kind::kaiming_uniform, gain};
}
/// Normal with deviation gain / sqrt(in).
inline Initialiser kaiming_normal(double gain = 1.4142135623730951) {
  return {Initialiser::Kind::kaiming_normal, gain};
}
/// Orthogonal rows or columns times gain (Saxe et al. 2014).
inline Initialiser orthogonal(double gain = 1) { return {Initialiser::Kind::orthogonal, gain}; }
/// Row t is the sinusoidal encoding of position t (Vaswani et al. 2017, sec. 3.5).
inline Initialiser sinusoidal() { return {Initialiser::Kind::sinusoidal, 0}; }

}  // namespace heed
