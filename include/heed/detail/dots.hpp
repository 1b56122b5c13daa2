#pragma once
#include "heed/core/tokens.hpp"
#include "heed/detail/packet.hpp"

namespace heed::detail {

// A row-major matrix times a column: c = f + A b, f null where there is nothing to add to. The depth is not 0.

template <class P, class S>
EIGEN_ALWAYS_INLINE void put_sums(S* c, const S* f, const typename P::Type& sums) {
  P::store(c, f ? P::add(P::load(f), sums) : sums);
}

/// Where the depth is less than a register: as many rows side by side as one holds.
template <int Size, class S>
[[gnu::noinline]] void dots_of_rest(Index m, Index depth, const S* a, Index lda, const S* b, S* c, const S* f) {
  using P = Packet<S, Size>;
  Index i = 0;
  for (; i + P::size <= m; i += P::size) {
    auto sum = f ? P::load(f + i) : P::broadcast(S(0));
    for (Index p = 0; p < depth; ++p) sum = P::multiply_add(P::gather(a + p + i * lda, lda), P::broadcast(b[p]), sum);
    P::store(c + i, sum);
  }
  for (; i < m; ++i) {
    S sum = f ? f[i] : S(0);
    for (Index p = 0; p < depth; ++p) sum += a[p + i * lda] * b[p];
    c[i] = sum;
  }
}

/// The products of a and b in as many registers as the depth fills, summed lane by lane.
template <class P, class S>
EIGEN_ALWAYS_INLINE auto sum_by_lanes(Index depth, const S* a, const S* b) {
  auto sum = P::broadcast(S(0));
  for (Index p = 0; p + P::size <= depth; p += P::size) sum = P::multiply_add(P::load(a + p), P::load(b + p), sum);
  return sum;
}

/// Several rows at a time: what is left in the lanes of each is summed for all of them together. What is left of the depth goes by
/// narrower registers.
template <int Size, class S>
[[gnu::flatten]] void dots(Index m, Index depth, const S* a, Index lda, const S* b, S* c, const S* f) {
  using P = Packet<S, Size>;
  constexpr int rows = P::size > 1 ? int(P::rows) : 4;  // numbers, too, are read once for several rows
  const auto some = [&](Index i) {
    typename P::Type of[rows];
    unrolled<rows>([&](auto r) { of[r] = P::broadcast(S(0)); });
    for (Index p = 0; p + P::size <= depth; p += P::size) {
      const auto x = P::load(b + p);
      unrolled<rows>([&](auto r) { of[r] = P::multiply_add(P::load(a + p + (i + r) * lda), x, of[r]); });
    }
    if constexpr (P::size > 1)
      put_sums<Packet<S, rows>>(c + i, f ? f + i : f, P::sums(of));
    else
      unrolled<rows>([&](auto r) { put_sums<P>(c + i + r, f ? f + i + r : f, of[r]); });
  };
  const Index whole = depth / P::size * P::size;
  if (whole > 0) {
    Index i = 0;
    for (; i + rows <= m; i += rows) some(i);
    for (; i < m; ++i) {
      const S sum = P::sum(sum_by_lanes<P>(depth, a + i * lda, b));
      c[i] = f ? f[i] + sum : sum;
    }
    f = c;
  }
  if (whole == depth) return;
  if constexpr (P::half < P::size) {
    dots<int(P::half)>(m, depth - whole, a + whole, lda, b + whole, c, f);
  } else {
    dots_of_rest<Size>(m, depth - whole, a + whole, lda, b + whole, c, f);
  }
}

/// The same for rows as long as a lane of a register and one behind the other: a register takes several of them. Returns how many
/// are done.
template <int Size, class S>
[[gnu::flatten]] Index dots_of_lanes(Index m, const S* a, const S* b, S* c, const S* f, Index i = 0) {
  using P = Packet<S, Size>;
  const auto x = P::load_lanes(b);
  for (; i + P::size <= m; i += P::size) {
    typename P::Type products[P::lane];
    unrolled<P::lane>([&](auto r) { products[r] = P::multiply(P::load(a + i * P::lane + r * P::size), x); });
    put_sums<P>(c + i, f ? f + i : f, P::sums_of_lanes(products));
  }
  if constexpr (P::half > P::lane)
    return dots_of_lanes<int(P::half)>(m, a, b, c, f, i);
  else
    return i;
}

/// sum + a . b
template <class S, int Size = int(Packet<S>::size)>
EIGEN_ALWAYS_INLINE S dot(Index depth, const S* a, const S* b, S sum = 0) {
  using P = Packet<S, Size>;
  const Index whole = depth / P::size * P::size;
  if (whole > 0) sum += P::sum(sum_by_lanes<P>(depth, a, b));
  if constexpr (P::half < P::size) return dot<S, int(P::half)>(depth - whole, a + whole, b + whole, sum);
  for (Index p = whole; p < depth; ++p) sum += a[p] * b[p];
  return sum;
}

/// Rows of contiguous numbers, lda apart, whatever their sizes.
template <class S>
EIGEN_ALWAYS_INLINE void product_dots(Index m, Index depth, const S* a, Index lda, const S* b, S* c, const S* f) {
  constexpr int size = int(Packet<S>::size), lane = Packet<S>::lane;
  if constexpr (lane < size)
    if (depth == lane && lda == lane) {
      const Index done = dots_of_lanes<size>(m, a, b, c, f);
      m -= done, a += done * lda, c += done, f = f ? f + done : f;
      if (m == 0) return;
    }
  dots<size>(m, depth, a, lda, b, c, f);
}

}  // namespace heed::detail
