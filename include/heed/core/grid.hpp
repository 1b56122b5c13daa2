#pragma once
#include "heed/core/tokens.hpp"

namespace heed {

/// Rows and columns of cells, numbered row by row: cell t is (t / cols, t % cols). {n} is square.
struct Grid {
  Index rows = 1, cols = rows;  ///< cells from top to bottom, and from left to right

  /// How many there are.
  Index cells() const { return rows * cols; }
  friend bool operator==(const Grid&, const Grid&) = default;
};

namespace detail {
inline void expect_at_least(const char* who, const char* what, Grid grid, Index least) {
  if (grid.rows < least || grid.cols < least)
    fail("%s: %s %ld x %ld, but at least %ld x %ld is needed", who, what, long(grid.rows), long(grid.cols), long(least),
         long(least));
}
}  // namespace detail

}  // namespace heed
