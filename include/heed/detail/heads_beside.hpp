#pragma once
#include "heed/detail/softmax_tile.hpp"
#include "heed/layers/attention_config.hpp"

namespace heed::detail {

// Softmax attention of a query or few, as acting asks for it. In registers of several lanes heads that are no wider than one lie
// side by side: what their scores, weights and answers are is computed together, each in a group of E numbers of a register.

/// The heads of so many registers:  y = V softmax(scale K' q) and, unless null, the log-sum-exp, in each number of its group.
///
///   q, y, lse: those registers    k, v: the same numbers of the first key, and the distance to those of the next
template <int E, int count, class S>
[[gnu::flatten]] void attend_beside(Index keys, const S* q, const S* k, Index k_stride, const S* v, Index v_stride,
                                    S scale, S* y, S* lse) {
  using P = Packet<S>;
  using Type = typename P::Type;
  using Softmax = RunningSoftmax<S>;
  constexpr int chains = 4 / count;  // sums that do not wait for each other
  const Type by = P::broadcast(scale * log2_e<S>), nothing = P::broadcast(Softmax::nothing);
  Type query[count], highest[count], base[count], top[count], total[count], answers[count][chains];
  unrolled<count>([&](auto n) {
    query[n] = P::load(q + n * P::size), top[n] = nothing, total[n] = P::broadcast(S(0));
    unrolled<chains>([&](auto i) { answers[n][i] = P::broadcast(S(0)); });
  });
  alignas(64) S tile[tile_keys / E * count * P::size];
  for (Index begin = 0; begin < keys; begin += tile_keys) {
    const Index here = std::min(tile_keys, keys - begin), rest = here % E;
    const auto each_block = [&](auto f) {  // f(its first key, n, its numbers in the tile, whether it is whole)
      S* at = tile;
      for (Index i = 0; i < here - rest; i += E)
        unrolled<count>([&](auto n) { f(begin + i, n, at, std::true_type()), at += P::size; });
      if (rest > 0) unrolled<count>([&](auto n) { f(begin + here - rest, n, at, std::false_type()), at += P::size; });
    };
    const auto numbers = [keys](const S* of, Index stride, Index first, auto r, auto n, auto whole) {
      return P::load(of + first * stride + n * P::size +
                     (whole ? Index(r) : std::min(Index(r), keys - 1 - first)) * stride);
    };
    unrolled<count>([&](auto n) { highest[n] = nothing; });
    each_block([&](Index first, auto n, S* at, auto whole) {
      Type products[E];
      unrolled<E>([&](auto r) { products[r] = P::multiply(numbers(k, k_stride, first, r, n, whole), query[n]); });
      Type scores = P::template sums_of_groups<E>(products);
      if constexpr (!whole) scores = P::template first_of_groups<E>(rest, scores, nothing);
      P::store(at, scores);
      highest[n] = P::max(highest[n], scores);
    });
    unrolled<count>([&](auto n) {
      const Type before = std::exchange(top[n], P::max(top[n], P::template highest_of_groups<E>(highest[n])));
      base[n] = Softmax::base_of(top[n]);
      if (begin == 0) return;
      const Type keep = Softmax::weigh(before, base[n], by);
      total[n] = P::multiply(total[n], keep);
      unrolled<chains>([&](auto i) { answers[n][i] = P::multiply(answers[n][i], keep); });
    });
    each_block([&](Index, auto n, S* at, auto) {
      const Type weights = Softmax::weigh(P::load(at), base[n], by);
      P::store(at, weights);
      total[n] = P::add(total[n], weights);
    });
    // A pass of its own: so the processor sees several of the chains above at a time.
    each_block([&](Index first, auto n, S* at, auto whole) {
      const Type weights = P::load(at);
      unrolled<E>([&](auto r) {
        Type& answer = answers[n][r % chains];
        answer = P::multiply_add(P::template spread_in_groups<E, r>(weights), numbers(v, v_stride, first, r, n, whole),
                                 answer);
      });
    });
  }
  unrolled<count>([&](auto n) {
    unrolled<chains - 1>([&](auto i) { answers[n][0] = P::add(answers[n][0], answers[n][i + 1]); });
    const Type sum = P::template sum_of_groups<E>(total[n]);
    P::store(y + n * P::size, P::multiply(answers[n][0], Softmax::share_of(sum).packet));
    if (lse) P::store(lse + n * P::size, Softmax::log_sum_exp(top[n], sum, scale).packet);
  });
}

/// All heads of a query, E numbers each; lse: a number for each head.
template <int E, class S>
void attend_beside(const Read<S>& q, const Read<S>& k, const Read<S>& v, S scale, Write<S> y, S* lse) {
  constexpr Index size = Packet<S>::size;
  Index at = 0;
  const auto registers = [&](auto count) {
    for (; at + count * size <= q.rows(); at += count * size) {
      S lse_of[count * size];
      attend_beside<E, count>(k.cols(), q.data() + at, k.data() + at, k.outerStride(), v.data() + at, v.outerStride(),
                              scale, y.data() + at, lse ? lse_of : lse);
      for (Index i = 0; i < count * size && lse; i += E) lse[(at + i) / E] = lse_of[i];
    }
  };
  registers(std::integral_constant<int, 2>());
  registers(std::integral_constant<int, 1>());
}

/// The attention of this Config where all of that fits: few queries, heads that fill registers, and nothing but what is seen of
/// the keys goes into the softmax. Returns whether it does. The log-sum-exp, heads x queries, may be null.
template <class S, int E = Packet<S>::lane>
bool attend_beside(const AttentionConfig& c, bool training, const Sight& sight, const Read<S>& q, const Read<S>& k,
                   const Read<S>& v, Write<S>& y, Write<S>* lse) {
  using P = Packet<S>;
  if constexpr (P::lane < P::size) {
    if (c.dim != c.heads * E) {
      if constexpr (2 * E <= P::size) return attend_beside<S, 2 * E>(c, training, sight, q, k, v, y, lse);
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
      attend_beside<E, S>(q.col(j), seen(k), seen(v), scale, y.col(j), lse ? lse->col(j).data() : nullptr);
    }
    return true;
  }
  return false;
}

}  // namespace heed::detail
