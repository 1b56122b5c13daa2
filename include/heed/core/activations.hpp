#pragma once
#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "heed/core/layout.hpp"
#include "heed/core/sequences.hpp"

namespace heed {

/// The storage of one axis: room for the offsets of its sequences, the values of its columns and their gradients. Plain
/// pointers, so that it can lie in static arrays; `Activations` keeps it on the heap and lets it grow.
template <class S>
struct AxisBuffer {
  Axis parent;                                       ///< sequence i belongs to column i of it, if there is one
  Index rows = 0;                                    ///< values a column
  Index sequence_capacity = 0, column_capacity = 0;  ///< sequences and columns for which there is room
  Index* offsets = nullptr;                          ///< sequence_capacity + 1 of them
  S *value = nullptr, *gradient = nullptr;           ///< rows * column_capacity of them
  Index count = 0, columns = 0;                      ///< of the current batch
};

/// Training or evaluating: dropout drops, and hard attention draws, only in training. What is drawn depends on the seed, the
/// layer and the token, so the same seed draws the same on the way back: change it for each new batch.
struct Mode {
  bool training = false;   ///< whether dropout drops, and hard attention draws
  std::uint64_t seed = 0;  ///< of what is drawn in this batch
};

/// What the layers see of Activations: pointers. `a[h]` is a value, `a.d(h)` its gradient.
template <class S>
class ActivationsView {
 public:
  /// Makes room for a batch larger than any before.
  using Grow = void (*)(void* owner, Axis axis, Index sequences, Index columns);

  /// Over buffers of one's own; without `grow`, a batch larger than their capacity is an error.
  ActivationsView(AxisBuffer<S>* axes, int count, Grow grow = nullptr, void* owner = nullptr, Mode mode_ = {})
      : mode(mode_), axes_(axes), count_(count), grow_(grow), owner_(owner) {}

  Mode mode;  ///< training or evaluating

  /// Says what the columns of an axis are in the coming batch: `count` sequences, the i-th of length(i) columns. What the
  /// axis held before is lost, and its child axes must be begun after it.
  template <class Length>
  void begin(Axis axis, Index count, Length length) const {
    AxisBuffer<S>& b = at(axis);
    check_count(axis, b, count);
    Index columns = 0;
    for (Index i = 0; i < count; ++i) {
      if (length(i) < 0) [[unlikely]]
        detail::fail("Activations: sequence %ld of axis %d has the length %ld", long(i), axis.id, long(length(i)));
      columns += length(i);
    }
    if (count > b.sequence_capacity || columns > b.column_capacity) make_room(axis, count, columns);
    b.count = count;
    b.columns = columns;
    b.offsets[0] = 0;
    for (Index i = 0; i < count; ++i) b.offsets[i + 1] = b.offsets[i] + length(i);
    clear_children(axis);
  }
  void begin(Axis axis, SequencesView s) const {
    begin(axis, s.count(), [s](Index i) { return s.length(i); });
  }
  void begin(Axis axis, const Sequences& s) const { begin(axis, SequencesView(s)); }

  SequencesView sequences(Axis axis) const { return {at(axis).offsets, at(axis).count}; }
  Index columns(Axis axis) const { return at(axis).columns; }

  /// The value that lies at the handle, rows x columns of the axis.
  template <int R>
  auto operator[](const Columns<R>& h) const {
    eigen_assert(h);
    const AxisBuffer<S>& b = axes_[h.axis.id];
    return Eigen::Map<Tokens<S, R>>(b.value + h.row * b.columns, h.rows, b.columns);
  }
  template <int R>
  auto d(const Columns<R>& h) const {
    eigen_assert(h);
    const AxisBuffer<S>& b = axes_[h.axis.id];
    return Eigen::Map<Tokens<S, R>>(b.gradient + h.row * b.columns, h.rows, b.columns);
  }

 private:
  void clear_children(Axis axis) const {
    for (int i = 0; i < count_; ++i)
      if (axes_[i].parent == axis) {
        axes_[i].count = axes_[i].columns = axes_[i].offsets[0] = 0;
        clear_children({i});
      }
  }
  AxisBuffer<S>& at(Axis axis) const {
    if (axis.id < 0 || axis.id >= count_) [[unlikely]]
      detail::fail("Activations: axis %d is not one of its %d", axis.id, count_);
    return axes_[axis.id];
  }
  void check_count(Axis axis, const AxisBuffer<S>& b, Index count) const {
    if (b.parent == Axis{}) {
      if (count < 1) [[unlikely]]
        detail::fail("Activations: an empty batch, axis %d has no sequences", axis.id);
    } else if (count != at(b.parent).columns) [[unlikely]] {
      detail::fail("Activations: axis %d has %ld sequences, but its parent axis %d has %ld columns", axis.id,
                   long(count), b.parent.id, long(at(b.parent).columns));
    }
  }
  void make_room(Axis axis, Index count, Index columns) const {
    if (!grow_)
      detail::fail("Activations: %ld sequences of %ld columns on axis %d, but there is room for %ld of %ld",
                   long(count), long(columns), axis.id, long(at(axis).sequence_capacity),
                   long(at(axis).column_capacity));
    grow_(owner_, axis, count, columns);
  }

  AxisBuffer<S>* axes_;
  int count_;
  Grow grow_;
  void* owner_;
};

/// What one thread computes on the way forward and needs on the way back: a[h] is a value, a.d(h) its gradient. Grows to
/// the largest batch seen, then never allocates again.
template <class S>
class Activations {
 public:
  /// For the axes and the rows of a layout, without room yet.
  explicit Activations(const Layout& layout) : axes_(std::size_t(layout.axes())), storage_(axes_.size()) {
    for (int i = 0; i < layout.axes(); ++i) {
      AxisBuffer<S>& b = axes_[std::size_t(i)];
      b.parent = layout[Axis{i}].parent;
      b.rows = layout[Axis{i}].rows;
      grow(this, {i}, 0, 0);
    }
  }
  Activations(Activations&&) = default;
  Activations& operator=(Activations&&) = default;

  Mode mode;  ///< evaluating, unless said otherwise

  operator ActivationsView<S>() { return view(); }
  ActivationsView<S> view() { return {axes_.data(), int(axes_.size()), &Activations::grow, this, mode}; }

  template <class... Batch>
  void begin(Axis axis, const Batch&... batch) {
    view().begin(axis, batch...);
  }
  void begin(Axis axis, std::initializer_list<Index> lengths) {
    view().begin(axis, Index(lengths.size()), [&](Index i) { return lengths.begin()[i]; });
  }
  SequencesView sequences(Axis axis) { return view().sequences(axis); }
  Index columns(Axis axis) { return view().columns(axis); }
  /// The value that lies at the handle, rows x columns of the axis.
  template <int R>
  auto operator[](const Columns<R>& h) {
    return view()[h];
  }
  template <int R>
  auto d(const Columns<R>& h) {
    return view().d(h);
  }

 private:
  struct Storage {
    std::vector<Index> offsets;
    Eigen::Matrix<S, Dynamic, 1> value, gradient;
  };
  static void grow(void* owner, Axis axis, Index sequences, Index columns) {
    auto& self = *static_cast<Activations*>(owner);
    AxisBuffer<S>& b = self.axes_[std::size_t(axis.id)];
    Storage& s = self.storage_[std::size_t(axis.id)];
    b.sequence_capacity = std::max(b.sequence_capacity, sequences);
    b.column_capacity = std::max(b.column_capacity, columns);
    s.offsets.resize(std::size_t(b.sequence_capacity) + 1);
    const Index room = std::max(b.column_capacity, Index(1));  // blocks of an empty batch, too, must lie somewhere
    s.value.resize(b.rows * room);
    s.gradient.resize(b.rows * room);
    b.offsets = s.offsets.data();
    b.value = s.value.data();
    b.gradient = s.gradient.data();
  }
  std::vector<AxisBuffer<S>> axes_;
  std::vector<Storage> storage_;
};

}  // namespace heed
