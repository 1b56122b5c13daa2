#pragma once
#include <array>

#include "heed/core/activations.hpp"

namespace heed {

/// Activations in arrays instead of on the heap, for a small machine: every size is a constant of the program.
///
///   Axes: of the layout    Sequences, Columns: the most of a batch, along any axis    Numbers: rows x Columns of all axes
///
/// Too few of anything is an error when it is made, which says how many are needed; a larger batch is one when it begins.
template <class S, int Axes, Index Sequences, Index Columns, Index Numbers>
class StaticActivations {
 public:
  Mode mode;  ///< evaluating, unless said otherwise

  explicit StaticActivations(const Layout& layout) {
    Index rows = 0;
    for (int i = 0; i < layout.axes(); ++i) rows += layout[Axis{i}].rows;
    if (layout.axes() != Axes || rows * Columns > Numbers)
      detail::fail("StaticActivations: made for %d axes and %ld numbers, but the layout has %d and needs %ld", Axes,
                   long(Numbers), layout.axes(), long(rows * Columns));
    Index used = 0;
    for (int i = 0; i < Axes; ++i) {
      const Layout::AxisInfo& info = layout[Axis{i}];
      axes_[std::size_t(i)] = {.parent = info.parent,
                               .rows = info.rows,
                               .sequence_capacity = Sequences,
                               .column_capacity = Columns,
                               .offsets = offsets_[std::size_t(i)].data(),
                               .value = value_.data() + used,
                               .gradient = gradient_.data() + used};
      used += info.rows * Columns;
    }
  }
  StaticActivations(const StaticActivations&) = delete;
  StaticActivations& operator=(const StaticActivations&) = delete;

  ActivationsView<S> view() { return {axes_.data(), Axes, nullptr, nullptr, mode}; }
  operator ActivationsView<S>() { return view(); }
  template <int R>
  auto operator[](const heed::Columns<R>& h) {
    return view()[h];
  }
  template <int R>
  auto d(const heed::Columns<R>& h) {
    return view().d(h);
  }

 private:
  std::array<AxisBuffer<S>, Axes> axes_{};
  std::array<std::array<Index, Sequences + 1>, Axes> offsets_{};
  alignas(64) std::array<S, Numbers> value_{}, gradient_{};
};

}  // namespace heed
