#pragma once
#include <algorithm>

#include "heed/core/grid.hpp"
#include "heed/core/memory.hpp"

namespace heed::detail {

/// The absolute positions of the columns of an axis: each sequence counts from 0, or goes on from what its lane has seen.
template <class S>
class AbsolutePositions {
 public:
  AbsolutePositions(SequencesView sequences) : sequences_(sequences) {}
  /// Begins the axis in `m`, which must outlive this.
  AbsolutePositions(SequencesView sequences, Axis axis, const MemoryView<S>& m)
      : sequences_(sequences), axis_(axis), m_(&m) {
    m.begin(axis, sequences);
  }
  Index columns() const { return sequences_.columns(); }

  /// Calls f(first position, count, first column) for each sequence.
  template <class F>
  void each(F&& f) const {
    for (Index s = 0; s < sequences_.count(); ++s) f(start(s), sequences_.length(s), sequences_.first(s));
  }
  /// The same with positions as cells of a grid, cut into pieces of its rows: f(row, col, count, first column).
  template <class F>
  void each(Grid grid, F&& f) const {
    each([&](Index position, Index count, Index column) {
      for (Index done = 0, n; done < count; done += n) {
        const Index cell = position + done, col = cell % grid.cols;
        n = std::min(grid.cols - col, count - done);
        f(cell / grid.cols, col, n, column + done);
      }
    });
  }
  void expect_below(const char* who, Index end) const {
    for (Index s = 0; s < sequences_.count(); ++s)
      if (start(s) + sequences_.length(s) > end) [[unlikely]]
        fail("%s: sequence %ld reaches position %ld, but there are %ld positions, counted from 0", who, long(s),
             long(start(s) + sequences_.length(s) - 1), long(end));
  }

 private:
  Index start(Index s) const { return m_ ? m_->length(axis_, s) : 0; }
  SequencesView sequences_;
  Axis axis_;
  const MemoryView<S>* m_ = nullptr;
};

}  // namespace heed::detail
