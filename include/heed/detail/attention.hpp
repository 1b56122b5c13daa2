#pragma once
#include "heed/detail/product.hpp"
#include "heed/detail/softmax_tile.hpp"

namespace heed::detail {

// All softmax attention goes through the functions below, over one sequence and one head, a tile of queries and keys at a
// time, so that no more than a tile of scores is ever stored (Dao et al. 2022, alg. 1 and 4). What the scores are is said
// by a Score, which computes a tile of them and takes the gradient of a tile:
//
//   score.tile(q0, nq, k0, nk, s)           s(i, j) = the score of key k0 + i for query q0 + j
//   score.unscaled()                        what is left to multiply it by; 1 where nothing is
//   score.backward(q0, nq, k0, nk, ds)      adds what follows for the score's inputs; ds may be used up. One of products
//                                           overwrites gradients that do not add: in the tiles of the first keys that of
//                                           the queries, in those of the first queries that of the keys
//
// A Score of products has two functions more, so that the queries of a block can be laid side by side once for all of its tiles:
//
//   score.queries()                           E x queries
//   score.tile(q0, nq, k0, nk, s, of_block)   of_block: those of the block; it and s may have columns beyond nq
//
// What multiplies the weights after the softmax (dropout, a Gaussian around a place) is said by a Factor:
//
//   factor.active()                         whether it does anything
//   factor.apply(q0, nq, k0, nk, w)         multiplies a tile of weights
//   factor.backward(q0, nq, k0, nk, dlog)   takes the gradient of the logarithm of a tile of factors

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

/// A tile of scores. There, if anywhere, the queries of the block lie side by side, from a column on.
template <class S, Side side, class Score, class M>
void score_tile(const Score& score, Index q0, Index nq, Index k0, Index nk, M&& s, SideBySide<S, side>* there,
                Index first = 0) {
  if constexpr (side == Side::queries && requires { score.queries(); })
    if (there) return score.tile(q0, nq, k0, nk, s, there->map(score.queries().rows(), s.cols(), first));
  score.tile(q0, nq, k0, nk, s);
}

/// The answers of a block of queries, of heads that share a tile, while keys are still to come: side by side as the queries are
/// in the tile, or where they are to lie at last.
template <class S, Side side>
class RunningAnswers {
 public:
  explicit RunningAnswers(Index rows) : rows_(rows), here_(SideBySide<S, side>::fit(rows)) {}

  /// Goes on from the answers y of the head whose queries begin at this column.
  void take(Index first, Write<S> y) {
    if (here_) room_.take(first, y);
  }
  void give(Index first, Write<S> y) {
    if (here_) room_.give(first, y);
  }
  /// The weights may have columns beyond those of y.
  template <class M>
  void multiply(Index first, Write<S> y, Read<S> values, const M& weights, bool add) {
    if (here_)
      detail::multiply(room_.map(rows_, weights.cols(), first), values, weights, add);
    else
      detail::multiply(y, values, weights.leftCols(y.cols()), add);
  }
  /// Column j of all heads times by[j]; says whether it did.
  bool scale(Index columns, const OfQueries<S>& by) {
    if (here_) room_.scale(rows_, columns, by);
    return here_;
  }

 private:
  Index rows_;
  bool here_;
  SideBySide<S, side> room_;
};

/// Y = V softmax(scores) for each head, and the log-sum-exp of each query's scores, over these keys and, unless it is fresh,
/// those that were seen before: the softmax goes on from the y and lse that are there. A query that sees nothing has y = 0 and
/// lse = -infinity.
///
///   y: (heads V) x queries    lse: heads x queries    heads.count()    heads.keys(): how many
///   heads.score(h)    heads.queries(h): of scores that have them    heads.values(h): V x keys    heads.factor(h)
///
/// Where queries are few, the columns of a tile are those of many heads, which then go through the softmax together.
template <class S, class Heads, class Lse>
void attention_forward(Heads&& heads, const Sight& sight, Write<S> y, Lse&& lse, bool fresh) {
  const Index rows = y.rows() / heads.count();
  each_query_block<S>(y.cols(), [&](auto side, Index q0, Index nq) {
    AttentionTile<S, side> tile;
    SideBySide<S, side> queries;
    RunningAnswers<S, side> answers(rows);
    bool beside = false;
    if constexpr (requires { heads.queries(0); }) beside = queries.fit(heads.queries(0).rows());
    const Index span = beside ? queries.span(nq) : nq, at_once = tile_queries / span;
    for (Index first = 0; first < heads.count(); first += at_once) {
      const Index count = std::min(at_once, heads.count() - first);
      const auto each_head = [&](auto&& f) {  // f(head, its first column)
        for (Index h = 0; h < count; ++h) f(first + h, h * span);
      };
      const auto out = [&](Index h) { return Write<S>(y.block(h * rows, q0, rows, nq)); };
      RunningSoftmax<S> softmax;
      const auto scale = [&] {
        if (answers.scale(count * span, softmax.keep)) return;
        each_head([&](Index h, Index column) {
          scale_columns(rows, nq, out(h).data(), y.outerStride(), softmax.keep.numbers + column);
        });
      };
      bool empty = fresh;
      S unscaled = fresh ? S(1) : heads.score(first).unscaled();  // of all heads alike
      if (!fresh)
        each_head([&](Index h, Index column) {
          answers.take(column, out(h));
          for (Index j = 0; j < nq; ++j) softmax.resume(column + j, lse(h, q0 + j), unscaled);
        });
      if constexpr (requires { heads.queries(0); })
        if (beside)
          each_head([&](Index h, Index column) {
            queries.take(column, heads.queries(h).middleCols(q0, nq));
            queries.clear(heads.queries(h).rows(), column + nq, column + span);
          });
      each_key_tile(sight.keys_of_block(q0, nq, heads.keys()), [&](Index k0, Index nk) {
        auto weights = tile.map(nk, count * span);
        each_head([&](Index h, Index column) {
          const auto& score = heads.score(h);
          score_tile(score, q0, nq, k0, nk, tile.map(nk, span, column), beside ? &queries : nullptr, column);
          unscaled = score.unscaled();
        });
        softmax.take(weights, unscaled, InSight<S>(sight, q0, nq, k0, nk, count, span));
        if (!empty) scale();
        each_head([&](Index h, Index column) {
          heads.factor(h).apply(q0, nq, k0, nk, tile.map(nk, nq, column));
          answers.multiply(column, out(h), heads.values(h).middleCols(k0, nk), tile.map(nk, span, column), !empty);
        });
        empty = false;
      });
      softmax.finish(count * span, unscaled);
      if (!empty) scale();
      each_head([&](Index h, Index column) {
        if (empty)
          out(h).setZero();
        else
          answers.give(column, out(h));
        for (Index j = 0; j < nq; ++j) lse(h, q0 + j) = softmax.top[column + j];
      });
    }
  });
}

/// A score, its values (V x keys) and a factor as `attention_forward` asks for heads.
template <class S, class Score, class Factor>
struct OneHead {
  const Score& score_;
  const Read<S>& v;
  const Factor& factor_;

  static Index count() { return 1; }
  Index keys() const { return v.cols(); }
  const Score& score(Index) const { return score_; }
  const Read<S>& queries(Index) const requires requires(const Score& s) { s.queries(); }
  { return score_.queries(); }
  const Read<S>& values(Index) const { return v; }
  const Factor& factor(Index) const { return factor_; }
};
/// One head alone, over all that its queries see.    v: V x keys    y: V x queries    lse: 1 x queries
template <class S, class Score, class Lse, class Factor = NoFactor>
void attention_forward(const Score& score, const Sight& sight, Read<S> v, Write<S> y, Lse&& lse,
                       const Factor& factor = {}) {
  attention_forward<S>(OneHead<S, Score, Factor>{score, v, factor}, sight, y, lse, true);
}

/// The gradient of `attention_forward` over these keys: into the score's inputs through the score, into dv unless it is not
/// wanted. y and lse are those of all keys. dv is added to; where it does not say so, tiles of the first queries overwrite
/// it, which is right where each query sees every key and no other head or part has the same values.
//
//   P = e^(scores - lse)    W = F o P    dV += dY W'    dW = V' dY    dscores = W o dW - P (y . dy)    dlog F = W o dW
template <class S, class Score, class Lse, class Factor = NoFactor>
void attention_backward(Score score, const Sight& sight, Read<S> v, Read<S> y, const Lse& lse, Read<S> dy,
                        Gradient<S> dv, Factor factor = {}) {
  each_query_block<S>(y.cols(), [&](auto side, Index q0, Index nq) {
    AttentionTile<S, side> weights_tile, slope_tile;
    OfQueries<S> shared(0), lse_of(0);
    SideBySide<S, side> queries, slopes;
    const auto lay = [&](auto& there, const auto& x) {
      const bool fits = there.fit(x.rows());
      if (fits) there.take(0, x), there.clear(x.rows(), nq, there.span(nq));
      return fits;
    };
    const auto dout = dy.middleCols(q0, nq);
    const bool dout_beside = lay(slopes, dout);
    bool beside = false;
    if constexpr (requires { score.queries(); }) beside = lay(queries, score.queries().middleCols(q0, nq));
    for (Index j = 0; j < nq; ++j) {
      shared[j] = dot(y.rows(), y.col(q0 + j).data(), dy.col(q0 + j).data());
      lse_of[j] = lse(q0 + j);
    }
    each_key_tile(sight.keys_of_block(q0, nq, v.cols()), [&](Index k0, Index nk) {
      const auto columns = [&](bool there) { return there ? queries.span(nq) : nq; };
      auto weights = weights_tile.map(nk, nq), slope = slope_tile.map(nk, nq);
      const auto values_backward = [&](const auto& used) {
        if (dv.wanted()) multiply(dv.middleCols(k0, nk), dout, used.transpose(), dv.adds() || q0 > 0);
        const auto keys = v.middleCols(k0, nk).transpose();
        if (dout_beside)
          multiply(slope_tile.map(nk, columns(true)), keys, slopes.map(v.rows(), columns(true), 0));
        else
          multiply(slope, keys, dout);
      };
      score_tile(score, q0, nq, k0, nk, weights_tile.map(nk, columns(beside)), beside ? &queries : nullptr);
      softmax_of<S>(weights, score.unscaled(), lse_of, InSight<S>(sight, q0, nq, k0, nk));
      if (factor.active()) {
        AttentionTile<S, side> used_tile;
        auto used = used_tile.map(nk, nq);
        used = weights;
        factor.apply(q0, nq, k0, nk, used);
        values_backward(used);
        slope.array() *= used.array();
        factor.backward(q0, nq, k0, nk, slope);
        for (Index j = 0; j < nq; ++j) slope.col(j) = score.unscaled() * (slope.col(j) - weights.col(j) * shared[j]);
      } else {
        values_backward(weights);
        softmax_slope<S>(slope, weights, score.unscaled(), shared);
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
    OfQueries<S> lse_of(0);
    for (Index j = 0; j < nq; ++j) lse_of[j] = lse(q0 + j);
    each_key_tile(sight.keys_of_block(q0, nq, keys), [&](Index k0, Index nk) {
      auto weights = tile.map(nk, nq);
      score.tile(q0, nq, k0, nk, weights);
      softmax_of<S>(weights, score.unscaled(), lse_of, InSight<S>(sight, q0, nq, k0, nk));
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
