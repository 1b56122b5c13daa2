#pragma once
#include <cmath>
#include <limits>

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

  Tile<S, side> map(Index keys, Index queries) {
    return {scores, keys, queries, Eigen::OuterStride<>(side == Side::queries ? tile_queries : tile_keys)};
  }
};

/// What a register holds.
template <class S>
using Lanes = Eigen::Array<S, int(Packet<S>::size), 1>;
template <class S>
inline constexpr Index lanes = Packet<S>::size;

/// The scores of a tile from this key and query on, for as many queries as a register holds.
template <class S>
auto lanes_at(Tile<S, Side::queries>& s, Index key, Index query) {
  return Eigen::Map<Lanes<S>>(s.data() + key * s.outerStride() + query);
}

/// A number for each query of a block.
template <class S>
struct OfQueries {
  alignas(64) S numbers[tile_queries];

  explicit OfQueries(S number = 0) { std::fill(numbers, numbers + tile_queries, number); }
  S& operator[](Index j) { return numbers[j]; }
  S operator[](Index j) const { return numbers[j]; }
  auto from(Index j) { return Eigen::Map<Lanes<S>>(numbers + j); }
  auto from(Index j) const { return Eigen::Map<const Lanes<S>>(numbers + j); }
};

/// The keys of a tile that each of its queries sees, counted within the tile.
template <class S>
struct InSight {
  bool all = true;
  OfQueries<S> first, last;

  InSight(const Sight& sight, Index q0, Index nq, Index k0, Index nk) {
    const auto whole = [&](Interval i) { return i.begin == k0 && i.end == k0 + nk; };
    all = whole(sight.keys(q0, k0, k0 + nk)) && whole(sight.keys(q0 + nq - 1, k0, k0 + nk));  // and all between them
    if (all) return;
    for (Index j = 0; j < nq; ++j) {
      const Interval in = sight.keys(q0 + j, k0, k0 + nk);
      first[j] = S(in.begin - k0);
      last[j] = S(in.end - k0);
    }
  }
  /// Puts a number at what is out of sight.
  void hide(Tile<S, Side::queries>& s, Index key, Index query, S number) const {
    using P = Packet<S>;
    S* at = s.data() + key * s.outerStride() + query;
    P::store(at, P::within(P::broadcast(S(key)), P::load(first.numbers + query), P::load(last.numbers + query),
                           P::load(at), P::broadcast(number)));
  }
  void hide(Tile<S, Side::keys>& s, Index query) const {
    if (all) return;
    s.col(query).head(Index(first[query])).setZero();
    s.col(query).tail(s.rows() - Index(last[query])).setZero();
  }
  auto seen(Tile<S, Side::keys>& s, Index query) const {
    const Index begin = all ? 0 : Index(first[query]), end = all ? s.rows() : Index(last[query]);
    return s.col(query).segment(begin, end - begin);
  }
};

/// Visits the registers of a tile, those of a query side by side: f(key, query, lanes). Lanes beyond the last query are zero.
template <class S, class F>
void each_register(Tile<S, Side::queries>& s, F&& f) {
  for (Index j = 0; j < s.cols(); j += lanes<S>)
    for (Index i = 0; i < s.rows(); ++i) f(i, j, lanes_at<S>(s, i, j));
}
template <class S>
void clear_spare_lanes(Tile<S, Side::queries>& s) {
  const Index spare = (lanes<S> - s.cols() % lanes<S>) % lanes<S>;
  for (Index i = 0; i < s.rows() && spare > 0; ++i) std::fill_n(&s.coeffRef(i, 0) + s.cols(), spare, S(0));
}

/// The softmax of a block of queries, that goes on from tile to tile.
template <class S>
struct RunningSoftmax {
  static constexpr S nothing = -std::numeric_limits<S>::infinity(), lowest = std::numeric_limits<S>::lowest();
  OfQueries<S> top{nothing}, sum, keep;

  /// Scores, once they are scaled, become e^(score - top), zero out of sight; what was summed before is to be multiplied by
  /// `keep`.
  void take(Tile<S, Side::queries>& s, S scale, const InSight<S>& in) {
    clear_spare_lanes<S>(s);
    for (Index j = 0; j < s.cols(); j += lanes<S>) {
      const auto scores = [&](Index i) { return lanes_at<S>(s, i, j); };
      for (Index i = 0; i < s.rows() && !in.all; ++i) in.hide(s, i, j, nothing);
      Lanes<S> highest = Lanes<S>::Constant(nothing), total;
      Index i = 0;
      for (; i + 4 <= s.rows(); i += 4)  // by fours: a chain of maxima would wait for itself
        highest = highest.max(scores(i).max(scores(i + 1)).max(scores(i + 2).max(scores(i + 3))));
      for (; i < s.rows(); ++i) highest = highest.max(scores(i));
      highest = top.from(j).max(highest * scale);
      const Lanes<S> base = highest.max(lowest);  // a number even for who has seen nothing
      keep.from(j) = (top.from(j) - base).exp();
      total = sum.from(j) * keep.from(j);
      for (i = 0; i < s.rows(); ++i) {
        scores(i) = (scores(i) * scale - base).exp();
        if (!in.all) in.hide(s, i, j, S(0));
        total += scores(i);
      }
      sum.from(j) = total;
      top.from(j) = highest;
    }
  }
  void take(Tile<S, Side::keys>& s, S scale, const InSight<S>& in) {
    for (Index j = 0; j < s.cols(); ++j) {
      auto seen = in.seen(s, j);
      in.hide(s, j);
      keep[j] = 1;
      if (seen.size() == 0) continue;
      const S highest = std::max(top[j], seen.maxCoeff() * scale);
      seen.array() = (seen.array() * scale - highest).exp();
      keep[j] = std::exp(top[j] - highest);
      sum[j] = sum[j] * keep[j] + seen.sum();
      top[j] = highest;
    }
  }
  /// What was summed, times keep = 1 / sum, is the mean; top is the log-sum-exp.
  void finish(Index queries) {
    for (Index j = 0; j < queries; j += lanes<S>) {
      keep.from(j) = sum.from(j).max(std::numeric_limits<S>::min()).inverse();
      top.from(j) += sum.from(j).log();
    }
  }
};

/// The softmax itself, e^(scale score - lse), of a tile; zero out of sight.
template <class S>
void softmax_of(Tile<S, Side::queries>& s, S scale, const OfQueries<S>& lse, const InSight<S>& in) {
  clear_spare_lanes<S>(s);
  each_register<S>(s, [&](Index i, Index j, auto scores) {
    scores = (scores * scale - lse.from(j)).exp();
    if (!in.all) in.hide(s, i, j, S(0));
  });
}
template <class S>
void softmax_of(Tile<S, Side::keys>& s, S scale, const OfQueries<S>& lse, const InSight<S>& in) {
  for (Index j = 0; j < s.cols(); ++j) {
    auto seen = in.seen(s, j);
    seen.array() = (seen.array() * scale - lse[j]).exp();
    in.hide(s, j);
  }
}

/// slope = scale weight o (slope - what the keys of a query share)
template <class S>
void softmax_slope(Tile<S, Side::queries>& slope, Tile<S, Side::queries>& weights, S scale,
                   const OfQueries<S>& shared) {
  clear_spare_lanes<S>(slope);
  each_register<S>(slope,
                   [&](Index i, Index j, auto of) { of = scale * lanes_at<S>(weights, i, j) * (of - shared.from(j)); });
}
template <class S>
void softmax_slope(Tile<S, Side::keys>& slope, Tile<S, Side::keys>& weights, S scale, const OfQueries<S>& shared) {
  for (Index j = 0; j < slope.cols(); ++j)
    slope.col(j).array() = scale * weights.col(j).array() * (slope.col(j).array() - shared[j]);
}

}  // namespace heed::detail
