#pragma once
#include <algorithm>

#include "heed/core/layout.hpp"

namespace heed {

/// The keys from begin to end, end not included.
struct Interval {
  Index begin, end;  ///< the first key, and the one behind the last
};

/// Which keys a query sees: those from `behind` positions before its own to `ahead` positions after it and, with a stride,
/// of those before them every one at a multiple of so many positions from its own. Positions are absolute, so a mask means
/// the same whether a sequence comes whole or piece by piece. Keys out of sight cost nothing; their values must be finite
/// all the same, since within a tile they are multiplied by zero.
struct Mask {
  Index behind = unlimited, ahead = unlimited;  ///< positions before and behind its own
  Index stride = 0;                             ///< 0: none
  Index far = unlimited;                        ///< how many positions behind the stride goes on

  /// What the query at a position sees, but for the strides.
  Interval keys(Index position) const {
    return {position - behind, ahead == unlimited ? unlimited : position + ahead + 1};
  }
  /// The same mask for eyes that see no further back than a ring remembers.
  Mask within(Index window) const {
    const Index most = window == unlimited ? unlimited : window - 1;
    return {std::min(behind, most), ahead, stride, std::min(far, most)};
  }
  /// Of a strided mask the part before the interval, counted in strides.
  Mask beyond() const { return {far / stride, -((behind + stride) / stride)}; }
  /// How many columns back a query looks, itself included.
  Index lookback() const { return behind == unlimited || stride > 0 ? unlimited : behind + 1; }
};

/// Each query sees every key of its sequence.
struct Full : Mask {};
/// Each query sees the keys up to its own position.
struct Causal : Mask {
  constexpr Causal() : Mask{unlimited, 0} {}
};
/// Each query sees the key at its own position and the width - 1 before.
struct Window : Mask {
  /// Throws where width < 1.
  explicit Window(Index width) : Mask{width - 1, 0} {
    if (width < 1) detail::fail("Window: width %ld must be at least 1", long(width));
  }
};
/// Each query sees the key at its own position, the stride - 1 before, and of all before them every stride-th (Child et al.
/// 2019, sec. 4.3, both patterns in one head). Cost a token: stride + position / stride.
struct Strided : Mask {
  /// Throws where the stride < 1.
  explicit Strided(Index step) : Mask{step - 1, 0, step} {
    if (step < 1) detail::fail("Strided: stride %ld must be at least 1", long(step));
  }
};

}  // namespace heed
