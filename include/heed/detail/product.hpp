#pragma once
#include <algorithm>

#include "heed/core/tokens.hpp"
#include "heed/detail/dots.hpp"
#include "heed/detail/product_tile.hpp"
#include "heed/detail/transpose.hpp"

namespace heed::detail {

// Every matrix product of the library goes through `product`. Eigen's own product allocates packing buffers beyond 128 KiB,
// reaches half the machine's rate at the sizes of a policy, and costs compile time for each combination of types; this one
// works in register blocks on pointers, is compiled once for a scalar type and a pair of storage orders, and never
// allocates. The order of additions depends on sizes, strides and what is added to, not on numbers.

/// So much of the depth, and so many columns, at a time: what the strips of A meet again and again stays in the cache.
inline constexpr Index product_panel = 256, product_block = 384;
/// A strip of A that meets so many columns is worth copying, sums of so many products are worth turning.
inline constexpr Index product_reuse = 48;

/// A few rows of C, where rows of A and columns of B are contiguous: columns of B take the place of rows.
template <int Size, class S>
void product_few_rows(Index m, Index n, Index depth, const S* a, Index lda, const S* b, Index ldb, S* c, Index ldc,
                      Addend<S> f) {
  constexpr Index most = 64;
  S row[most];
  for (Index j = 0; j < n; j += most) {
    const Index count = std::min(most, n - j);
    for (Index i = 0; i < m; ++i) {
      dots<Size>(count, depth, b + j * ldb, ldb, a + i * lda, row, static_cast<const S*>(nullptr));
      for (Index k = 0; k < count; ++k) c[i + (j + k) * ldc] = f ? *f.at(i, j + k) + row[k] : row[k];
    }
  }
}

/// A strip of C of a register's rows or less. B lies so that registers can hold columns of C instead: what comes out is C
/// transposed, as many columns as fill two registers. Returns how many columns are done.
template <int Size, class S>
Index product_across(Index rows, Index n, Index depth, const S* a, Index lda, const S* b, Index ldb, S* c, Index ldc,
                     bool add) {
  constexpr Index size = Packet<S, Size>::size, width = 2 * size;
  constexpr int widest = Packet<S, Size>::registers >= 32 ? 8 : 6;
  S aside[width * size];
  Index j = 0;
  for (; j + width <= n; j += width) {
    Index i = 0;
    const auto columns = [&](auto count) {
      constexpr int N = count;
      for (; i + N <= rows; i += N)
        product_tile<Size, 2, N, Stored::transposed>(depth, b + j, ldb, a + i, lda, aside + i * width, width, {});
    };
    columns(std::integral_constant<int, widest>());
    columns(std::integral_constant<int, 2>());
    columns(std::integral_constant<int, 1>());
    transpose<S, Size>(rows, width, aside, width, c + j * ldc, ldc, add);
  }
  return j;
}

/// A strip of C of which A is copied first: contiguous and of full height, no register across two cache lines.
template <Stored A, Stored B, int Size, int H, class S>
void product_packed(Index rows, Index n, Index depth, const S* a, Index lda, const S* b, Index ldb, S* c, Index ldc,
                    Addend<S> f) {
  constexpr Index height = H * Packet<S, Size>::size;
  alignas(64) S packed[height * product_panel];
  if (rows < height) std::fill(packed, packed + height * depth, S(0));
  if (A == Stored::transposed)
    transpose(rows, depth, a, lda, packed, height);
  else
    for (Index p = 0; p < depth; ++p) std::copy(a + p * lda, a + p * lda + rows, packed + p * height);
  product_strip<Size, H, B>(rows, n, depth, packed, height, b, ldb, c, ldc, f);
}

/// The rows of C from the i-th on, in strips of registers of this size, and of narrower ones for those that are left over.
template <Stored A, Stored B, int Size, class S>
void product_rows(Index i, Index m, Index n, Index depth, const S* a, Index lda, const S* b, Index ldb, S* c, Index ldc,
                  Addend<S> f) {
  constexpr Index size = Packet<S, Size>::size, half = Packet<S, Size>::half;
  const auto strip = [&](auto packets, Index rows, Index j = 0) {
    constexpr int H = packets;
    const bool worth_packing = n >= product_reuse && lda >= 128;  // read again and again, and far apart
    const S* from = b + along<B>(0, j, ldb);
    if (A == Stored::as_is && rows == H * size && !worth_packing)
      product_strip<Size, H, B>(rows, n - j, depth, a + i, lda, from, ldb, c + i + j * ldc, ldc, f.from(i, j));
    else
      product_packed<A, B, Size, H>(rows, n - j, depth, a + along<A>(i, 0, lda), lda, from, ldb, c + i + j * ldc, ldc,
                                    f.from(i, j));
  };
  // The columns that are better turned. Of a full register's rows, where turning is nothing to the sums: two registers of
  // columns keep the units busier, those of several lanes. Of fewer, unless it is one column times one row and fills narrower
  // registers.
  const auto across = [&](Index rows) -> Index {
    if constexpr (A == Stored::as_is && B == Stored::transposed && half < size) {
      const bool worth_turning = rows == size ? Packet<S, Size>::lane < size && depth >= product_reuse
                                              : depth > 1 || rows % Packet<S, int(half)>::half != 0;
      if (worth_turning && (!f || f.first == c))
        return product_across<Size>(rows, n, depth, a + i, lda, b, ldb, c + i, ldc, bool(f));
    }
    return 0;
  };
  for (; i + 2 * size <= m; i += 2 * size) strip(std::integral_constant<int, 2>(), 2 * size);
  if (i + size <= m) {
    if (const Index done = across(size); done < n) strip(std::integral_constant<int, 1>(), size, done);
    i += size;
  }
  if (i == m) return;
  const Index done = across(m - i);
  if (done == n) return;
  if constexpr (half < size)
    product_rows<A, B, int(half)>(i, m, n - done, depth, a, lda, b + along<B>(0, done, ldb), ldb, c + done * ldc, ldc,
                                  f.from(0, done));
  else
    strip(std::integral_constant<int, 1>(), m - i);
}

/// c = f + A b, the rows of A side by side in registers, of a size that they fill. Returns how many are done.
template <int Size, class S>
[[gnu::flatten]] Index product_column(Index m, Index depth, const S* a, Index lda, const S* b, S* c, Addend<S> f) {
  using P = Packet<S, Size>;
  Index i = 0;
  for (; i + 2 * P::size <= m; i += 2 * P::size)
    product_tile<Size, 2, 1, Stored::as_is>(depth, a + i, lda, b, 0, c + i, 0, f.from(i, 0));
  for (; i + P::size <= m; i += P::size)
    product_tile<Size, 1, 1, Stored::as_is>(depth, a + i, lda, b, 0, c + i, 0, f.from(i, 0));
  if constexpr (P::half < P::size)
    if (i < m) return i + product_column<int(P::half)>(m - i, depth, a + i, lda, b, c + i, f.from(i, 0));
  return i;
}

/// C = F + A B    C: m x n    A: m x depth    B: depth x n
///
/// All column-major with a leading dimension, A and B possibly stored as their transposes (a row-major matrix is one).
template <Stored A, Stored B, class S>
void product(Index m, Index n, Index depth, const S* a, Index lda, const S* b, Index ldb, S* c, Index ldc,
             Addend<S> f) {
  constexpr int size = int(Packet<S>::size);
  if (m == 0 || n == 0) return;
  if (depth == 0) {
    for (Index j = 0; j < n; ++j)
      for (Index i = 0; i < m; ++i) c[i + j * ldc] = f ? *f.at(i, j) : S(0);
    return;
  }
  if constexpr (A == Stored::transposed && B == Stored::as_is && Packet<S>::lane < size)
    if (depth == Packet<S>::lane && lda == depth && n > 1 && n < product_reuse) {
      const Index done = product_of_lanes<size>(m, n, a, b, ldb, c, ldc, f);
      if (done == m) return;
      m -= done, a += done * lda, c += done, f = f.from(done, 0);
    }
  constexpr Index few = size > 1 ? 4 : product_reuse;  // of single numbers no tile saves what packing costs before that
  if (A == Stored::transposed && B == Stored::as_is && n <= few) {
    for (Index j = 0; j < n; ++j)
      product_dots(m, depth, a, lda, b + along<B>(0, j, ldb), c + j * ldc, f.from(0, j).first);
    return;
  }
  if (A == Stored::transposed && B == Stored::as_is && m <= size / 4 && depth >= size)  // a strip would be mostly empty
    return product_few_rows<size>(m, n, depth, a, lda, b, ldb, c, ldc, f);
  if (A == Stored::as_is && B == Stored::as_is && n == 1 && depth <= product_panel) {
    const Index done = product_column<size>(m, depth, a, lda, b, c, f);
    if (done == m) return;
    m -= done, a += done, c += done, f = f.from(done, 0);
  }
  if constexpr (A == Stored::as_is)
    if (n < product_reuse && depth <= product_panel) {  // one strip, as those of attention's heads
      if (m == size) return product_strip<size, 1, B>(m, n, depth, a, lda, b, ldb, c, ldc, f);
      if (m == 2 * size) return product_strip<size, 2, B>(m, n, depth, a, lda, b, ldb, c, ldc, f);
    }
  for (Index p = 0; p < depth; p += product_panel)
    for (Index j = 0; j < n; j += product_block)
      product_rows<A, B, size>(0, m, std::min(product_block, n - j), std::min(product_panel, depth - p),
                               a + along<A>(0, p, lda), lda, b + along<B>(p, j, ldb), ldb, c + j * ldc, ldc,
                               p > 0 ? Addend<S>{c + j * ldc, ldc} : f.from(0, j));
}

/// Column j of C times by[j].
template <class S, int Size = int(Packet<S>::size)>
void scale_columns(Index rows, Index columns, S* c, Index ldc, const S* by) {
  using P = Packet<S, Size>;
  if constexpr (P::half < P::size)
    if (rows < P::size) return scale_columns<S, int(P::half)>(rows, columns, c, ldc, by);
  for (Index j = 0; j < columns; ++j) {
    S* column = c + j * ldc;
    const auto factor = P::broadcast(by[j]);
    Index i = 0;
    for (; i + P::size <= rows; i += P::size) P::store(column + i, P::multiply(P::load(column + i), factor));
    for (; i < rows; ++i) column[i] *= by[j];
  }
}

/// C = F + A B on Eigen's maps and their transposes, whatever their sizes, strides and storage orders; C column-major.
template <class C, class A, class B>
void multiply_onto(Addend<typename Plain<C>::Scalar> f, C&& c, const A& a, const B& b) {
  using S = typename Plain<C>::Scalar;
  eigen_assert(a.rows() == c.rows() && b.cols() == c.cols() && a.cols() == b.rows());
  constexpr Stored a_stored = A::IsRowMajor ? Stored::transposed : Stored::as_is;
  constexpr Stored b_stored = B::IsRowMajor ? Stored::transposed : Stored::as_is;
  if constexpr (A::IsRowMajor && !B::IsRowMajor && A::ColsAtCompileTime > 0 && Packet<S>::size > 1)
    if (b.cols() == 1 && a.rows() > 0)
      return product_dots(extent<A::RowsAtCompileTime>(a.rows()), Constant<A::ColsAtCompileTime>(), a.data(),
                          extent<A::OuterStrideAtCompileTime>(a.outerStride()), b.data(), c.data(), f.first);
  product<a_stored, b_stored>(c.rows(), c.cols(), a.cols(), a.data(), a.outerStride(), b.data(), b.outerStride(),
                              c.data(), c.outerStride(), f);
}
/// C = A B or C += A B
template <class C, class A, class B>
void multiply(C&& c, const A& a, const B& b, bool add = false) {
  using S = typename Plain<C>::Scalar;
  if constexpr (Plain<C>::IsRowMajor)
    multiply(c.transpose(), b.transpose(), a.transpose(), add);
  else
    multiply_onto(add ? Addend<S>{c.data(), c.outerStride()} : Addend<S>(), c, a, b);
}
/// C = f 1' + A B, f a number for each row
template <class C, class F, class A, class B>
void multiply_onto_column(const F& f, C&& c, const A& a, const B& b) {
  if constexpr (Plain<C>::IsRowMajor)  // of one row
    c.setConstant(f(0)), multiply(c, a, b, true);
  else
    multiply_onto({f.data()}, c, a, b);
}

}  // namespace heed::detail
