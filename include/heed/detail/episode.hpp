#pragma once
#include "heed/core/tokens.hpp"

namespace heed::detail {

/// A time limit, 0 for none.
inline Index checked_limit(const char* who, Index limit) {
  if (limit < 0) fail("%s: the limit of %ld steps is negative", who, long(limit));
  return limit;
}
inline bool reached(Index limit, Index steps) { return limit > 0 && steps >= limit; }

inline void expect_at_least(const char* who, const char* what, Index n, Index least) {
  if (n < least) fail("%s: %s %ld, but at least %ld is needed", who, what, long(n), long(least));
}

inline void expect_action(const char* who, Index action, Index actions) {
  if (action < 0 || action >= actions) [[unlikely]]
    fail("%s: action %ld is not one of 0 to %ld", who, long(action), long(actions - 1));
}
inline void expect_going(const char* who, bool over, Index steps) {
  if (over) [[unlikely]]
    fail("%s: the episode is over after %ld steps and must be reset", who, long(steps));
}

}  // namespace heed::detail
