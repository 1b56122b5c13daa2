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
//   score.backward(q0, nq, k0, nk, ds)      adds what follows for the score's inputs; ds may be used up
//
// A Score whose queries are best laid side by side once for all tiles of a block has two functions for that:
//
//   score.queries()                         E x queries
//   score.tile(q0, nq, k0, nk, s, turned)   turned: where those of the block lie side by side, or null
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

/// A tile of scores; turned: its queries where they lie side by side, or null
template <class S, class Score, class M>
void score_tile(const Score& score, Index q0, Index nq, Index k0, Index nk, M&& s, const S* turned) {
  if constexpr (requires { score.queries(); })
    score.tile(q0, nq, k0, nk, s, turned);
  else
    score.tile(q0, nq, k0, nk, s);
}

/// The answers of a block of queries, of heads that share a tile, while keys are still to come. Where queries lie side by side
/// in the tile they do so here; otherwise, and where heads are wide, answers are summed where they are to lie at last.
template <class S, Side side>
class RunningAnswers {
 public:
  explicit RunningAnswers(Index rows) : rows_(rows), turned_(side == Side::queries && TurnedQueries<S>::fit(rows)) {}

  /// Goes on from answers y of the head whose queries begin at this column.
  void take(Index column, Write<S> y) {
    if (turned_) room_.take(column, y, y.cols());
  }
  void give(Index column, Write<S> y) {
    if (turned_) room_.give(column, y);
  }
  /// y: where the answers are to lie at last. The weights may have columns beyond those of y, as turned queries do.
  template <class M>
  void add(Index column, Write<S> y, Read<S> values, const M& weights, bool add) {
    if constexpr (side == Side::queries)
      if (turned_) {
        S* c = room_.from(column);
        return product<Stored::as_is, Stored::transposed>(weights.cols(), rows_, weights.rows(), weights.data(),
                                                          weights.outerStride(), values.data(), values.outerStride(), c,
                                                          room_.stride, add ? Addend<S>{c, room_.stride} : Addend<S>());
      }
    multiply(y, values, weights.leftCols(y.cols()), add);
  }
  /// Times keep. each_head(f): f(column, y) for each head
  template <class EachHead>
  void scale(Index columns, const OfQueries<S>& keep, EachHead&& each_head) {
    if (turned_) return room_.scale(rows_, columns, keep);
    each_head([&](Index column, Write<S> y) {
      scale_columns(rows_, y.cols(), y.data(), y.outerStride(), keep.numbers + column);
    });
  }

 private:
  Index rows_;
  bool turned_;
  TurnedQueries<S> room_;
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
    constexpr bool can_turn = side == Side::queries && requires { heads.queries(0); };
    AttentionTile<S, side> tile;
    TurnedQueries<S> queries;
    RunningAnswers<S, side> answers(rows);
    bool turned = false;
    if constexpr (can_turn) turned = queries.fit(heads.queries(0).rows());
    const Index span = turned ? queries.span(nq) : nq, at_once = tile_queries / span;
    for (Index first = 0; first < heads.count(); first += at_once) {
      const Index count = std::min(at_once, heads.count() - first);
      const auto each_head = [&](auto&& f) {  // f(head, its first column)
        for (Index h = 0; h < count; ++h) f(first + h, h * span);
      };
      const auto out = [&](Index h) { return Write<S>(y.block(h * rows, q0, rows, nq)); };
      RunningSoftmax<S> softmax;
      const auto scale = [&] {
        answers.scale(count * span, softmax.keep,
                      [&](auto&& f) { each_head([&](Index h, Index column) { f(column, out(h)); }); });
      };
      bool empty = fresh;
      if (!fresh)
        each_head([&](Index h, Index column) {
          answers.take(column, out(h));
          for (Index j = 0; j < nq; ++j) {
            const S before = lse(h, q0 + j);
            softmax.top[column + j] = before;
            softmax.sum[column + j] = before == softmax.nothing ? S(0) : S(1);
          }
        });
      if constexpr (can_turn)
        if (turned)
          each_head([&](Index h, Index column) { queries.take(column, heads.queries(h).middleCols(q0, nq), span); });
      each_key_tile(sight.keys_of_block(q0, nq, heads.keys()), [&](Index k0, Index nk) {
        auto weights = tile.map(nk, count * span);
        S unscaled = 1;
        each_head([&](Index h, Index column) {
          const auto& score = heads.score(h);
          score_tile(score, q0, nq, k0, nk, tile.map(nk, nq, column), turned ? queries.from(column) : nullptr);
          unscaled = score.unscaled();
        });
        softmax.take(weights, unscaled, InSight<S>(sight, q0, nq, k0, nk, count, span));
        if (!empty) scale();
        each_head([&](Index h, Index column) {
          heads.factor(h).apply(q0, nq, k0, nk, tile.map(nk, nq, column));
          answers.add(column, out(h), heads.values(h).middleCols(k0, nk), tile.map(nk, span, column), !empty);
        });
        empty = false;
      });
      softmax.finish(count * span);
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
/// wanted. y and lse are those of all keys.
//
//   P = e^(scores - lse)    W = F o P    dV += dY W'    dW = V' dY    dscores = W o dW - P (y . dy)    dlog F = W o dW
template <class S, class Score, class Lse, class Factor = NoFactor>
void attention_backward(Score score, const Sight& sight, Read<S> v, Read<S> y, const Lse& lse, Read<S> dy,
                        Gradient<S> dv, Factor factor = {}) {
  each_query_block<S>(y.cols(), [&](auto side, Index q0, Index nq) {
    AttentionTile<S, side> weights_tile, slope_tile;
    OfQueries<S> shared(0), lse_of(0);
    TurnedQueries<S> queries, turned_dout;
    const S* turned = nullptr;
    if constexpr (side == Side::queries && requires { score.queries(); })
      if (queries.fit(score.queries().rows())) {
        queries.take(0, score.queries().middleCols(q0, nq), queries.span(nq));
        turned = queries.from(0);
      }
    for (Index j = 0; j < nq; ++j) {
      product_dots<int(lanes<S>)>(1, y.rows(), y.col(q0 + j).data(), 0, dy.col(q0 + j).data(), &shared[j],
                                  static_cast<const S*>(nullptr));
      lse_of[j] = lse(q0 + j);
    }
    const auto dout = dy.middleCols(q0, nq);
    const bool turns = side == Side::queries && turned_dout.fit(dy.rows());
    if (turns) turned_dout.take(0, dout, turned_dout.span(nq));
    each_key_tile(sight.keys_of_block(q0, nq, v.cols()), [&](Index k0, Index nk) {
      auto weights = weights_tile.map(nk, nq), slope = slope_tile.map(nk, nq);
      const auto values_backward = [&](const auto& used) {
        if (dv.wanted()) multiply(dv.middleCols(k0, nk), dout, used.transpose(), true);
        if (turns)
          turned_dout.multiply(nq, turned_dout.from(0), v.middleCols(k0, nk), slope);
        else
          multiply(slope, v.middleCols(k0, nk).transpose(), dout);
      };
      score_tile(score, q0, nq, k0, nk, weights, turned);
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
