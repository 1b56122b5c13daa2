#pragma once
#include <algorithm>

#include "heed/core/layout.hpp"

namespace heed {

/// The keys from begin to end, end not included.
struct Interval {
  Index begin, end;
};

/// Which keys a query sees: those from `behind` positions before its own to `ahead` positions after it. Positions are
/// absolute, so a mask means the same whether a sequence comes whole or piece by piece. Keys out of sight cost nothing;
/// their values must be finite all the same, since within a tile they are multiplied by zero.
struct Mask {
  Index behind = unlimited, ahead = unlimited;

  Interval keys(Index position) const {
    return {position - behind, ahead == unlimited ? unlimited : position + ahead + 1};
  }
  /// The same mask for eyes that see no further back than a ring remembers.
  Mask within(Index window) const { return {std::min(behind, window == unlimited ? unlimited : window - 1), ahead}; }
  /// How many columns back a query looks, itself included.
  Index lookback() const { return behind == unlimited ? unlimited : behind + 1; }
};

/// Each query sees every key of its sequence.
struct Full : Mask {};
/// Each query sees the keys up to its own position.
struct Causal : Mask {
  constexpr Causal() : Mask{unlimited, 0} {}
};
/// Each query sees the key at its own position and the width - 1 before.
struct Window : Mask {
  explicit Window(Index width) : Mask{width - 1, 0} {
    if (width < 1) detail::fail("Window: width %ld must be at least 1", long(width));
  }
};

}  // namespace heed
