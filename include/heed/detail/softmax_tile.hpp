#pragma once
#include "heed/detail/tile.hpp"

namespace heed::detail {

// What a softmax does with tiles of scores, for detail/attention.hpp.

/// e^x = 2^(x log2 e), the factor part of one that x is multiplied by anyway.
template <class S>
inline constexpr S log2_e = S(1.4426950408889634);
template <class S>
EIGEN_ALWAYS_INLINE auto power_of_two(const typename Packet<S>::Type& x) {
  return power_of_two<S>(Register<S>(x)).packet;
}

/// The softmax of a block of queries, that goes on from tile to tile. Scores are compared before they are scaled: that of the
/// highest is 1 to the last bit, however high it is.
template <class S>
struct RunningSoftmax {
  static constexpr S nothing = -std::numeric_limits<S>::infinity(), lowest = std::numeric_limits<S>::lowest();
  OfQueries<S> top{nothing}, sum{0}, keep;

  /// Goes on from a log-sum-exp.
  void resume(Index j, S lse, S scale) {
    top[j] = lse / scale;
    sum[j] = lse == nothing ? S(0) : S(1);
  }
  /// Scores become e^(scale (score - top)), zero out of sight; what was summed before is to be multiplied by `keep`.
  void take(Tile<S, Side::queries>& s, S scale, const InSight<S>& in) {
    clear_spare_lanes<S>(s);
    const auto by = P::broadcast(scale * log2_e<S>);
    for (Index j = 0; j < s.cols(); j += lanes<S>) {
      const auto score = [&](Index i) { return in.seen(i, j, P::load(scores_at<S>(s, i, j)), nothing); };
      auto highest = P::broadcast(nothing);
      Index i = 0;
      for (; i + 4 <= s.rows(); i += 4)  // by fours: a chain of maxima would wait for itself
        highest = P::max(highest, P::max(P::max(score(i), score(i + 1)), P::max(score(i + 2), score(i + 3))));
      for (; i < s.rows(); ++i) highest = P::max(highest, score(i));
      const auto base = raise(j, highest, by);
      auto total = sum.from(j);
      for (i = 0; i < s.rows(); ++i) {
        S* at = scores_at<S>(s, i, j);
        const auto weight = in.seen(i, j, weigh(P::load(at), base, by), S(0));
        P::store(at, weight);
        total = P::add(total, weight);
      }
      sum.put(j, total);
    }
  }
  void take(Tile<S, Side::keys>& s, S scale, const InSight<S>& in) {
    const auto by = P::broadcast(scale * log2_e<S>);
    OfQueries<S> base(nothing);
    for (Index j = 0; j < s.cols(); ++j) {
      const TileColumn<S> column(s, j, in);
      column.hide(nothing);
      auto highest = P::broadcast(nothing);
      column.each([&](S* at) { highest = P::max(highest, P::load(at)); });
      base[j] = P::highest(highest);
    }
    for (Index j = 0; j < s.cols(); j += lanes<S>) base.put(j, raise(j, base.from(j), by));
    for (Index j = 0; j < s.cols(); ++j) {
      const auto base_of = P::broadcast(base[j]);
      auto total = P::broadcast(S(0));
      TileColumn<S>(s, j, in).each([&](S* at) {
        const auto weight = weigh(P::load(at), base_of, by);
        P::store(at, weight);
        total = P::add(total, weight);
      });
      sum[j] += P::sum(total);
    }
  }
  /// What was summed, times keep = 1 / sum, is the mean; top becomes the log-sum-exp.
  void finish(Index columns, S scale) {
    for (Index j = 0; j < columns; j += lanes<S>) {
      const Register<S> total = sum.from(j);
      keep.put(j, share_of(total).packet);
      top.put(j, (scale * Register<S>(top.from(j)) + log(total)).packet);
    }
  }

  // What it does with the numbers of a register.
  using P = Packet<S>;
  using Type = typename P::Type;

  static Register<S> share_of(const Register<S>& total) { return S(1) / max(total, std::numeric_limits<S>::min()); }
  /// What to subtract from scores, a number even for who has seen nothing.
  static Type base_of(const Type& top) { return P::max(top, P::broadcast(lowest)); }
  EIGEN_ALWAYS_INLINE static Type weigh(const Type& score, const Type& base, const Type& by) {
    return power_of_two<S>(P::multiply(P::subtract(score, base), by));
  }

 private:
  /// The highest scores of the columns from the j-th on may be higher than before: what was summed goes by the new ones.
  /// Returns what to subtract from scores.
  Type raise(Index j, const Type& highest, const Type& by) {
    const auto now = P::max(top.from(j), highest), base = base_of(now);
    keep.put(j, weigh(top.from(j), base, by));
    sum.put(j, P::multiply(sum.from(j), keep.from(j)));
    top.put(j, now);
    return base;
  }
};

/// The softmax itself, e^(scale score - lse), of a tile; zero out of sight.
template <class S>
void softmax_of(Tile<S, Side::queries>& s, S scale, const OfQueries<S>& lse, const InSight<S>& in) {
  using P = Packet<S>;
  clear_spare_lanes<S>(s);
  const auto by = P::broadcast(scale), log2e = P::broadcast(log2_e<S>);
  for (Index j = 0; j < s.cols(); j += lanes<S>) {
    const auto lse_of = lse.from(j);
    for (Index i = 0; i < s.rows(); ++i) {
      S* at = scores_at<S>(s, i, j);
      const auto power = P::subtract(P::multiply(P::load(at), by), lse_of);
      P::store(at, in.seen(i, j, power_of_two<S>(P::multiply(power, log2e)), S(0)));
    }
  }
}
template <class S>
void softmax_of(Tile<S, Side::keys>& s, S scale, const OfQueries<S>& lse, const InSight<S>& in) {
  using P = Packet<S>;
  const auto by = P::broadcast(scale), log2e = P::broadcast(log2_e<S>);
  for (Index j = 0; j < s.cols(); ++j) {
    const TileColumn<S> column(s, j, in);
    const auto lse_of = P::broadcast(lse[j]);
    column.hide(0);
    column.each([&](S* at) {
      const auto power = P::subtract(P::multiply(P::load(at), by), lse_of);
      P::store(at, power_of_two<S>(P::multiply(power, log2e)));
    });
    column.hide(0);
  }
}

/// slope = scale weight o (slope - what the keys of a query share)
template <class S>
void softmax_slope(Tile<S, Side::queries>& slope, Tile<S, Side::queries>& weights, S scale,
                   const OfQueries<S>& shared) {
  clear_spare_lanes<S>(slope);
  using P = Packet<S>;
  for (Index j = 0; j < slope.cols(); j += lanes<S>)
    for (Index i = 0; i < slope.rows(); ++i) {
      S* at = scores_at<S>(slope, i, j);
      const auto weight = P::multiply(P::broadcast(scale), P::load(scores_at<S>(weights, i, j)));
      P::store(at, P::multiply(weight, P::subtract(P::load(at), shared.from(j))));
    }
}
template <class S>
void softmax_slope(Tile<S, Side::keys>& slope, Tile<S, Side::keys>& weights, S scale, const OfQueries<S>& shared) {
  for (Index j = 0; j < slope.cols(); ++j)
    slope.col(j).array() = scale * weights.col(j).array() * (slope.col(j).array() - shared[j]);
}

}  // namespace heed::detail
