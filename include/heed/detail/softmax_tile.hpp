#pragma once
#include <algorithm>
#include <limits>

#include "heed/detail/elementwise.hpp"
#include "heed/detail/product.hpp"
#include "heed/detail/sight.hpp"

namespace heed::detail {

// Tiles of scores and what the softmax does with them, for detail/attention.hpp.

inline constexpr Index tile_queries = 32, tile_keys = 64;

/// What lies side by side in a tile: queries, so that a register holds the scores of many queries for one key and nothing is
/// summed across it; or, where queries are few as in acting, keys.
enum class Side { queries, keys };

/// A tile of scores, keys x queries.
template <class S, Side side>
using Tile = Eigen::Map<Eigen::Matrix<S, Dynamic, Dynamic, side == Side::queries ? Eigen::RowMajor : Eigen::ColMajor>,
                        0, Eigen::OuterStride<>>;

template <class S, Side side>
struct AttentionTile {
  alignas(64) S scores[tile_keys * tile_queries];

  /// So many columns from one on.
  Tile<S, side> map(Index keys, Index columns, Index first = 0) {
    constexpr Index stride = side == Side::queries ? tile_queries : tile_keys;
    return {scores + first * (side == Side::queries ? 1 : stride), keys, columns, Eigen::OuterStride<>(stride)};
  }
};

/// How many numbers a register holds.
template <class S>
inline constexpr Index lanes = Packet<S>::size;

/// e^x = 2^(x log2 e), the factor part of one that x is multiplied by anyway.
template <class S>
inline constexpr S log2_e = S(1.4426950408889634);
template <class S>
EIGEN_ALWAYS_INLINE auto power_of_two(const typename Packet<S>::Type& x) {
  return power_of_two<S>(Register<S>(x)).packet;
}

/// A number for each column of a tile.
template <class S>
struct OfQueries {
  alignas(64) S numbers[tile_queries];

  OfQueries() = default;  // unknown numbers
  explicit OfQueries(S number) { std::fill(numbers, numbers + tile_queries, number); }
  S& operator[](Index j) { return numbers[j]; }
  S operator[](Index j) const { return numbers[j]; }
  /// Those of as many queries as a register holds, from the j-th on.
  auto from(Index j) const { return Packet<S>::load(numbers + j); }
  void put(Index j, const typename Packet<S>::Type& x) { Packet<S>::store(numbers + j, x); }
};

/// What the queries of a block bring or take, rows x queries, with queries side by side as in a tile of scores, so that nothing
/// is packed when it meets one. Only heads up to a width have room, and only where queries lie side by side in the tile.
template <class S, Side side>
class SideBySide {
 public:
  static bool fit(Index rows) { return 0 < rows && rows <= most; }
  /// How many columns so many queries take: a whole number of narrow registers.
  static Index span(Index queries) {
    constexpr Index narrow = Packet<S>::half;
    return (queries + narrow - 1) / narrow * narrow;
  }
  /// So many columns from one on.
  Tile<S, Side::queries> map(Index rows, Index columns, Index first) {
    return {numbers_ + first, rows, columns, Eigen::OuterStride<>(tile_queries)};
  }
  /// Lays x there, from a column on.
  void take(Index first, const Read<S>& x) {
    transpose(x.cols(), x.rows(), x.data(), x.outerStride(), numbers_ + first, tile_queries);
  }
  void give(Index first, Write<S> x) const {
    transpose(x.rows(), x.cols(), numbers_ + first, tile_queries, x.data(), x.outerStride());
  }
  /// Zeros in columns that no query takes, so that what comes of them is a number.
  void clear(Index rows, Index first, Index last) {
    for (Index r = 0; r < rows && first < last; ++r)
      std::fill(numbers_ + r * tile_queries + first, numbers_ + r * tile_queries + last, S(0));
  }
  /// Column j times by[j].
  void scale(Index rows, Index columns, const OfQueries<S>& by) {
    using P = Packet<S>;
    for (Index r = 0; r < rows; ++r)
      for (Index j = 0; j < columns; j += P::size) {
        S* at = numbers_ + r * tile_queries + j;
        P::store(at, P::multiply(P::load(at), by.from(j)));
      }
  }

 private:
  /// 16 KB, for a stack may be small.
  static constexpr Index most = lanes<S> > 1 && side == Side::queries ? 512 / Index(sizeof(S)) : 0;
  alignas(64) S numbers_[std::max(most, Index(1)) * (most > 0 ? tile_queries : 1)];
};

/// The keys of a tile that each of its columns sees, counted within the tile. The queries of a block come once for each head
/// that shares the tile, `span` columns apart.
template <class S>
struct InSight {
  bool all = true;
  OfQueries<S> first, last;

  InSight(const Sight& sight, Index q0, Index nq, Index k0, Index nk) : InSight(sight, q0, nq, k0, nk, 1, nq) {}
  InSight(const Sight& sight, Index q0, Index nq, Index k0, Index nk, Index heads, Index span) {
    const auto whole = [&](Interval i) { return i.begin == k0 && i.end == k0 + nk; };
    all = whole(sight.keys(q0, k0, k0 + nk)) && whole(sight.keys(q0 + nq - 1, k0, k0 + nk));  // and all between them
    if (all) return;
    first = last = OfQueries<S>(0);
    for (Index j = 0; j < nq; ++j) {
      const Interval in = sight.keys(q0 + j, k0, k0 + nk);
      for (Index column = j; column < heads * span; column += span) {
        first[column] = S(in.begin - k0);
        last[column] = S(in.end - k0);
      }
    }
  }
  /// The scores of a key for the queries from the j-th on, with a number instead of those that are out of sight.
  auto seen(Index key, Index j, const typename Packet<S>::Type& scores, S number) const {
    using P = Packet<S>;
    return all ? scores : P::within(P::broadcast(S(key)), first.from(j), last.from(j), scores, P::broadcast(number));
  }
  Index begin(Index query) const { return all ? 0 : Index(first[query]); }
  Index end(Index query, Index keys) const { return all ? keys : Index(last[query]); }
};

/// The scores from this key and query on, for as many queries as a register holds.
template <class S>
S* scores_at(Tile<S, Side::queries>& s, Index key, Index query) {
  return s.data() + key * s.outerStride() + query;
}
/// Lanes beyond the last query are zero.
template <class S>
void clear_spare_lanes(Tile<S, Side::queries>& s) {
  const Index spare = (lanes<S> - s.cols() % lanes<S>) % lanes<S>;
  for (Index i = 0; i < s.rows() && spare > 0; ++i) std::fill_n(scores_at<S>(s, i, s.cols()), spare, S(0));
}

/// A query's scores in a tile whose keys lie side by side, a register of them at a time.
template <class S>
struct TileColumn {
  S* scores;
  Index padded, begin, end;  // all registers of it; what is in sight

  TileColumn(Tile<S, Side::keys>& s, Index query, const InSight<S>& in)
      : scores(s.data() + query * s.outerStride()),
        padded((s.rows() + lanes<S> - 1) / lanes<S> * lanes<S>),
        begin(in.begin(query)),
        end(in.end(query, s.rows())) {}
  void hide(S number) const {
    std::fill(scores, scores + begin, number);
    std::fill(scores + end, scores + padded, number);
  }
  template <class F>
  void each(F&& f) const {
    for (Index i = 0; i < padded; i += lanes<S>) f(scores + i);
  }
};

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
      top.put(j, log_sum_exp(top.from(j), total, scale).packet);
    }
  }

  // What it does with the numbers of a register.
  using P = Packet<S>;
  using Type = typename P::Type;

  static Register<S> share_of(const Register<S>& total) { return S(1) / max(total, std::numeric_limits<S>::min()); }
  static Register<S> log_sum_exp(const Register<S>& top, const Register<S>& total, S scale) {
    return scale * top + log(total);
  }
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
