#pragma once
#include <array>

#include "heed/core/memory.hpp"

namespace heed {

/// Memory in arrays instead of on the heap, for a small machine: every size is a constant of the program.
///
///   Axes: of the layout    Lanes: environments    Numbers: what all lanes remember    States: rows of recurrent states
///
/// Too few of anything is an error when it is made, which says how many are needed. An axis of which a layer looks back without
/// limit needs a capacity: `capacity_of(axis)`.
template <class S, int Axes, Index Lanes, Index Numbers, Index States = 0>
class StaticMemory {
 public:
  /// For layers that look back a bounded number of columns.
  explicit StaticMemory(const LayoutSizes& layout) : StaticMemory(layout, [](Axis) { return Capacity{}; }) {}
  /// With capacity_of(axis) for each axis.
  template <class CapacityOf>
  StaticMemory(const LayoutSizes& layout, CapacityOf capacity_of) {
    if (layout.axes() != Axes || layout.state_rows() != States)
      detail::fail("StaticMemory: made for %d axes and %ld rows of state, but the layout has %d and %ld", Axes,
                   long(States), layout.axes(), long(layout.state_rows()));
    Index used = 0;
    for (int i = 0; i < Axes; ++i) {
      AxisMemory& m = axes_[std::size_t(i)];
      m = axis_memory({i}, layout[Axis{i}], capacity_of(Axis{i}));
      m.offset = used;
      used += Lanes * m.rows * m.width;
    }
    if (used > Numbers)
      detail::fail("StaticMemory: made for %ld numbers, but %ld lanes need %ld", long(Numbers), long(Lanes),
                   long(used));
  }
  StaticMemory(const StaticMemory&) = delete;
  StaticMemory& operator=(const StaticMemory&) = delete;

  MemoryView<S> view() {
    return {axes_.data(),    Axes,          Lanes,       States, lengths_.data(), pending_.data(),
            columns_.data(), state_.data(), next_.data()};
  }
  operator MemoryView<S>() { return view(); }
  Index length(Axis axis, Index lane) { return view().length(axis, lane); }
  void advance() {
    for (Index lane = 0; lane < Lanes; ++lane) view().advance(lane);
  }
  void forget() {
    for (Index lane = 0; lane < Lanes; ++lane) view().forget(lane);
  }

 private:
  std::array<AxisMemory, Axes> axes_{};
  std::array<Index, Axes * Lanes> lengths_{}, pending_{};
  alignas(64) std::array<S, std::size_t(Numbers)> columns_{};
  std::array<S, std::size_t(std::max(States*Lanes, Index(1)))> state_{}, next_{};
};

}  // namespace heed
