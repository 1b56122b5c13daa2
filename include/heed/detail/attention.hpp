#pragma once
#include <cmath>
#include <limits>

#include "heed/core/memory.hpp"
#include "heed/detail/product.hpp"
#include "heed/layers/masks.hpp"

namespace heed::detail {

// All softmax attention goes through the two functions below, over one sequence and one head, a tile of queries and keys at a
// time, so that no more than a tile of scores is ever stored (Dao et al. 2022, alg. 1 and 4). What the scores are is said
// by a Score, which computes a tile of them and takes the gradient of a tile:
//
//   score.tile(q0, nq, k0, nk, s)           s(i, j) = the score of key k0 + i for query q0 + j
//   score.backward(q0, nq, k0, nk, ds)      adds what follows for the score's inputs; ds may be used up

inline constexpr Index tile_queries = 32, tile_keys = 64;

/// What each query sees: a mask, and the absolute positions of the first query and the first key.
struct Sight {
  Mask mask;
  Index query_position = 0, key_position = 0;

  Interval keys(Index query, Index begin, Index end) const {
    const Interval seen = mask.keys(query_position + query);
    const Interval here{std::max(seen.begin - key_position, begin), std::min(seen.end - key_position, end)};
    return here.begin < here.end ? here : Interval{begin, begin};
  }
  /// What a block of queries sees together, of `keys` keys: from the first that its first query sees to the last that its
  /// last query sees.
  Interval keys_of_block(Index query, Index count, Index keys) const {
    const Index begin = mask.keys(query_position + query).begin - key_position;
    const Index end = mask.keys(query_position + query + count - 1).end - key_position;
    const Interval here{std::max(begin, Index(0)), std::min(end, keys)};
    return here.begin < here.end ? here : Interval{0, 0};
  }
};

/// What the new queries of a lane see of the keys that it remembers. Along one axis a ring remembers so many positions back
/// from each query; positions of another axis may run ahead or behind, and there all that is remembered is in sight.
template <class S>
Sight sight_of_lane(const Mask& mask, MemoryView<S> m, Axis query_axis, Axis key_axis, Index lane) {
  const Index window = query_axis == key_axis ? m.window(key_axis) : unlimited;
  return {mask.within(window), m.length(query_axis, lane), m.first(key_axis, lane)};
}

template <class S>
struct AttentionTile {
  S scores[tile_keys * tile_queries];
  auto map(Index keys, Index queries) {
    return Eigen::Map<Tokens<S>, 0, Eigen::OuterStride<>>(scores, keys, queries, Eigen::OuterStride<>(tile_keys));
  }
};

/// Visits the tiles that a block of queries sees: f(k0, nk).
template <class F>
void each_key_tile(Interval keys, F&& f) {
  for (Index k0 = keys.begin; k0 < keys.end; k0 += tile_keys) f(k0, std::min(tile_keys, keys.end - k0));
}
template <class F>
void each_query_tile(Index queries, F&& f) {
  for (Index q0 = 0; q0 < queries; q0 += tile_queries) f(q0, std::min(tile_queries, queries - q0));
}

/// y = V softmax(scores), and the log-sum-exp of each query's scores; a query that sees nothing answers zero.
///
///   v: V x keys    y: V x queries    lse: 1 x queries
template <class S, class Score, class Lse>
void attention_forward(const Score& score, const Sight& sight, Read<S> v, Write<S> y, Lse&& lse) {
  constexpr S nothing = -std::numeric_limits<S>::infinity();
  AttentionTile<S> tile;
  each_query_tile(y.cols(), [&](Index q0, Index nq) {
    S top[tile_queries], sum[tile_queries];
    std::fill(top, top + nq, nothing);
    std::fill(sum, sum + nq, S(0));
    auto out = y.middleCols(q0, nq);
    out.setZero();
    each_key_tile(sight.keys_of_block(q0, nq, v.cols()), [&](Index k0, Index nk) {
      auto weights = tile.map(nk, nq);
      score.tile(q0, nq, k0, nk, weights);
      for (Index j = 0; j < nq; ++j) {
        const Interval in = sight.keys(q0 + j, k0, k0 + nk);
        auto column = weights.col(j);
        auto seen = column.segment(in.begin - k0, in.end - in.begin);
        const S highest = seen.size() > 0 ? std::max(top[j], seen.maxCoeff()) : top[j];
        column.head(in.begin - k0).setZero();
        column.tail(k0 + nk - in.end).setZero();
        if (seen.size() == 0) continue;
        seen.array() = (seen.array() - highest).exp();
        const S keep = std::exp(top[j] - highest);
        sum[j] = sum[j] * keep + seen.sum();
        out.col(j) *= keep;
        top[j] = highest;
      }
      multiply(out, v.middleCols(k0, nk), weights, true);
    });
    for (Index j = 0; j < nq; ++j) {
      if (sum[j] > 0) out.col(j) /= sum[j];
      lse(q0 + j) = sum[j] > 0 ? top[j] + std::log(sum[j]) : -nothing;
    }
  });
}

/// The weights themselves, e^(score - lse), of a tile; zero out of sight.
template <class S, class Score, class Lse>
void attention_weights(const Score& score, const Sight& sight, const Lse& lse, Index q0, Index nq, Index k0, Index nk,
                       Write<S> weights) {
  score.tile(q0, nq, k0, nk, weights);
  for (Index j = 0; j < nq; ++j) {
    const Interval in = sight.keys(q0 + j, k0, k0 + nk);
    auto column = weights.col(j);
    auto seen = column.segment(in.begin - k0, in.end - in.begin);
    seen.array() = (seen.array() - S(lse(q0 + j))).exp();
    column.head(in.begin - k0).setZero();
    column.tail(k0 + nk - in.end).setZero();
  }
}

/// The gradient of `attention_forward`: into the score's inputs through the score, into dv unless it is not wanted.
//
//   P = e^(scores - lse)    dV += dY P'    dP = V' dY    dscores = P o (dP - y . dy)
template <class S, class Score, class Lse>
void attention_backward(Score score, const Sight& sight, Read<S> v, Read<S> y, const Lse& lse, Read<S> dy,
                        Gradient<S> dv) {
  AttentionTile<S> weights_tile, slope_tile;
  each_query_tile(y.cols(), [&](Index q0, Index nq) {
    S shared[tile_queries];
    for (Index j = 0; j < nq; ++j) shared[j] = y.col(q0 + j).dot(dy.col(q0 + j));
    const auto dout = dy.middleCols(q0, nq);
    each_key_tile(sight.keys_of_block(q0, nq, v.cols()), [&](Index k0, Index nk) {
      auto weights = weights_tile.map(nk, nq), slope = slope_tile.map(nk, nq);
      attention_weights<S>(score, sight, lse, q0, nq, k0, nk, weights);
      if (dv.wanted()) multiply(dv.middleCols(k0, nk), dout, weights.transpose(), true);
      multiply(slope, v.middleCols(k0, nk).transpose(), dout);
      for (Index j = 0; j < nq; ++j) slope.col(j).array() = weights.col(j).array() * (slope.col(j).array() - shared[j]);
      score.backward(q0, nq, k0, nk, slope);
    });
  });
}

/// All weights of a sequence and head, keys x queries.
template <class S, class Score, class Lse>
void attention_weights(const Score& score, const Sight& sight, const Lse& lse, Write<S> weights) {
  attention_weights<S>(score, sight, lse, 0, weights.cols(), 0, weights.rows(), weights);
}

}  // namespace heed::detail
