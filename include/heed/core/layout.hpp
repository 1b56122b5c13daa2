#pragma once
#include <array>
#include <initializer_list>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "heed/core/handles.hpp"
#include "heed/core/initialisers.hpp"

namespace heed {

inline constexpr Index unlimited = std::numeric_limits<Index>::max() / 4;

/// The whole shape of a weight, at most four sizes: {n} is a vector, {out, in} a matrix, {out, channels, h, w} a convolution.
class Shape {
 public:
  Shape(std::initializer_list<Index> sizes) : rank_(int(sizes.size())) {
    if (rank_ < 1 || rank_ > 4) detail::fail("Shape: %d sizes, but 1 to 4 are needed", rank_);
    int i = 0;
    for (Index n : sizes) sizes_[std::size_t(i++)] = n;
  }
  int rank() const { return rank_; }
  Index operator[](int i) const { return sizes_[std::size_t(i)]; }
  Index rows() const { return sizes_[0]; }
  Index cols() const { return sizes_[1] * sizes_[2] * sizes_[3]; }
  friend bool operator==(const Shape&, const Shape&) = default;

 private:
  int rank_;
  std::array<Index, 4> sizes_{1, 1, 1, 1};
};

/// What an optimizer does with a weight. Running statistics are saved but not trained; weight decay is for matrices.
struct Use {
  bool trained = true, decays = true;
  friend bool operator==(const Use&, const Use&) = default;
};

/// One weight in the table of contents.
struct Entry {
  std::string name;
  Shape shape;
  Index offset;
  Initialiser initialiser;
  Use use;
  Index size() const { return shape.rows() * shape.cols(); }
};

/// A stretch of the flat vector whose weights are used alike.
struct Segment {
  Index offset, size;
  Use use;
};

/// The table of contents of a network: what lives where in each of its flat buffers. Filled in by the constructors of the
/// layers through a Scope; checkpoints, optimizers and buffers read it.
class Layout {
 public:
  struct AxisInfo {
    Axis parent;           // sequence i of this axis belongs to column i of its parent
    Index rows = 0;        // of activations
    Index remembered = 0;  // rows of memory
    Index lookback = 0;    // how many columns back (itself included) its layers look, unlimited if any does
  };
  static constexpr int max_axes = 64;

  /// Without names (`Layout(false)`) only sizes are counted, and nothing touches the heap.
  explicit Layout(bool named = true) : named_(named) {}

  Axis axis() { return add_axis({}); }
  /// An axis whose i-th sequence belongs to column i of `parent`: the entities seen at time step i.
  Axis axis(Axis parent) {
    if (!(parent == Axis{})) check(parent);
    return add_axis(parent);
  }

  Index parameters() const { return parameters_; }
  Index state_rows() const { return state_rows_; }
  int axes() const { return axis_count_; }
  const AxisInfo& operator[](Axis axis) const { return axes_[std::size_t(axis.id)]; }
  const std::vector<Entry>& entries() const { return entries_; }

  /// The flat vector from end to end, cut where the use of weights changes.
  std::vector<Segment> segments() const {
    std::vector<Segment> all;
    for (const Entry& e : entries_)
      if (!all.empty() && all.back().use == e.use)
        all.back().size += e.size();
      else
        all.push_back({e.offset, e.size(), e.use});
    return all;
  }

 private:
  friend class Scope;

  Axis add_axis(Axis parent) {
    if (axis_count_ == max_axes) detail::fail("Layout: more than %d axes", max_axes);
    axes_[std::size_t(axis_count_)].parent = parent;
    return {axis_count_++};
  }

  Index add_weight(std::string_view name, const Shape& shape, Initialiser initialiser, Use use) {
    for (int i = 0; i < shape.rank(); ++i)
      if (shape[i] < 1)
        detail::fail("%.*s: size %d of its shape is %ld, but must be at least 1", int(name.size()), name.data(), i,
                     long(shape[i]));
    for (const Entry& e : entries_)
      if (e.name == name) detail::fail("Layout: two weights are named %s", e.name.c_str());
    const Index offset = parameters_;
    parameters_ += shape.rows() * shape.cols();
    if (named_) entries_.push_back({std::string(name), shape, offset, initialiser, use});
    return offset;
  }
  Index add_columns(Axis axis, Index rows) {
    check(axis);
    return grow(axes_[std::size_t(axis.id)].rows, rows, "Columns");
  }
  Index add_remembered(Axis axis, Index rows, Index lookback) {
    check(axis);
    if (lookback < 1) detail::fail("Remembered: a lookback of %ld, but at least 1 is needed", long(lookback));
    AxisInfo& info = axes_[std::size_t(axis.id)];
    info.lookback = std::max(info.lookback, lookback);
    return grow(info.remembered, rows, "Remembered");
  }
  Index add_state(Index rows) { return grow(state_rows_, rows, "State"); }

  void check(Axis axis) const {
    if (axis.id < 0 || axis.id >= axis_count_)
      detail::fail("Layout: axis %d is not one of its %d", axis.id, axis_count_);
  }
  static Index grow(Index& total, Index rows, const char* what) {
    if (rows < 1) detail::fail("%s: %ld rows, but at least 1 is needed", what, long(rows));
    const Index first = total;
    total += rows;
    return first;
  }

  bool named_;
  int axis_count_ = 0;
  Index parameters_ = 0, state_rows_ = 0;
  std::array<AxisInfo, max_axes> axes_{};
  std::vector<Entry> entries_;
};

}  // namespace heed
