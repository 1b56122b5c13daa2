#pragma once
#include "heed/core/tokens.hpp"
#include "heed/detail/packet.hpp"

namespace heed::detail {

// A row-major matrix times a column: c = f + A b, f null where there is nothing to add to. The depth is not 0. Sizes and
// distances are numbers or, where the program knows them when it is compiled, constants: loops over these are unrolled,
// and addresses need no registers.

template <Index n>
using Constant = std::integral_constant<Index, n>;
/// A constant where Eigen knows the size.
template <int known>
auto extent(Index size) {
  if constexpr (known == Dynamic)
    return size;
  else
    return Constant<known>();
}
/// How many of n numbers fill whole parts of so many.
template <Index part, class N>
constexpr auto whole_parts(N n) {
  if constexpr (std::is_same_v<N, Index>)
    return n / part * part;
  else
    return Constant<N::value / part * part>();
}
/// n - whole
template <class N, class Whole>
constexpr auto left(N n, Whole whole) {
  if constexpr (std::is_same_v<N, Index>)
    return n - whole;
  else
    return Constant<N::value - Whole::value>();
}
/// f(0), f(part), f(2 part), ... below n, of which part is a divisor; a few of them, if n is a constant, without a loop.
template <Index part, class N, class F>
EIGEN_ALWAYS_INLINE void each_whole_part(N n, F&& f) {
  constexpr Index most = 8;
  if constexpr (std::is_same_v<N, Index>) {
    for (Index i = 0; i < n; i += part) f(i);
  } else if constexpr (N::value / part <= most) {
    unrolled<int(N::value / part)>([&](auto i) { f(i * part); });
  } else {
    each_whole_part<part>(Index(n), f);
  }
}

template <class P, class S>
EIGEN_ALWAYS_INLINE void put_sums(S* c, const S* f, const typename P::Type& sums) {
  P::store(c, f ? P::add(P::load(f), sums) : sums);
}

/// Where the depth is less than a register: as many rows side by side as one holds.
template <int Size, class S>
[[gnu::noinline]] void dots_of_rest(Index m, Index depth, const S* a, Index lda, const S* b, S* c, const S* f) {
  using P = Packet<S, Size>;
  const Index done = m / P::size * P::size;
  for (Index i = 0; i < done; i += P::size) {
    auto sum = f ? P::load(f + i) : P::broadcast(S(0));
    for (Index p = 0; p < depth; ++p) sum = P::multiply_add(P::gather(a + p + i * lda, lda), P::broadcast(b[p]), sum);
    P::store(c + i, sum);
  }
  for (Index i = done; i < m; ++i) {
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
template <int Size, class Rows, class Depth, class Stride, class S>
[[gnu::flatten]] void dots(Rows m, Depth depth, const S* a, Stride lda, const S* b, S* c, const S* f) {
  using P = Packet<S, Size>;
  // So many sums do not wait for each other, and b is read once for all of their rows. The addresses of more than 8 rows
  // would take more registers than there are, unless the stride is a constant.
  constexpr int few_rows = P::size > 1 ? 8 : 4, most_rows = std::max(few_rows, int(P::size));
  constexpr bool constant_stride = !std::is_same_v<Stride, Index>;
  const auto whole = whole_parts<P::size>(depth);
  const auto some = [&](Index i, auto rows) {
    typename P::Type of[rows];
    const S* first = a + i * lda;
    unrolled<rows>([&](auto r) { of[r] = P::broadcast(S(0)); });
    each_whole_part<P::size>(whole, [&](Index p) {
      const auto x = P::load(b + p);
      unrolled<rows>([&](auto r) { of[r] = P::multiply_add(P::load(first + p + r * lda), x, of[r]); });
    });
    constexpr int together = std::min(int(rows), int(P::size));  // rows whose sums lie in one register
    unrolled<rows / together>([&](auto part) {
      const Index at = i + part * together;
      put_sums<Packet<S, together>>(c + at, f ? f + at : f, P::template sums<together>(of + part * together));
    });
  };
  if (whole > 0) {
    Index done = 0;
    const auto strips = [&](auto rows) {
      const Index end = done + (m - done) / rows * rows;
      for (Index i = done; i < end; i += rows) some(i, rows);
      done = end;
    };
    if constexpr (constant_stride && most_rows > few_rows) strips(std::integral_constant<int, most_rows>());
    strips(std::integral_constant<int, few_rows>());
    if constexpr (1 < P::size && P::size < few_rows) strips(std::integral_constant<int, int(P::size)>());
    for (Index i = done; i < m; ++i) {
      const S sum = P::sum(sum_by_lanes<P>(depth, a + i * lda, b));
      c[i] = f ? f[i] + sum : sum;
    }
    f = c;
  }
  const auto rest = left(depth, whole);
  if constexpr (!std::is_same_v<decltype(rest), const Constant<0>>)
    if (rest > 0) {
      if constexpr (P::half < P::size)
        dots<int(P::half)>(m, rest, a + whole, lda, b + whole, c, f);
      else
        dots_of_rest<Size, S>(m, rest, a + whole, lda, b + whole, c, f);
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
template <class Rows, class Depth, class Stride, class S>
EIGEN_ALWAYS_INLINE void product_dots(Rows m, Depth depth, const S* a, Stride lda, const S* b, S* c, const S* f) {
  constexpr int size = int(Packet<S>::size), lane = Packet<S>::lane;
  if constexpr (lane < size)
    if (depth == lane && lda == lane) {
      const Index done = dots_of_lanes<size>(m, a, b, c, f), rest = m - done;
      if (rest > 0) dots<size>(rest, Index(depth), a + done * lda, Index(lda), b, c + done, f ? f + done : f);
      return;
    }
  dots<size>(m, depth, a, lda, b, c, f);
}

}  // namespace heed::detail
