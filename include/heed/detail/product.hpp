#pragma once
#include <algorithm>

#include "heed/core/tokens.hpp"
#include "heed/detail/packet.hpp"

namespace heed::detail {

// Every matrix product of the library goes through `product`. Eigen's own product allocates packing buffers beyond 128 KiB,
// reaches half the machine's rate at the sizes of a policy, and costs compile time for each combination of types; this one
// works in register blocks on pointers, is compiled once for a scalar type and a pair of storage orders, and never
// allocates. The order of additions depends on the sizes alone.

enum class Stored { as_is, transposed };

/// A tile of C, H packets high and N columns wide, kept in registers:  C (+)= sum over p of a(:, p) b(p, :)
/// a(i, p) lies at a[i + p lda], b(p, j) at b[p bp + j bj].
template <int H, int N, class S>
void product_tile(Index depth, const S* a, Index lda, const S* b, Index bp, Index bj, S* c, Index ldc, bool add) {
  using P = Packet<S>;
  typename P::Type sum[N][H];
  for (int j = 0; j < N; ++j)
    for (int h = 0; h < H; ++h) sum[j][h] = P::broadcast(S(0));
  for (Index p = 0; p < depth; ++p) {
    typename P::Type column[H];
    for (int h = 0; h < H; ++h) column[h] = P::load(a + p * lda + h * P::size);
    for (int j = 0; j < N; ++j) {
      const auto w = P::broadcast(b[p * bp + j * bj]);
      for (int h = 0; h < H; ++h) sum[j][h] = P::multiply_add(column[h], w, sum[j][h]);
    }
  }
  for (int j = 0; j < N; ++j)
    for (int h = 0; h < H; ++h) {
      S* target = c + j * ldc + h * P::size;
      P::store(target, add ? P::add(P::load(target), sum[j][h]) : sum[j][h]);
    }
}

/// A strip of C, H packets high and n columns wide. A strip of fewer rows is computed aside.
template <int H, class S>
void product_strip(Index rows, Index n, Index depth, const S* a, Index lda, const S* b, Index bp, Index bj, S* c,
                   Index ldc, bool add) {
  constexpr Index height = H * Packet<S>::size;
  const auto columns = [&](auto width, Index j) {
    constexpr int N = width;
    if (rows == height) return product_tile<H, N>(depth, a, lda, b + j * bj, bp, bj, c + j * ldc, ldc, add);
    S aside[N * height];
    product_tile<H, N>(depth, a, lda, b + j * bj, bp, bj, aside, height, false);
    for (int k = 0; k < N; ++k)
      for (Index i = 0; i < rows; ++i) {
        S& target = c[i + (j + k) * ldc];
        target = add ? target + aside[i + k * height] : aside[i + k * height];
      }
  };
  Index j = 0;
  for (; j + 6 <= n; j += 6) columns(std::integral_constant<int, 6>(), j);
  if (n - j >= 4) columns(std::integral_constant<int, 4>(), j), j += 4;
  if (n - j >= 2) columns(std::integral_constant<int, 2>(), j), j += 2;
  if (n - j >= 1) columns(std::integral_constant<int, 1>(), j);
}

/// c_i (+)= a_i . b for R rows of contiguous numbers.
template <int R, class S>
void product_dots(Index depth, const S* a, Index lda, const S* b, Index bp, S* c, bool add) {
  using P = Packet<S>;
  S sum[R] = {};
  Index p = 0;
  if (bp == 1 && depth >= P::size) {
    typename P::Type sums[R];
    for (int r = 0; r < R; ++r) sums[r] = P::broadcast(S(0));
    for (; p + P::size <= depth; p += P::size) {
      const auto x = P::load(b + p);
      for (int r = 0; r < R; ++r) sums[r] = P::multiply_add(P::load(a + p + r * lda), x, sums[r]);
    }
    for (int r = 0; r < R; ++r) sum[r] = P::sum(sums[r]);
  }
  for (; p < depth; ++p)
    for (int r = 0; r < R; ++r) sum[r] += a[p + r * lda] * b[p * bp];
  for (int r = 0; r < R; ++r) c[r] = add ? c[r] + sum[r] : sum[r];
}

/// C = A B, or C += A B where `add`.    C: m x n    A: m x depth    B: depth x n
///
/// All column-major with a leading dimension, A and B possibly stored as their transposes (a row-major matrix is one).
template <Stored A, Stored B, class S>
void product(Index m, Index n, Index depth, const S* a, Index lda, const S* b, Index ldb, S* c, Index ldc, bool add) {
  constexpr Index size = Packet<S>::size, panel = 256;
  const Index bp = B == Stored::as_is ? 1 : ldb, bj = B == Stored::as_is ? ldb : 1;
  if (m == 0 || n == 0) return;
  if (depth == 0) {
    for (Index j = 0; j < n && !add; ++j) std::fill(c + j * ldc, c + j * ldc + m, S(0));
    return;
  }
  if (A == Stored::transposed && n <= 4) {  // packing would cost more than it saves
    const Index fours = m / 4 * 4;
    for (Index j = 0; j < n; ++j) {
      for (Index i = 0; i < fours; i += 4)
        product_dots<4>(depth, a + i * lda, lda, b + j * bj, bp, c + i + j * ldc, add);
      for (Index i = fours; i < m; ++i) product_dots<1>(depth, a + i * lda, lda, b + j * bj, bp, c + i + j * ldc, add);
    }
    return;
  }
  S packed[2 * size * panel];  // a strip of A, contiguous and of full height
  for (Index p = 0; p < depth; p += panel) {
    const Index deep = std::min(panel, depth - p);
    const auto strip = [&](auto packets, Index i, Index rows) {
      constexpr Index height = packets * size;
      const S* from = a + i + p * lda;
      Index stride = lda;
      if (A == Stored::transposed || rows < height) {
        for (Index q = 0; q < deep; ++q) {
          for (Index r = 0; r < rows; ++r)
            packed[r + q * height] = A == Stored::transposed ? a[p + q + (i + r) * lda] : a[i + r + (p + q) * lda];
          std::fill(packed + rows + q * height, packed + (q + 1) * height, S(0));
        }
        from = packed;
        stride = height;
      }
      product_strip<packets>(rows, n, deep, from, stride, b + p * bp, bp, bj, c + i, ldc, add || p > 0);
    };
    Index i = 0;
    for (; i + size < m; i += 2 * size) strip(std::integral_constant<int, 2>(), i, std::min(2 * size, m - i));
    if (i < m) strip(std::integral_constant<int, 1>(), i, m - i);
  }
}

/// C = A B or C += A B on Eigen's maps and their transposes, whatever their sizes, strides and storage orders.
template <class C, class A, class B>
void multiply(C&& c, const A& a, const B& b, bool add = false) {
  if constexpr (Plain<C>::IsRowMajor) {
    multiply(c.transpose(), b.transpose(), a.transpose(), add);
  } else {
    eigen_assert(a.rows() == c.rows() && b.cols() == c.cols() && a.cols() == b.rows());
    constexpr Stored a_stored = A::IsRowMajor ? Stored::transposed : Stored::as_is;
    constexpr Stored b_stored = B::IsRowMajor ? Stored::transposed : Stored::as_is;
    product<a_stored, b_stored>(c.rows(), c.cols(), a.cols(), a.data(), a.outerStride(), b.data(), b.outerStride(),
                                c.data(), c.outerStride(), add);
  }
}

}  // namespace heed::detail
