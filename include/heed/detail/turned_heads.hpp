#pragma once
#include "heed/core/sequences.hpp"
#include "heed/detail/graph_attention.hpp"
#include "heed/detail/sinusoid.hpp"
#include "heed/layers/positions.hpp"

namespace heed::detail {

/// What queries and keys go through before they meet, head by head: made unit vectors times a gain (Henry et al. 2020, eq. 4),
/// and turned by their positions (Su et al. 2021).
///
///   y = R(position) gain x / |x|    |x| = sqrt(x . x + 1e-6)
struct TurnedHeads {
  Index heads, size;
  bool normalise;
  Position position;

  bool active() const { return normalise || turns(); }

  /// start(s): the position of the first token of sequence s.
  template <class S, class Start>
  void forward(Read<S> x, S gain, SequencesView of, Start start, Write<S> y) const {
    y = x;
    if (normalise) each_head(y, [&](Index h, Index j) { y.col(j).segment(h, size) *= gain / length(x, h, j); });
    turn(y, of, start, 1);
  }
  // dgain = sum x^ . dy    dx = gain (dy - x^ (x^ . dy)) / |x|, x^ = x / |x|, dy turned back
  /// Returns dgain; dy is used up.
  template <class S, class Start>
  S backward(Read<S> x, S gain, SequencesView of, Start start, Write<S> dy, Gradient<S> dx) const {
    turn(dy, of, start, -1);
    S dgain = 0;
    if (normalise)
      each_head(dy, [&](Index h, Index j) {
        const S n = length(x, h, j), along = x.col(j).segment(h, size).dot(dy.col(j).segment(h, size)) / n;
        dgain += along;
        dy.col(j).segment(h, size) -= x.col(j).segment(h, size) * (along / n);
        dy.col(j).segment(h, size) *= gain / n;
      });
    if (dx.wanted()) dx.put(0, dy);
    return dgain;
  }

  /// [..., tokens, heads size] as [..., heads, tokens, size], turned, with a gain of 1.
  Node graph(Graph& g, const Node& x, const Node& positions) const {
    Node y = split_heads(g, x, heads);
    if (normalise) {
      const Node axis = g.constant(std::vector<std::int64_t>{-1});
      const Node square = g.add(g.op("ReduceSum", {g.multiply(y, y), axis}, 1), g.number(1e-6));
      y = g.divide(y, g.op("Sqrt", {square}, 1));
    }
    return turns() ? rotated(g, y, positions, position) : y;
  }

 private:
  bool turns() const { return position.kind == Position::Kind::rotary; }
  template <class M, class F>
  void each_head(const M& m, F&& f) const {
    for (Index j = 0; j < m.cols(); ++j)
      for (Index h = 0; h < heads * size; h += size) f(h, j);
  }
  template <class S>
  S length(const Read<S>& x, Index h, Index j) const {
    return std::sqrt(x.col(j).segment(h, size).squaredNorm() + S(1e-6));
  }
  template <class S, class Start>
  void turn(Write<S> y, SequencesView of, Start start, int direction) const {
    if (!turns()) return;
    const auto runs = [&](auto run) {
      for (Index s = 0; s < of.count(); ++s) run(start(s), of.length(s), of.first(s));
    };
    each_angle(size, 1, position.base, runs, [&](Index i, Index j, double sine, double cosine) {
      const S c = S(cosine), s = S(direction * sine);
      const Index one = position.interleaved ? i : i / 2, other = position.interleaved ? i + 1 : i / 2 + size / 2;
      for (Index h = 0; h < heads * size; h += size) {
        S &a = y(h + one, j), &b = y(h + other, j);
        const S turned = c * a - s * b;
        b = s * a + c * b;
        a = turned;
      }
    });
  }
};

}  // namespace heed::detail
