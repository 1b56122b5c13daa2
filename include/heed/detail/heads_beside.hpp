#pragma once
#include "heed/detail/softmax_tile.hpp"
#include "heed/layers/attention_config.hpp"

namespace heed::detail {

// Softmax attention of a query or few over what is remembered. In registers of several lanes heads that are no wider than one lie
// side by side: what their scores, weights and answers are is computed together, each in a group of E numbers of a register.

/// The heads of one query in so many registers:  y = V softmax(scale K' q), a tile of keys at a time (Dao et al. 2022, alg. 1).
/// The scores of E keys fill a register, those of a head in its group.
template <class S, int E, int count>
class HeadsBeside {
  using P = Packet<S>;
  using Type = typename P::Type;
  using Softmax = RunningSoftmax<S>;

 public:
  /// Keys or values: the registers of the first key, and the distance to those of the next.
  struct Rows {
    const S* first;
    Index stride;
    Type load(Index key, Index n) const { return P::load(first + key * stride + n * P::size); }
  };

  HeadsBeside(const S* q, S scale) : by(P::broadcast(scale * log2_e<S>)) {
    unrolled<count>([&](auto n) {
      query[n] = P::load(q + n * P::size), top[n] = P::broadcast(Softmax::nothing), total[n] = P::broadcast(S(0));
      unrolled<chains>([&](auto i) { answers[n][i] = P::broadcast(S(0)); });
    });
  }

  /// The keys from `first` to before `end`, at most as many as fill a tile. Three passes, for the weights need the highest score,
  /// and in a pass of their own the processor sees several of the chains of answers at a time.
  EIGEN_ALWAYS_INLINE void take(Index first, Index end, Rows k, Rows v, S* tile) {
    const Blocks blocks{first, end};
    score(blocks, k, tile);
    blocks.each(tile, [&](Index, auto n, S* at, auto) {
      const Type weights = Softmax::weigh(P::load(at), base[n], by);
      P::store(at, weights);
      total[n] = P::add(total[n], weights);
    });
    blocks.each(tile, [&](Index key, auto n, S* at, auto whole) {
      const Type weights = P::load(at);
      unrolled<E>([&](auto r) {
        Type& answer = answers[n][r % chains];
        answer =
            P::multiply_add(P::template spread_in_groups<E, r>(weights), v.load(blocks.at(key, r, whole), n), answer);
      });
    });
  }

  EIGEN_ALWAYS_INLINE void give(S* y) {
    unrolled<count>([&](auto n) {
      unrolled<chains - 1>([&](auto i) { answers[n][0] = P::add(answers[n][0], answers[n][i + 1]); });
      const Type sum = P::template sum_of_groups<E>(total[n]);
      P::store(y + n * P::size, P::multiply(answers[n][0], Softmax::share_of(sum).packet));
    });
  }

 private:
  /// E keys at a time.
  struct Blocks {
    Index first, end;
    Index rest() const { return (end - first) % E; }
    /// f(its first key, n, its numbers in the tile, whether it is whole)
    template <class F>
    EIGEN_ALWAYS_INLINE void each(S* at, F f) const {
      Index key = first;
      for (; key + E <= end; key += E) unrolled<count>([&](auto n) { f(key, n, at, std::true_type()), at += P::size; });
      if (key < end) unrolled<count>([&](auto n) { f(key, n, at, std::false_type()), at += P::size; });
    }
    /// A block's r-th key. One that is not whole repeats its last, whose weights there are 0.
    template <class Whole>
    Index at(Index key, Index r, Whole) const {
      return Whole::value ? key + r : std::min(key + r, end - 1);
    }
  };

  /// To the tile; what was summed before goes by the new highest scores.
  EIGEN_ALWAYS_INLINE void score(const Blocks& blocks, Rows k, S* tile) {
    const Type nothing = P::broadcast(Softmax::nothing);
    Type highest[count];
    unrolled<count>([&](auto n) { highest[n] = nothing; });
    blocks.each(tile, [&](Index key, auto n, S* at, auto whole) {
      Type products[E];
      unrolled<E>([&](auto r) { products[r] = P::multiply(k.load(blocks.at(key, r, whole), n), query[n]); });
      Type scores = P::template sums_of_groups<E>(products);
      if constexpr (!whole) scores = P::template first_of_groups<E>(blocks.rest(), scores, nothing);
      P::store(at, scores);
      highest[n] = P::max(highest[n], scores);
    });
    unrolled<count>([&](auto n) {
      const Type before = std::exchange(top[n], P::max(top[n], P::template highest_of_groups<E>(highest[n])));
      base[n] = Softmax::base_of(top[n]);
      if (blocks.first == 0) return;
      const Type keep = Softmax::weigh(before, base[n], by);
      total[n] = P::multiply(total[n], keep);
      unrolled<chains>([&](auto i) { answers[n][i] = P::multiply(answers[n][i], keep); });
    });
  }

  static constexpr int chains = 4 / count;  // sums that do not wait for each other
  Type by, query[count], base[count], top[count], total[count], answers[count][chains];
};

/// From the at-th number of a query on, so many registers at a time as long as they are whole. Returns how far it came.
template <int E, int count, class S>
[[gnu::flatten]] Index answer_beside(Index at, const Read<S>& q, const Read<S>& k, const Read<S>& v, S scale,
                                     Write<S> y) {
  constexpr Index width = count * Packet<S>::size;
  alignas(64) S tile[tile_keys / E * width];
  for (; at + width <= q.rows(); at += width) {
    HeadsBeside<S, E, count> heads(q.data() + at, scale);
    for (Index first = 0; first < k.cols(); first += tile_keys)
      heads.take(first, std::min(first + tile_keys, k.cols()), {k.data() + at, k.outerStride()},
                 {v.data() + at, v.outerStride()}, tile);
    heads.give(y.data() + at);
  }
  return at;
}

/// The attention of this Config where all of that fits: few queries, heads that fill registers, and nothing but what is seen of
/// the keys goes into the softmax. Returns whether it does. There is no log-sum-exp.
template <class S, int E = Packet<S>::lane>
bool attend_beside(const AttentionConfig& c, bool training, const Sight& sight, const Read<S>& q, const Read<S>& k,
                   const Read<S>& v, Write<S>& y) {
  using P = Packet<S>;
  if constexpr (P::lane < P::size) {
    if (c.dim != c.heads * E) {
      if constexpr (2 * E <= P::size) return attend_beside<S, 2 * E>(c, training, sight, q, k, v, y);
      return false;
    }
    using enum Position::Kind;
    const bool scores_alone = c.position.kind == none || c.position.kind == rotary;
    const bool keys_alone = c.memory_tokens == 0 && !c.sink && sight.mask.stride == 0;
    constexpr Index most_queries = std::min(4, 32 / E);  // each reads all keys again
    if (q.cols() > most_queries || c.dim % P::size != 0 || c.value_dim != c.dim || c.key_heads != c.heads ||
        !scores_alone || !keys_alone || (training && c.dropout > 0))
      return false;
    const S scale = c.normalise ? S(1) : 1 / std::sqrt(S(E));
    for (Index j = 0; j < q.cols(); ++j) {
      const Interval in = sight.keys(j, 0, k.cols());
      const auto seen = [&](const Read<S>& x) { return x.middleCols(in.begin, in.end - in.begin); };
      const Index done = answer_beside<E, 2, S>(0, q.col(j), seen(k), seen(v), scale, y.col(j));
      answer_beside<E, 1, S>(done, q.col(j), seen(k), seen(v), scale, y.col(j));
    }
    return true;
  }
  return false;
}

}  // namespace heed::detail
