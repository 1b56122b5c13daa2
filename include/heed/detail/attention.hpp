#pragma once
#include <cmath>
#include <limits>

#include "heed/core/memory.hpp"
#include "heed/detail/product.hpp"
#include "heed/layers/masks.hpp"

namespace heed::detail {

// All softmax attention goes through the functions below, over one sequence and one head, a tile of queries and keys at a
// time, so that no more than a tile of scores is ever stored (Dao et al. 2022, alg. 1 and 4). What the scores are is said
// by a Score, which computes a tile of them and takes the gradient of a tile:
//
//   score.tile(q0, nq, k0, nk, s)           s(i, j) = the score of key k0 + i for query q0 + j
//   score.backward(q0, nq, k0, nk, ds)      adds what follows for the score's inputs; ds may be used up
//
// What multiplies the weights after the softmax (dropout, a Gaussian around a place) is said by a Factor:
//
//   factor.active()                         whether it does anything
//   factor.apply(q0, nq, k0, nk, w)         multiplies a tile of weights
//   factor.backward(q0, nq, k0, nk, dlog)   takes the gradient of the logarithm of a tile of factors

inline constexpr Index tile_queries = 32, tile_keys = 64;

/// What each query sees: a mask, and the absolute positions of the first query and the first key, `step` apart from one to
/// the next. In a part of a strided mask everything counts in steps.
struct Sight {
  Mask mask;
  Index query_position = 0, key_position = 0, step = 1;

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
  /// The position of a query less that of a key.
  Index distance(Index query, Index key) const { return step * (query_position + query - key_position - key); }
};

/// Some of the columns of a sequence: every step-th from `first` on.
struct Every {
  Index first, count, step;
  /// Those of `n` columns, the first at `position`, whose position is a multiple of `step` and a rest.
  static Every of_rest(Index rest, Index step, Index position, Index n) {
    const Index first = ((rest - position) % step + step) % step;
    return {first, first < n ? (n - first + step - 1) / step : 0, step};
  }
  template <class S>
  Read<S> of(const Read<S>& m) const {
    return ConstStrided<S, Dynamic>(place(m.data()) + (count > 0 ? first * m.outerStride() : 0), m.rows(), count,
                                    Eigen::OuterStride<>(step * m.outerStride()));
  }
  template <class S>
  Write<S> of(const Write<S>& m) const {
    return Strided<S, Dynamic>(place(const_cast<S*>(m.data())) + (count > 0 ? first * m.outerStride() : 0), m.rows(),
                               count, Eigen::OuterStride<>(step * m.outerStride()));
  }
  template <class S>
  Gradient<S> of(Gradient<S> m) const {
    if (!m.wanted()) return no_gradient;
    return add_to(of(Write<S>(m)));
  }
};

/// Visits the parts in which a mask is seen, each an interval: f(queries, keys, sight). A strided mask is an interval, and
/// before it for each rest the same thing among every stride-th token.
template <class F>
void each_part(const Sight& whole, Index queries, Index keys, F&& f) {
  Sight sight = whole;
  sight.mask.stride = 0;
  f(Every{0, queries, 1}, Every{0, keys, 1}, sight);
  const Index stride = whole.mask.stride;
  for (Index rest = 0; rest < stride; ++rest) {
    const Every q = Every::of_rest(rest, stride, whole.query_position, queries);
    const Every k = Every::of_rest(rest, stride, whole.key_position, keys);
    if (q.count == 0 || k.count == 0) continue;
    sight.query_position = (whole.query_position + q.first) / stride;
    sight.key_position = (whole.key_position + k.first) / stride;
    sight.step = stride;
    sight.mask = whole.mask.beyond();
    f(q, k, sight);
  }
}

/// What the new queries of a lane see of the keys that it remembers. Along one axis a ring remembers so many positions back
/// from each query; positions of another axis may run ahead or behind, and there all that is remembered is in sight.
template <class S>
Sight sight_of_lane(const Mask& mask, MemoryView<S> m, Axis query_axis, Axis key_axis, Index lane) {
  const Index window = query_axis == key_axis ? m.window(key_axis) : unlimited;
  return {mask.within(window), m.length(query_axis, lane), m.first(key_axis, lane)};
}

/// What lies side by side in a tile: queries, so that a register holds the scores of many queries for one key; or, where
/// queries are few as in acting, keys.
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

/// A number for each query of a block, a register of them at a time.
template <class S>
struct OfQueries {
  static constexpr Index lanes = Packet<S>::size;
  using Lanes = Eigen::Array<S, int(lanes), 1>;
  alignas(64) S numbers[tile_queries];

  explicit OfQueries(S number = 0) { std::fill(numbers, numbers + tile_queries, number); }
  S& operator[](Index j) { return numbers[j]; }
  S operator[](Index j) const { return numbers[j]; }
  auto from(Index j) { return Eigen::Map<Lanes>(numbers + j); }
  auto from(Index j) const { return Eigen::Map<const Lanes>(numbers + j); }
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
  void hide(Tile<S, Side::queries> s, Index key, Index query, S number) const {
    S* row = s.data() + key * s.outerStride() + query;
    for (Index lane = 0; lane < OfQueries<S>::lanes; ++lane)
      row[lane] = S(key) >= first[query + lane] && S(key) < last[query + lane] ? row[lane] : number;
  }
  auto seen(Tile<S, Side::keys> s, Index query) const {
    const Index begin = all ? 0 : Index(first[query]), end = all ? s.rows() : Index(last[query]);
    return s.col(query).segment(begin, end - begin);
  }
  void hide(Tile<S, Side::keys> s, Index query) const {
    if (all) return;
    s.col(query).head(Index(first[query])).setZero();
    s.col(query).tail(s.rows() - Index(last[query])).setZero();
  }
};

/// Visits the registers of a tile: f(key, query), a register holds the scores of the queries from there on for the key.
/// Lanes beyond the last query are zero at first.
template <class S, class F>
void each_register(Tile<S, Side::queries> s, F&& f) {
  for (Index j = 0; j < s.cols(); j += OfQueries<S>::lanes)
    for (Index i = 0; i < s.rows(); ++i) f(i, j, Eigen::Map<typename OfQueries<S>::Lanes>(&s.coeffRef(i, 0) + j));
}
template <class S>
void clear_spare_lanes(Tile<S, Side::queries> s) {
  const Index spare = (OfQueries<S>::lanes - s.cols() % OfQueries<S>::lanes) % OfQueries<S>::lanes;
  if (spare == 0) return;
  for (Index i = 0; i < s.rows(); ++i) {
    S* end = s.data() + i * s.outerStride() + s.cols();
    std::fill(end, end + spare, S(0));
  }
}

/// Goes on with the softmax of a block of queries: the scores of a tile become e^(score - top), zero out of sight, and what
/// was summed before is to be multiplied by `keep`.
template <class S>
struct RunningSoftmax {
  static constexpr S nothing = -std::numeric_limits<S>::infinity(), lowest = std::numeric_limits<S>::lowest();
  OfQueries<S> top{nothing}, sum, keep;

  void take(Tile<S, Side::queries> s, const InSight<S>& in) {
    clear_spare_lanes(s);
    using Lanes = typename OfQueries<S>::Lanes;
    for (Index j = 0; j < s.cols(); j += OfQueries<S>::lanes) {
      const auto scores = [&](Index i) { return Eigen::Map<Lanes>(s.data() + i * s.outerStride() + j); };
      if (!in.all)
        for (Index i = 0; i < s.rows(); ++i) in.hide(s, i, j, nothing);
      Lanes highest = top.from(j);
      Index i = 0;
      for (; i + 4 <= s.rows(); i += 4)
        highest = highest.max(scores(i).max(scores(i + 1)).max(scores(i + 2).max(scores(i + 3))));
      for (; i < s.rows(); ++i) highest = highest.max(scores(i));
      const Lanes base = highest.max(lowest);  // of who has seen nothing, too, a number
      keep.from(j) = (top.from(j) - base).exp();
      Lanes total = sum.from(j) * keep.from(j);
      for (i = 0; i < s.rows(); ++i) {
        scores(i) = (scores(i) - base).exp();
        if (!in.all) in.hide(s, i, j, S(0));
        total += scores(i);
      }
      sum.from(j) = total;
      top.from(j) = highest;
    }
  }
  void take(Tile<S, Side::keys> s, const InSight<S>& in) {
    for (Index j = 0; j < s.cols(); ++j) {
      auto seen = in.seen(s, j);
      const S highest = seen.size() > 0 ? std::max(top[j], seen.maxCoeff()) : top[j];
      in.hide(s, j);
      keep[j] = 1;
      if (seen.size() == 0) continue;
      seen.array() = (seen.array() - highest).exp();
      keep[j] = std::exp(top[j] - highest);
      sum[j] = sum[j] * keep[j] + seen.sum();
      top[j] = highest;
    }
  }
  /// keep = 1 / sum, by which what was summed becomes the mean; top = the log-sum-exp. Who saw nothing keeps what he has.
  void finish(Index queries) {
    for (Index j = 0; j < queries; j += OfQueries<S>::lanes) {
      keep.from(j) = sum.from(j).max(std::numeric_limits<S>::min()).inverse();
      top.from(j) += sum.from(j).log();
    }
  }
};

/// The weights are what the softmax says.
struct NoFactor {
  static constexpr bool active() { return false; }
  template <class M>
  void apply(Index, Index, Index, Index, M&&) const {}
  template <class M>
  void backward(Index, Index, Index, Index, M&&) const {}
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

/// Starts attention: nothing seen yet or, with a sink, a key and value of zero (PyTorch's add_zero_attn).
template <class Y, class Lse>
void attention_start(Y&& y, Lse&& lse, bool sink = false) {
  using S = typename Plain<Y>::Scalar;
  y.setZero();
  lse.setConstant(sink ? S(0) : -std::numeric_limits<S>::infinity());
}

/// Visits blocks of queries: f(side, q0, nq), the side being that of the block's tiles.
template <class S, class F>
void each_query_block(Index queries, F&& f) {
  constexpr Index few = Packet<S>::size / 4;
  each_query_tile(queries, [&](Index q0, Index nq) {
    if (nq <= few)
      f(std::integral_constant<Side, Side::keys>(), q0, nq);
    else
      f(std::integral_constant<Side, Side::queries>(), q0, nq);
  });
}

/// y = V softmax(scores), and the log-sum-exp of each query's scores, over these keys and those that were seen before: the
/// softmax goes on from the y and lse that are there. A query that sees nothing keeps y = 0 and lse = -infinity.
///
///   v: V x keys    y: V x queries    lse: 1 x queries
template <class S, class Score, class Lse, class Factor = NoFactor>
void attention_forward(const Score& score, const Sight& sight, Read<S> v, Write<S> y, Lse&& lse,
                       const Factor& factor = {}) {
  each_query_block<S>(y.cols(), [&](auto side, Index q0, Index nq) {
    AttentionTile<S, side> tile;
    RunningSoftmax<S> softmax;
    for (Index j = 0; j < nq; ++j) {
      softmax.top[j] = lse(q0 + j);
      softmax.sum[j] = lse(q0 + j) == softmax.nothing ? S(0) : S(1);
    }
    auto out = y.middleCols(q0, nq);
    const auto scale = [&] {
      for (Index j = 0; j < nq; ++j)
        if (softmax.keep[j] != S(1)) out.col(j) *= softmax.keep[j];
    };
    each_key_tile(sight.keys_of_block(q0, nq, v.cols()), [&](Index k0, Index nk) {
      auto weights = tile.map(nk, nq);
      score.tile(q0, nq, k0, nk, weights);
      softmax.take(weights, InSight<S>(sight, q0, nq, k0, nk));
      scale();
      factor.apply(q0, nq, k0, nk, weights);
      multiply(out, v.middleCols(k0, nk), weights, true);
    });
    softmax.finish(nq);
    scale();
    for (Index j = 0; j < nq; ++j) lse(q0 + j) = softmax.top[j];
  });
}

/// The softmax itself, e^(score - lse), of a tile; zero out of sight.
template <class S>
void softmax_of(Tile<S, Side::queries> s, const OfQueries<S>& lse, const InSight<S>& in) {
  clear_spare_lanes(s);
  each_register<S>(s, [&](Index i, Index j, auto scores) {
    scores = (scores - lse.from(j)).exp();
    if (!in.all) in.hide(s, i, j, S(0));
  });
}
template <class S>
void softmax_of(Tile<S, Side::keys> s, const OfQueries<S>& lse, const InSight<S>& in) {
  for (Index j = 0; j < s.cols(); ++j) {
    auto seen = in.seen(s, j);
    seen.array() = (seen.array() - lse[j]).exp();
    in.hide(s, j);
  }
}

/// slope = factor o (slope - what all keys of a query share)
template <class S>
void softmax_slope(Tile<S, Side::queries> slope, Tile<S, Side::queries> weights, const OfQueries<S>& shared) {
  clear_spare_lanes(slope);
  each_register<S>(slope, [&](Index i, Index j, auto of) {
    of = Eigen::Map<typename OfQueries<S>::Lanes>(&weights.coeffRef(i, 0) + j) * (of - shared.from(j));
  });
}
template <class S>
void softmax_slope(Tile<S, Side::keys> slope, Tile<S, Side::keys> weights, const OfQueries<S>& shared) {
  for (Index j = 0; j < slope.cols(); ++j)
    slope.col(j).array() = weights.col(j).array() * (slope.col(j).array() - shared[j]);
}

/// The gradient of `attention_forward` over these keys: into the score's inputs through the score, into dv unless it is not
/// wanted. y and lse are those of all keys.
//
//   P = e^(scores - lse)    W = F o P    dV += dY W'    dW = V' dY    dscores = W o dW - P (y . dy)    dlog F = W o dW
template <class S, class Score, class Lse, class Factor = NoFactor>
void attention_backward(Score score, const Sight& sight, Read<S> v, Read<S> y, const Lse& lse, Read<S> dy,
                        Gradient<S> dv, Factor factor = {}) {
  each_query_block<S>(y.cols(), [&](auto side, Index q0, Index nq) {
    AttentionTile<S, side> weights_tile, slope_tile;
    OfQueries<S> shared, lse_of;
    for (Index j = 0; j < nq; ++j) {
      shared[j] = y.col(q0 + j).dot(dy.col(q0 + j));
      lse_of[j] = lse(q0 + j);
    }
    const auto dout = dy.middleCols(q0, nq);
    each_key_tile(sight.keys_of_block(q0, nq, v.cols()), [&](Index k0, Index nk) {
      auto weights = weights_tile.map(nk, nq), slope = slope_tile.map(nk, nq);
      const auto values_backward = [&](const auto& used) {
        if (dv.wanted()) multiply(dv.middleCols(k0, nk), dout, used.transpose(), true);
        multiply(slope, v.middleCols(k0, nk).transpose(), dout);
      };
      score.tile(q0, nq, k0, nk, weights);
      softmax_of<S>(weights, lse_of, InSight<S>(sight, q0, nq, k0, nk));
      if (factor.active()) {
        AttentionTile<S, side> used_tile;
        auto used = used_tile.map(nk, nq);
        used = weights;
        factor.apply(q0, nq, k0, nk, used);
        values_backward(used);
        slope.array() *= used.array();
        factor.backward(q0, nq, k0, nk, slope);
        for (Index j = 0; j < nq; ++j) slope.col(j) -= weights.col(j) * shared[j];
      } else {
        values_backward(weights);
        softmax_slope<S>(slope, weights, shared);
      }
      score.backward(q0, nq, k0, nk, slope);
    });
  });
}

/// Visits the weights of a sequence and head: f(key, query, weight).
template <class S, class Score, class Lse, class F, class Factor = NoFactor>
void each_attention_weight(const Score& score, const Sight& sight, const Lse& lse, Index queries, Index keys, F&& f,
                           const Factor& factor = {}) {
  each_query_block<S>(queries, [&](auto side, Index q0, Index nq) {
    AttentionTile<S, side> tile;
    OfQueries<S> lse_of;
    for (Index j = 0; j < nq; ++j) lse_of[j] = lse(q0 + j);
    each_key_tile(sight.keys_of_block(q0, nq, keys), [&](Index k0, Index nk) {
      auto weights = tile.map(nk, nq);
      score.tile(q0, nq, k0, nk, weights);
      softmax_of<S>(weights, lse_of, InSight<S>(sight, q0, nq, k0, nk));
      factor.apply(q0, nq, k0, nk, weights);
      for (Index j = 0; j < nq; ++j)
        for (Index i = 0; i < nk; ++i) f(k0 + i, q0 + j, weights(i, j));
    });
  });
}

/// All weights of a sequence and head, keys x queries.
template <class S, class Score, class Lse, class Factor = NoFactor>
void attention_weights(const Score& score, const Sight& sight, const Lse& lse, Write<S> weights,
                       const Factor& factor = {}) {
  weights.setZero();
  each_attention_weight<S>(
      score, sight, lse, weights.cols(), weights.rows(), [&](Index i, Index j, S w) { weights(i, j) = w; }, factor);
}

}  // namespace heed::detail
