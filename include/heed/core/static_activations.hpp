#pragma once
#include <array>

#include "heed/core/activations.hpp"

namespace heed {

/// Activations in arrays instead of on the heap, for a small machine: every size is a constant of the program.
///
///   Axes: of the layout    Sequences, Columns: the most of a batch, along any axis    Numbers: rows x columns of all axes
///   Gradients: as many where it learns; 0 where it only acts, and `d` must not be asked for
///
/// Too few of anything is an error when it is made, which says how many are needed; a larger batch is one when it begins.
/// Columns may be fewer along some axes: `columns_of(axis)`.
template <class S, int Axes, Index Sequences, Index Columns, Index Numbers, Index Gradients = Numbers>
class StaticActivations {
  static_assert(Gradients == Numbers || Gradients == 0);

 public:
  Mode mode;  ///< evaluating, unless said otherwise

  /// Room for the same number of columns along each axis.
  explicit StaticActivations(const LayoutSizes& layout) : StaticActivations(layout, [](Axis) { return Columns; }) {}
  /// Room for columns_of(axis) columns along each.
  template <class ColumnsOf>
  StaticActivations(const LayoutSizes& layout, ColumnsOf columns_of) {
    Index needed = 0;
    for (int i = 0; i < layout.axes(); ++i) needed += layout[Axis{i}].rows * Index(columns_of(Axis{i}));
    if (layout.axes() != Axes || needed > Numbers)
      detail::fail("StaticActivations: made for %d axes and %ld numbers, but the layout has %d and needs %ld", Axes,
                   long(Numbers), layout.axes(), long(needed));
    Index used = 0;
    for (int i = 0; i < Axes; ++i) {
      const LayoutSizes::AxisInfo& info = layout[Axis{i}];
      const Index columns = columns_of(Axis{i});
      axes_[std::size_t(i)] = {.parent = info.parent,
                               .rows = info.rows,
                               .sequence_capacity = Sequences,
                               .column_capacity = columns,
                               .offsets = offsets_[std::size_t(i)].data(),
                               .value = value_.data() + used,
                               .gradient = Gradients > 0 ? gradient_.data() + used : nullptr};
      used += info.rows * columns;
    }
  }
  StaticActivations(const StaticActivations&) = delete;
  StaticActivations& operator=(const StaticActivations&) = delete;

  ActivationsView<S> view() { return {axes_.data(), Axes, nullptr, nullptr, mode}; }
  operator ActivationsView<S>() { return view(); }
  /// The value that lies at the handle, rows x columns of the axis.
  template <int R>
  auto operator[](const heed::Columns<R>& h) {
    return view()[h];
  }
  template <int R>
  auto d(const heed::Columns<R>& h) requires(Gradients > 0) {
    return view().d(h);
  }

 private:
  std::array<AxisBuffer<S>, Axes> axes_{};
  std::array<std::array<Index, Sequences + 1>, Axes> offsets_{};
  alignas(Gradients > 0 ? 64 : 1) std::array<S, Gradients> gradient_{};
  alignas(64) std::array<S, Numbers> value_{};
};

}  // namespace heed
