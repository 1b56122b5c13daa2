#pragma once
#include "heed/detail/elementwise.hpp"

namespace heed::detail {

// What additive attention makes of columns x_j, in one pass forward and one backward:
//
//   u_j = tanh(x_j + c_j)    e_j = v . u_j
//   du_j = v de_j o (1 - u_j^2)    dv += u de'    dc += the sum of du_j

/// Columns of numbers, so far apart; no distance where one stands for all.
template <class S>
struct ColumnsAt {
  const S* first;
  Index stride;
  /// `count` numbers from row i on, as many as a register holds or fewer.
  Register<S> operator()(Index i, Index j, Index count) const { return load(first + i + j * stride, count); }
};

/// e: a number for each column. u_of(i, j, count): u, so many rows of it from the i-th on.
template <class S, class U>
[[gnu::flatten]] void additive_scores(Index rows, Index columns, const S* v, S* e, U u_of) {
  using P = Packet<S>;
  const ColumnsAt<S> weights{v, 0};
  const auto score = [&](Index j) {  // to be summed
    Register<S> sum = S(0);
    const auto add = [&](Index i, Index count) { sum = multiply_add(u_of(i, j, count), weights(i, 0, count), sum); };
    Index i = 0;
    for (; i + P::size <= rows; i += P::size) add(i, P::size);
    if (i < rows) add(i, rows - i);
    return sum.packet;
  };
  constexpr int together = int(std::min(P::size, Index(8)));
  Index j = 0;
  for (; j + together <= columns; j += together) {
    typename P::Type sums[together];
    unrolled<together>([&](auto r) { sums[r] = score(j + r); });
    Packet<S, together>::store(e + j, P::template sums<together>(sums));
  }
  for (; j < columns; ++j) e[j] = P::sum(score(j));
}

/// dv and dc are added to, from row i on, a strip of so many registers at a time. give(i, j, count, du) takes du, as it comes.
template <class S, int strip = (Packet<S>::registers >= 32 ? 4 : 2), class U, class Give>
[[gnu::flatten]] void additive_scores_backward(Index rows, Index columns, const S* v, const S* de, S* dv, S* dc, U u_of,
                                               Give give, Index i = 0) {
  constexpr Index size = Packet<S>::size;
  const auto pass = [&](Index count) {
    Register<S> of_v[strip], sum_v[strip], sum_c[strip];
    unrolled<strip>([&](auto k) {
      const Index at = i + k * size;
      of_v[k] = ColumnsAt<S>{v, 0}(at, 0, count);
      sum_v[k] = ColumnsAt<S>{dv, 0}(at, 0, count);
      sum_c[k] = ColumnsAt<S>{dc, 0}(at, 0, count);
    });
    for (Index j = 0; j < columns; ++j)
      unrolled<strip>([&](auto k) {
        const Register<S> u = u_of(i + k * size, j, count), du = of_v[k] * Register<S>(de[j]) * (S(1) - u * u);
        sum_v[k] = multiply_add(u, Register<S>(de[j]), sum_v[k]);
        sum_c[k] += du;
        give(i + k * size, j, count, du);
      });
    unrolled<strip>([&](auto k) {
      store(dv + i + k * size, sum_v[k], count);
      store(dc + i + k * size, sum_c[k], count);
    });
  };
  for (; i + strip * size <= rows; i += strip * size) pass(size);
  if constexpr (strip > 1)
    additive_scores_backward<S, 1>(rows, columns, v, de, dv, dc, u_of, give, i);
  else if (i < rows)
    pass(rows - i);
}

}  // namespace heed::detail
