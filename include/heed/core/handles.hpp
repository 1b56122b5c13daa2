#pragma once
#include "heed/core/tokens.hpp"

namespace heed {

/// A ragged axis of a network (time steps, entities, source tokens, ...): what the columns of a buffer are.
struct Axis {
  int id = -1;  ///< its number in the layout
  friend bool operator==(Axis, Axis) = default;
};

// Handles say where a matrix lives. A layer is made of these and holds no numbers. A handle made by default is of nothing:
// `if (bias)` asks.

/// A matrix (or, where C is 1, a vector) in Parameters. Matrices are stored row by row, as PyTorch stores them.
template <int R = Dynamic, int C = Dynamic>
struct Weight {
  Index offset = -1, rows = 0, cols = 0;  ///< place in the flat vector, and size
  explicit operator bool() const { return offset >= 0; }
  /// `count` of its rows from `first` on: the query's part of packed projections, for example.
  Weight<Dynamic, C> middle_rows(Index first, Index count) const { return {offset + first * cols, count, cols}; }
};

/// In Activations: `rows` values for each column of an axis.
template <int R = Dynamic>
struct Columns {
  static constexpr int known = R;  ///< rows, where they are a constant
  Axis axis;                       ///< whose columns they are
  Index row = 0, rows = 0;         ///< the first, and how many
  explicit operator bool() const { return rows > 0; }
};

/// In Memory: `rows` values for each column of an axis that a lane remembers.
template <int R = Dynamic>
struct Remembered {
  Axis axis;                ///< whose columns they are
  Index row = 0, rows = 0;  ///< the first, and how many
};

/// In Memory: `rows` values a lane, replaced at each step (the state of a recurrent layer).
template <int R = Dynamic>
struct State {
  Index row = 0, rows = 0;  ///< the first, and how many
};

}  // namespace heed
