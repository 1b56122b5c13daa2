#pragma once
#include <cmath>

#include "heed/core/activations.hpp"
#include "heed/core/memory.hpp"
#include "heed/core/scope.hpp"

namespace heed {

/// Sinusoidal positional encoding, added to each token (Vaswani et al. 2017, sec. 3.5).
///
///   y = x + PE(position)    PE(t, 2 i) = sin(t w_i)    PE(t, 2 i + 1) = cos(t w_i)    w_i = 10000^(-2 i / D)
///
///   x, y: D x n, along the axis of its scope; positions count from 0 in each sequence, or go on from what a lane has seen.
///   Angles are computed in double, so that far positions are as exact as near ones.
template <class S, int D = Dynamic>
class SinusoidalPositionalEncoding {
 public:
  Axis axis;

  explicit SinusoidalPositionalEncoding(Scope at) : axis(at.axis()) {}

  void forward(Read<S, D> x, Write<S, D> y, ActivationsView<S> a) const {
    encode(x, y, a, [](Index) { return Index(0); });
  }
  void extend(Read<S, D> x, Write<S, D> y, MemoryView<S> m, ActivationsView<S> a) const {
    m.begin(axis, a.sequences(axis));
    encode(x, y, a, [&](Index lane) { return m.length(axis, lane); });
  }
  // dx = dy
  void backward(Read<S, D> dy, Gradient<S, D> dx) const {
    detail::expect_gradient("SinusoidalPositionalEncoding", "dx", dx, dy.rows(), dy.cols());
    if (dx.wanted()) dx.put(0, dy);
  }

 private:
  template <class Start>
  void encode(const Read<S, D>& x, Write<S, D> y, ActivationsView<S> a, Start start) const {
    const SequencesView sequences = a.sequences(axis);
    detail::expect_shape("SinusoidalPositionalEncoding", "x", x, x.rows(), sequences.columns());
    detail::expect_shape("SinusoidalPositionalEncoding", "y", y, x.rows(), x.cols());
    for (Index i = 0; i < x.rows(); i += 2) {
      const double w = std::pow(10000.0, -double(i) / double(x.rows()));
      const double turn_cos = std::cos(w), turn_sin = std::sin(w);
      for (Index s = 0; s < sequences.count(); ++s) {
        double c = 1, sine = 0;
        for (Index j = 0; j < sequences.length(s); ++j) {
          const Index position = start(s) + j, column = sequences.first(s) + j;
          if (j == 0 || position % 32 == 0) {  // between these, turned on by one position: as exact, and much faster
            c = std::cos(double(position) * w);
            sine = std::sin(double(position) * w);
          }
          y(i, column) = x(i, column) + S(sine);
          if (i + 1 < x.rows()) y(i + 1, column) = x(i + 1, column) + S(c);
          const double next = c * turn_cos - sine * turn_sin;
          sine = sine * turn_cos + c * turn_sin;
          c = next;
        }
      }
    }
  }
};

}  // namespace heed
