#pragma once
#include <algorithm>
#include <limits>

#include "heed/detail/elementwise.hpp"
#include "heed/detail/product.hpp"
#include "heed/detail/sight.hpp"

namespace heed::detail {

// Tiles of scores, and what lies as their columns do.

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

}  // namespace heed::detail
