#pragma once
#include "heed/detail/packet.hpp"

namespace heed::detail {

// What detail/product.hpp makes products of: C = F + A B for a few registers of rows.

using Eigen::Index;

enum class Stored { as_is, transposed };

/// A matrix of one storage order: element (i, j), i going along the shorter distance.
template <Stored order>
constexpr Index along(Index i, Index j, Index stride) {
  return order == Stored::as_is ? i + j * stride : j + i * stride;
}

/// F in C = F + A B: C as it was, a column that is the same for all, or nothing.
template <class S>
struct Addend {
  const S* first = nullptr;
  Index stride = 0;

  explicit operator bool() const { return first; }
  Addend from(Index i, Index j) const { return first ? Addend{first + i + j * stride, stride} : *this; }
  const S* at(Index i, Index j) const { return first + i + j * stride; }
};

/// A tile of C, H packets high and N columns wide, kept in registers:  C = F + sum over p of a(:, p) b(p, :), depth > 0
/// a(i, p) lies at a[i + p lda].
template <int Size, int H, int N, Stored B, class S>
void product_tile(Index depth, const S* a, Index lda, const S* b, Index ldb, S* c, Index ldc, Addend<S> f) {
  using P = Packet<S, Size>;
  constexpr int chains = H * N < 4 ? 4 : H * N < 8 ? 2 : 1;  // sums that do not wait for each other
  typename P::Type sum[chains][N * H];
  const auto step = [&](Index p, auto& of_chain, auto together) {
    typename P::Type column[H];
    unrolled<H>([&](auto h) { column[h] = P::load(a + p * lda + h * P::size); });
    unrolled<N>([&](auto j) {
      const auto w = P::load_one(b + along<B>(p, j, ldb));
      unrolled<H>([&](auto h) { of_chain[j * H + h] = together(column[h], w, of_chain[j * H + h]); });
    });
  };
  const auto add = [](const auto& x, const auto& w, const auto& before) { return P::multiply_add(x, w, before); };
  Index p = 0;
  if constexpr (chains == 1)
    step(p++, sum[0], [](const auto& x, const auto& w, const auto&) { return P::multiply(x, w); });
  else
    unrolled<chains * N * H>([&](auto k) { sum[k / (N * H)][k % (N * H)] = P::broadcast(S(0)); });
  for (; p + chains <= depth; p += chains) unrolled<chains>([&](auto chain) { step(p + chain, sum[chain], add); });
  if constexpr (chains > 1)
    for (; p < depth; ++p) step(p, sum[0], add);
  unrolled<N * H>(
      [&](auto k) { unrolled<chains - 1>([&](auto chain) { sum[0][k] = P::add(sum[0][k], sum[chain + 1][k]); }); });
  if (f) unrolled<N * H>([&](auto k) { sum[0][k] = P::add(P::load(f.at(k % H * P::size, k / H)), sum[0][k]); });
  unrolled<N * H>([&](auto k) { P::store(c + k % H * P::size + k / H * ldc, sum[0][k]); });
}

/// N columns of a strip of C from the j-th on. In line: a call on the way to the tile costs what small products notice.
template <int Size, int H, int N, Stored B, class S>
EIGEN_ALWAYS_INLINE void product_columns(Index rows, Index j, Index depth, const S* a, Index lda, const S* b, Index ldb,
                                         S* c, Index ldc, Addend<S> f) {
  constexpr Index height = H * Packet<S, Size>::size;
  const S* from = b + along<B>(0, j, ldb);
  if (rows == height) return product_tile<Size, H, N, B>(depth, a, lda, from, ldb, c + j * ldc, ldc, f.from(0, j));
  S aside[N * height];
  product_tile<Size, H, N, B>(depth, a, lda, from, ldb, aside, height, {});
  for (int k = 0; k < N; ++k)
    for (Index i = 0; i < rows; ++i) c[i + (j + k) * ldc] = (f ? *f.at(i, j + k) : S(0)) + aside[i + k * height];
}

/// A strip of C, H packets high and n columns wide. A strip of fewer rows is computed aside.
template <int Size, int H, Stored B, class S>
void product_strip(Index rows, Index n, Index depth, const S* a, Index lda, const S* b, Index ldb, S* c, Index ldc,
                   Addend<S> f) {
  constexpr int widest = H == 1 || Packet<S, Size>::registers >= 32 ? 8 : 6;  // enough to keep the units busy
  Index j = 0;
  for (; j + widest <= n; j += widest) product_columns<Size, H, widest, B>(rows, j, depth, a, lda, b, ldb, c, ldc, f);
  if (n - j >= 4) product_columns<Size, H, 4, B>(rows, j, depth, a, lda, b, ldb, c, ldc, f), j += 4;
  if (n - j >= 2) product_columns<Size, H, 2, B>(rows, j, depth, a, lda, b, ldb, c, ldc, f), j += 2;
  if (n - j >= 1) product_columns<Size, H, 1, B>(rows, j, depth, a, lda, b, ldb, c, ldc, f);
}

/// C = F + A B for rows of A as long as a lane of a register and one behind the other, as many as fill H registers at a time.
/// Returns how many rows are done.
template <int Size, int H = 2, class S>
[[gnu::flatten]] Index product_of_lanes(Index m, Index n, const S* a, const S* b, Index ldb, S* c, Index ldc,
                                        Addend<S> f, Index i = 0) {
  using P = Packet<S, Size>;
  for (; i + H * P::size <= m; i += H * P::size) {
    typename P::Type column[H][P::lane];
    unrolled<H>([&](auto h) { P::load_turned(a + (i + h * P::size) * P::lane, column[h]); });
    for (Index j = 0; j < n; ++j) {
      typename P::Type sum[H];
      unrolled<H>([&](auto h) { sum[h] = P::broadcast(S(0)); });
      unrolled<P::lane>([&](auto p) {
        const auto w = P::load_one(b + p + j * ldb);
        unrolled<H>([&](auto h) { sum[h] = P::multiply_add(column[h][p], w, sum[h]); });
      });
      unrolled<H>([&](auto h) {
        const Index at = i + h * P::size;
        P::store(c + at + j * ldc, f ? P::add(P::load(f.at(at, j)), sum[h]) : sum[h]);
      });
    }
  }
  if constexpr (H > 1)
    return product_of_lanes<Size, H / 2>(m, n, a, b, ldb, c, ldc, f, i);
  else if constexpr (P::half > P::lane)
    return product_of_lanes<int(P::half)>(m, n, a, b, ldb, c, ldc, f, i);
  else
    return i;
}

}  // namespace heed::detail
