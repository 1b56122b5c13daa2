#pragma once
#include "heed/detail/softmax_tile.hpp"
#include "heed/layers/attention_config.hpp"

namespace heed::detail {

// Softmax attention of a query or few over what is remembered. In registers of several lanes heads that are no wider than one lie
// side by side: what their scores, weights and answers are is computed together, each in a group of E numbers of a register.

/// The heads of one query in so many registers:  y = V softmax(scale K' q), a tile of keys at a time (Dao et al. 2022, alg. 1).
/// The scores of E keys fill a register, those of a head in its group.
template <class S, int E, int count>
struct HeadsBeside {
  using P = Packet<S>;
  using Type = typename P::Type;
  using Softmax = RunningSoftmax<S>;
  static constexpr int chains = 4 / count;  // sums that do not wait for each other
  static constexpr Index width = count * P::size;

  /// Keys or values: the registers of the first key, and the distance to those of the next.
  struct Rows {
    const S* first;
    Index stride;
    Type load(Index key, Index r, Index n) const { return P::load(first + (key + r) * stride + n * P::size); }
  };

  /// The keys of a tile, E at a time.
  struct Blocks {
    Index first, end;
    S* tile;
    Index rest() const { return (end - first) % E; }
    /// f(its first key, n, its numbers in the tile, whether it is whole)
    template <class F>
    EIGEN_ALWAYS_INLINE void each(F f) const {
      S* at = tile;
      Index key = first;
      for (; key + E <= end; key += E) unrolled<count>([&](auto n) { f(key, n, at, std::true_type()), at += P::size; });
      if (key < end) unrolled<count>([&](auto n) { f(key, n, at, std::false_type()), at += P::size; });
    }
    /// Where the r-th key of a block is counted from its first. A block that is not whole repeats its last, whose weights there
    /// are 0.
    template <class Whole>
    Index nth(Index key, Index r, Whole) const {
      return Whole::value ? r : std::min(r, end - 1 - key);
    }
  };

  /// To the tile, and the highest of each number of a register.
  EIGEN_ALWAYS_INLINE static void score(const Blocks& blocks, Rows k, const Type (&query)[count],
                                        Type (&highest)[count]) {
    const Type nothing = P::broadcast(Softmax::nothing);
    unrolled<count>([&](auto n) { highest[n] = nothing; });
    blocks.each([&](Index key, auto n, S* at, auto whole) {
      Type products[E];
      unrolled<E>([&](auto r) { products[r] = P::multiply(k.load(key, blocks.nth(key, r, whole), n), query[n]); });
      Type scores = P::template sums_of_groups<E>(products);
      if constexpr (!whole) scores = P::template first_of_groups<E>(blocks.rest(), scores, nothing);
      P::store(at, scores);
      highest[n] = P::max(highest[n], scores);
    });
  }
  /// Scores in the tile become weights.
  EIGEN_ALWAYS_INLINE static void weigh(const Blocks& blocks, const Type (&base)[count], const Type& by,
                                        Type (&total)[count]) {
    blocks.each([&](Index, auto n, S* at, auto) {
      const Type weights = Softmax::weigh(P::load(at), base[n], by);
      P::store(at, weights);
      total[n] = P::add(total[n], weights);
    });
  }
  EIGEN_ALWAYS_INLINE static void answer(const Blocks& blocks, Rows v, Type (&answers)[count][chains]) {
    blocks.each([&](Index key, auto n, S* at, auto whole) {
      const Type weights = P::load(at);
      unrolled<E>([&](auto r) {
        Type& sum = answers[n][r % chains];
        sum = P::multiply_add(P::template spread_in_groups<E, r>(weights), v.load(key, blocks.nth(key, r, whole), n),
                              sum);
      });
    });
  }

  [[gnu::flatten]] static void attend(Index keys, const S* q, Rows k, Rows v, S scale, S* y) {
    const Type by = P::broadcast(scale * log2_e<S>);
    Type query[count], highest[count], base[count], top[count], total[count], answers[count][chains];
    unrolled<count>([&](auto n) {
      query[n] = P::load(q + n * P::size), top[n] = P::broadcast(Softmax::nothing), total[n] = P::broadcast(S(0));
      unrolled<chains>([&](auto i) { answers[n][i] = P::broadcast(S(0)); });
    });
    alignas(64) S tile[tile_keys / E * width];
    for (Index first = 0; first < keys; first += tile_keys) {
      // Three passes, for the weights need the highest score, and in a pass of their own the processor sees several of the
      // chains of answers at a time.
      const Blocks blocks{first, std::min(first + tile_keys, keys), tile};
      score(blocks, k, query, highest);
      unrolled<count>([&](auto n) {  // what was summed before goes by the new highest scores
        const Type before = std::exchange(top[n], P::max(top[n], P::template highest_of_groups<E>(highest[n])));
        base[n] = Softmax::base_of(top[n]);
        if (first == 0) return;
        const Type keep = Softmax::weigh(before, base[n], by);
        total[n] = P::multiply(total[n], keep);
        unrolled<chains>([&](auto i) { answers[n][i] = P::multiply(answers[n][i], keep); });
      });
      weigh(blocks, base, by, total);
      answer(blocks, v, answers);
    }
    unrolled<count>([&](auto n) {
      unrolled<chains - 1>([&](auto i) { answers[n][0] = P::add(answers[n][0], answers[n][i + 1]); });
      const Type sum = P::template sum_of_groups<E>(total[n]);
      P::store(y + n * P::size, P::multiply(answers[n][0], Softmax::share_of(sum).packet));
    });
  }
};

/// From the at-th number of a query on, so many registers at a time as long as they are whole. Returns how far it came.
template <int E, int count, class S>
Index answer_beside(Index at, const Read<S>& q, const Read<S>& k, const Read<S>& v, S scale, Write<S> y) {
  using Heads = HeadsBeside<S, E, count>;
  for (; at + Heads::width <= q.rows(); at += Heads::width)
    Heads::attend(k.cols(), q.data() + at, {k.data() + at, k.outerStride()}, {v.data() + at, v.outerStride()}, scale,
                  y.data() + at);
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
