#pragma once
#include <algorithm>
#include <cmath>

#include "heed/core/tokens.hpp"

namespace heed::detail {

/// Sines and cosines of the angles t w_i of pairs of features, w_i = base^(-2 i / features), for runs of positions
/// t = first, first + step, ...
///
/// `runs(run)` is called for each pair and says the runs: run(first, count, column). They are answered by
/// put(2 i, column, sine, cosine), from `column` on. Positions may be negative; a step of 0 repeats one position. Angles are
/// computed in double, so that far positions are as exact as near ones.
template <class Runs, class Put>
void each_angle(Index features, Index step, double base, Runs runs, Put put) {
  constexpr Index exact = 32;  // between these, turned on by one step: as exact, and much faster
  for (Index i = 0; i < features; i += 2) {
    const double w = std::pow(base, -double(i) / double(features));
    double turn_sin = 0, turn_cos = 0;  // 0: not known, nor needed where runs are of one position, as in acting
    runs([&](Index first, Index count, Index column) {
      if (count > 1 && turn_cos == 0) turn_sin = std::sin(double(step) * w), turn_cos = std::cos(double(step) * w);
      for (Index begin = 0; begin < count; begin += exact) {
        const double angle = double(first + begin * step) * w;
        double sine = std::sin(angle), cosine = std::cos(angle);
        for (Index j = begin; j < std::min(begin + exact, count); ++j) {
          put(i, column + j, sine, cosine);
          const double next = cosine * turn_cos - sine * turn_sin;
          sine = sine * turn_cos + cosine * turn_sin;
          cosine = next;
        }
      }
    });
  }
}

/// The sinusoids of Vaswani et al. 2017, sec. 3.5:  PE(t, 2 i) = sin(t w_i)    PE(t, 2 i + 1) = cos(t w_i)
/// put(feature, column, value) gets them.
template <class Runs, class Put>
void each_sinusoid(Index features, Index step, Runs runs, Put put) {
  each_angle(features, step, 10000.0, runs, [&](Index i, Index column, double sine, double cosine) {
    put(i, column, sine);
    if (i + 1 < features) put(i + 1, column, cosine);
  });
}

/// The encodings of the positions first, first + step, ..., a column each.
template <class S>
void sinusoidal_encodings(Index first, Index step, Write<S> y) {
  each_sinusoid(
      y.rows(), step, [&](auto run) { run(first, y.cols(), 0); },
      [&](Index i, Index column, double value) { y(i, column) = S(value); });
}

}  // namespace heed::detail
