#pragma once
#include <algorithm>

#include "heed/detail/packet.hpp"

namespace heed::detail {

using Eigen::Index;

/// to(i, j) = from(j, i), or what is there and that. to: rows x cols, both column-major. In squares of at most 8 x 8, for the
/// widest registers take more shuffles than the narrower ones next to them; what is left over in smaller squares.
template <class S, int Size = int(std::min(Packet<S>::size, Index(8)))>
void transpose(Index rows, Index cols, const S* from, Index from_stride, S* to, Index to_stride, bool add = false) {
  using P = Packet<S, Size>;
  const Index whole_rows = rows / P::size * P::size, whole_cols = cols / P::size * P::size;
  for (Index j = 0; j < whole_cols; j += P::size)
    for (Index i = 0; i < whole_rows; i += P::size)
      P::transpose(from + j + i * from_stride, from_stride, to + i + j * to_stride, to_stride, add);
  const auto rest = [&](Index i, Index j, Index n, Index m) {
    if (n == 0 || m == 0) return;
    const S* source = from + j + i * from_stride;
    S* target = to + i + j * to_stride;
    if constexpr (P::half < P::size) {
      transpose<S, int(P::half)>(n, m, source, from_stride, target, to_stride, add);
    } else {
      for (Index c = 0; c < m; ++c)
        for (Index r = 0; r < n; ++r) {
          S& number = target[r + c * to_stride];
          number = add ? number + source[c + r * from_stride] : source[c + r * from_stride];
        }
    }
  };
  rest(0, whole_cols, whole_rows, cols - whole_cols);
  rest(whole_rows, 0, rows - whole_rows, cols);
}

}  // namespace heed::detail
