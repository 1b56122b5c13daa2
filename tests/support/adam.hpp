#pragma once
#include <cmath>

namespace support {

/// A weight and Adam's moments of it, number by number: updates by hand are checked against it.
struct AdamWeight {
  double at, m = 0, v = 0;
  /// The t-th step, counted from 1.
  void step(double g, int t, double learning_rate, double epsilon) {
    m = 0.9 * m + 0.1 * g;
    v = 0.999 * v + 0.001 * g * g;
    at -= learning_rate * m / (1 - std::pow(0.9, t)) / (std::sqrt(v / (1 - std::pow(0.999, t))) + epsilon);
  }
};

}  // namespace support
