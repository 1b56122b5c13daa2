#pragma once
#include <charconv>
#include <cstring>

#include "heed/core/layout.hpp"

namespace heed {

/// A place in a layout, along one axis: `at / "norm1"` is the place called norm1 below it. Layers take their place as the
/// first argument of their constructor and ask it for handles.
class Scope {
 public:
  /// The place of that name, at first the root, along an axis.
  Scope(LayoutSizes& layout, Axis axis, std::string_view name = {}) : layout_(&layout), axis_(axis) { append(name); }

  /// The place of that name below this one.
  Scope operator/(std::string_view child) const {
    Scope below = *this;
    below.append(child);
    return below;
  }
  /// A place with a number for its name, as PyTorch's ModuleList has them.
  Scope operator/(Index child) const {
    char digits[24];
    return *this /
           std::string_view(digits, std::size_t(std::to_chars(digits, digits + sizeof digits, child).ptr - digits));
  }
  /// The same place along another axis.
  Scope along(Axis axis) const {
    Scope other = *this;
    other.axis_ = axis;
    return other;
  }
  /// Along which its columns lie.
  Axis axis() const { return axis_; }
  /// Whether the sequences of this axis belong to columns of another: the entities seen at a time step.
  bool nested() const { return (*layout_)[axis_].parent.id >= 0; }
  /// A new axis whose i-th sequence belongs to column i of this one.
  Axis child_axis() const { return layout_->axis(axis_); }
  /// A new axis that belongs to none.
  Axis new_axis() const { return layout_->axis(); }
  /// A new axis beside this one: its sequences belong to columns of the same parent, or to none.
  Axis sibling_axis() const { return layout_->axis((*layout_)[axis_].parent); }
  /// Names from the root on, with points between.
  std::string_view name() const { return {name_, size_}; }
  /// Of the random numbers that a layer at this place draws.
  std::uint64_t stream() const { return Random::key(name()); }

  /// A weight with its whole shape. Vectors do not decay unless `use` says so.
  template <int R, int C = 1>
  Weight<R, C> weight(std::string_view name, const Shape& shape, Initialiser initialiser, Use use) const {
    if ((R != Dynamic && shape.rows() != R) || (C != Dynamic && shape.cols() != C))
      detail::fail("%.*s: shape %ld x %ld, but the type says %d x %d", int((*this / name).size_), (*this / name).name_,
                   long(shape.rows()), long(shape.cols()), R, C);
    const Index offset = layout_->add_weight((*this / name).name(), shape, initialiser, use);
    return {offset, shape.rows(), shape.cols()};
  }
  /// A weight that is trained, and decays if it is a matrix.
  template <int R, int C = 1>
  Weight<R, C> weight(std::string_view name, const Shape& shape, Initialiser initialiser) const {
    return weight<R, C>(name, shape, initialiser, Use{.trained = true, .decays = shape.rank() > 1});
  }
  template <int R = Dynamic>
  Columns<R> columns(Index rows = R) const {
    return {axis_, layout_->add_columns(axis_, rows), rows};
  }
  /// Remembered along this axis. A layer that never looks further back than `lookback` columns (the newest included) says
  /// so, and a ring of that length is enough for it.
  template <int R = Dynamic>
  Remembered<R> remembered(Index rows = R, Index lookback = unlimited) const {
    return {axis_, layout_->add_remembered(axis_, rows, lookback), rows};
  }
  /// So many numbers a lane that are replaced at each step.
  template <int R = Dynamic>
  State<R> state(Index rows = R) const {
    return {layout_->add_state(rows), rows};
  }

 private:
  void append(std::string_view child) {
    if (child.empty()) return;
    const std::size_t dot = size_ > 0;
    if (size_ + dot + child.size() > sizeof name_)
      detail::fail("Scope: the name %.*s.%.*s is longer than %d characters", int(size_), name_, int(child.size()),
                   child.data(), int(sizeof name_));
    if (dot) name_[size_] = '.';
    std::memcpy(name_ + size_ + dot, child.data(), child.size());
    size_ += dot + child.size();
  }

  LayoutSizes* layout_;
  Axis axis_;
  std::size_t size_ = 0;
  char name_[128];  // in place, so that a layout without names needs no heap
};

}  // namespace heed
