#pragma once
#include <array>
#include <initializer_list>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "heed/core/handles.hpp"
#include "heed/core/initialisers.hpp"
#include "heed/detail/name_pattern.hpp"

namespace heed {

inline constexpr Index unlimited = std::numeric_limits<Index>::max() / 4;

/// The whole shape of a weight, at most four sizes: {n} is a vector, {out, in} a matrix, {out, channels, h, w} a convolution.
class Shape {
 public:
  /// Throws unless there are one to four sizes.
  Shape(std::initializer_list<Index> sizes) : rank_(int(sizes.size())) {
    if (rank_ < 1 || rank_ > 4) detail::fail("Shape: %d sizes, but 1 to 4 are needed", rank_);
    int i = 0;
    for (Index n : sizes) sizes_[std::size_t(i++)] = n;
  }
  /// How many sizes there are.
  int rank() const { return rank_; }
  /// Size i.
  Index operator[](int i) const { return sizes_[std::size_t(i)]; }
  /// Of the weight as a matrix: the first size.
  Index rows() const { return sizes_[0]; }
  /// Of the weight as a matrix: all other sizes, multiplied.
  Index cols() const { return sizes_[1] * sizes_[2] * sizes_[3]; }
  friend bool operator==(const Shape&, const Shape&) = default;

 private:
  int rank_;
  std::array<Index, 4> sizes_{1, 1, 1, 1};
};

/// What an optimizer does with a weight. Running statistics are saved but not trained; weight decay is for matrices; what
/// is frozen stays as it is for a while, see Layout::freeze.
struct Use {
  /// Whether it learns at all, whether it decays, whether it was frozen.
  bool trained = true, decays = true, frozen = false;
  /// Whether a step of the optimizer changes it.
  bool learns() const { return trained && !frozen; }
  friend bool operator==(const Use&, const Use&) = default;
};

/// One weight in the table of contents.
struct Entry {
  std::string name;         ///< as PyTorch's state_dict names it
  Shape shape;              ///< out x in, of vectors one size
  Index offset;             ///< of its first number in the flat vector
  Initialiser initialiser;  ///< how it starts
  Use use;                  ///< what an optimizer does with it
  Index size() const { return shape.rows() * shape.cols(); }
};

/// A stretch of the flat vector whose weights are used alike.
struct Segment {
  Index offset, size;  ///< the first number, and how many
  Use use;             ///< what an optimizer does with it
};

/// How much of everything a network needs. Its layers ask for it through a Scope: of a Layout, or of a StaticLayout.
class LayoutSizes {
 public:
  /// What an axis holds.
  struct AxisInfo {
    Axis parent;           ///< sequence i of this axis belongs to column i of its parent
    Index rows = 0;        ///< of activations
    Index remembered = 0;  ///< rows of memory
    Index lookback = 0;    ///< how many columns back (itself included) its layers look, unlimited if any does
  };
  static constexpr int max_axes = 64;  ///< how many a network may have

  /// A new axis that belongs to none.
  Axis axis() { return add_axis({}); }
  /// An axis whose i-th sequence belongs to column i of `parent`: the entities seen at time step i.
  Axis axis(Axis parent) {
    if (!(parent == Axis{})) check(parent);
    return add_axis(parent);
  }

  /// The length of the flat vector of weights.
  Index parameters() const { return parameters_; }
  /// Numbers of state a lane, of all recurrent layers.
  Index state_rows() const { return state_rows_; }
  /// How many axes there are.
  int axes() const { return axis_count_; }
  /// Of the names and shapes of the weights: tells whether weights are those of another network.
  std::uint64_t fingerprint() const { return fingerprint_; }
  /// What the axis holds.
  const AxisInfo& operator[](Axis axis) const { return axes_[std::size_t(axis.id)]; }

 protected:
  /// Told of a weight before it gets its place.
  using Note = void (*)(LayoutSizes&, std::string_view name, const Shape&, Initialiser, Use);
  /// Tells `note` of each weight.
  explicit LayoutSizes(Note note) : note_(note) {}
  LayoutSizes(const LayoutSizes&) = default;
  LayoutSizes& operator=(const LayoutSizes&) = default;
  ~LayoutSizes() = default;

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
    if (note_) note_(*this, name, shape, initialiser, use);
    mix(Random::key(name));
    for (int i = 0; i < shape.rank(); ++i) mix(std::uint64_t(shape[i]));
    const Index offset = parameters_;
    parameters_ += shape.rows() * shape.cols();
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
  void mix(std::uint64_t number) { fingerprint_ = Random(fingerprint_ + number).bits(); }

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

  Note note_;
  int axis_count_ = 0;
  Index parameters_ = 0, state_rows_ = 0;
  std::uint64_t fingerprint_ = 0;
  std::array<AxisInfo, max_axes> axes_{};
};

/// The table of contents of a network: what lives where in each of its flat buffers. Filled in by the constructors of the
/// layers through a Scope; checkpoints, optimizers and buffers read it.
class Layout : public LayoutSizes {
 public:
  /// Without names (`Layout(false)`) only sizes are counted, and nothing touches the heap.
  explicit Layout(bool named = true) : LayoutSizes(named ? &add_entry : nullptr) {}

  /// All weights, in the order of the flat vector.
  const std::vector<Entry>& entries() const { return entries_; }

  /// Weights of these names stay as they are: * stands for any text, ? for any one character, | between several patterns, !
  /// before the first for all but theirs. Of a policy that was trained before, freeze("!policy.*|value.*") leaves the heads
  /// to learn. Optimizers, shards and trainers ask for it when they are made; who clips a gradient that no shards summed
  /// clips it with what is frozen. Returns how many weights it were; none is an error.
  std::size_t freeze(std::string_view pattern) { return set_frozen("freeze", pattern, true); }
  /// They learn again, by what is made from now on.
  std::size_t unfreeze(std::string_view pattern) { return set_frozen("unfreeze", pattern, false); }

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
  std::size_t set_frozen(const char* what, std::string_view pattern, bool frozen) {
    std::size_t count = 0;
    for (Entry& e : entries_)
      if (detail::named(pattern, e.name)) e.use.frozen = frozen, ++count;
    if (count == 0)
      detail::fail("Layout: %s: no weight is named as in '%.*s'", what, int(pattern.size()), pattern.data());
    return count;
  }

  static void add_entry(LayoutSizes& sizes, std::string_view name, const Shape& shape, Initialiser initialiser,
                        Use use) {
    std::vector<Entry>& entries = static_cast<Layout&>(sizes).entries_;
    for (const Entry& e : entries)
      if (e.name == name) detail::fail("Layout: two weights are named %s", e.name.c_str());
    entries.push_back({std::string(name), shape, sizes.parameters(), initialiser, use});
  }

  std::vector<Entry> entries_;
};

}  // namespace heed
