#pragma once
#include <algorithm>
#include <array>
#include <vector>

#include "heed/core/layout.hpp"
#include "heed/core/sequences.hpp"

namespace heed {

/// How much a lane remembers along an axis.
struct Capacity {
  Index columns = 0;  ///< so many; not needed where every layer of the axis looks back a bounded number (a window)
  bool ring = false;  ///< forget the oldest when full, and go on; otherwise a full memory is an error
  Index chunk = 1;    ///< the most columns by which a ring is extended at once
};

/// The storage of one axis of a Memory: a lane is a block of rows x width columns.
struct AxisMemory {
  Index rows = 0;            ///< numbers that a column holds
  Index window = unlimited;  ///< how far back a ring remembers, the newest column included
  Index slots = 0;           ///< position t lies in column slot(t) and, in a ring, again at slots + slot(t)
  Index chunk = unlimited;   ///< the most columns that come at once
  Index width = 0;           ///< columns of a lane's block
  Index offset = 0;          ///< of its lanes in the flat vector

  /// The column in which a position lies.
  Index slot(Index position) const { return position < slots ? position : position % slots; }
};

/// What a lane needs along one axis: from `layout[axis]` and a capacity. `offset` is left to whoever places the axes.
inline AxisMemory axis_memory(Axis axis, const LayoutSizes::AxisInfo& info, Capacity capacity) {
  if (capacity.columns < 0 || capacity.chunk < 1)
    detail::fail("Memory: capacity %ld and chunk %ld of axis %d must be at least 0 and 1", long(capacity.columns),
                 long(capacity.chunk), axis.id);
  AxisMemory m;
  m.rows = info.remembered;
  if (m.rows == 0) return m;
  const bool bounded = info.lookback < unlimited;
  if (!bounded && capacity.columns == 0)
    detail::fail("Memory: axis %d needs a capacity, since a layer of it looks back without limit", axis.id);
  if (bounded || capacity.ring) {
    m.window = bounded ? info.lookback : capacity.columns;
    m.chunk = capacity.chunk;
    m.slots = m.window + m.chunk - (bounded ? 1 : 0);  // bounded: no other axis looks on while nothing is pending
    m.width = 2 * m.slots;
  } else {
    m.slots = m.width = capacity.columns;
  }
  return m;
}

/// What the layers see of Memory: pointers. Made from a Memory, or over arrays of one's own, zero at first:
///
///   axes: an `axis_memory` for each axis of the layout    lengths, pending: axes x lanes
///   columns: for each axis rows * width * lanes, from its offset on    state, next: state_rows * lanes
///
/// A ring is written twice, slots apart, so that what a lane sees is always one contiguous block.
template <class S>
class MemoryView {
 public:
  /// Over arrays of one's own, as long as said above.
  MemoryView(const AxisMemory* axes, int count, Index lanes, Index state_rows, Index* lengths, Index* pending,
             S* columns, S* state, S* next)
      : axes_(axes),
        count_(count),
        lanes_(lanes),
        state_rows_(state_rows),
        lengths_(lengths),
        pending_(pending),
        columns_(columns),
        state_(state),
        next_(next) {}

  Index lanes() const { return lanes_; }
  /// How many columns the lane has seen along the axis: the absolute position of the next one.
  Index length(Axis axis, Index lane) const { return lengths_[axis.id * lanes_ + lane]; }
  /// How many columns were shown and are not yet committed.
  Index pending(Axis axis, Index lane) const { return pending_[axis.id * lanes_ + lane]; }
  /// How far back the axis remembers, the newest column included; unlimited where it is not a ring.
  Index window(Axis axis) const { return axes_[axis.id].window; }
  /// The absolute position of the oldest column in sight of the pending ones, or of others where none are pending.
  Index first(Axis axis, Index lane) const {
    return std::max(Index(0), length(axis, lane) + std::min(pending(axis, lane), Index(1)) - window(axis));
  }

  /// Says that lane i is about to be extended by s.length(i) columns along the axis. Each layer that remembers says so
  /// itself; saying it twice does no harm.
  void begin(Axis axis, SequencesView s) const {
    if (s.count() != lanes_) [[unlikely]] {
      abandon();
      detail::fail("Memory: %ld sequences on axis %d, but there are %ld lanes", long(s.count()), axis.id, long(lanes_));
    }
    const AxisMemory& m = axes_[axis.id];
    for (Index lane = 0; lane < lanes_; ++lane) {
      const Index n = s.length(lane), length = this->length(axis, lane);
      if (m.rows > 0 && m.window == unlimited && length + n > m.slots) [[unlikely]] {
        abandon();
        detail::fail(
            "Memory: lane %ld holds %ld columns on axis %d and cannot take %ld more: its capacity is %ld and it is "
            "not a ring",
            long(lane), long(length), axis.id, long(n), long(m.slots));
      }
      if (m.rows > 0 && n > m.chunk) [[unlikely]] {
        abandon();
        detail::fail("Memory: %ld columns at once on axis %d, but its ring was made for chunks of at most %ld", long(n),
                     axis.id, long(m.chunk));
      }
    }
    for (Index lane = 0; lane < lanes_; ++lane) pending_[axis.id * lanes_ + lane] = s.length(lane);
  }

  /// Commits what the lane was last extended by.
  void advance(Index lane) const {
    check(lane);
    for (Index i = lane; i < count_ * lanes_; i += lanes_) {
      lengths_[i] += pending_[i];
      pending_[i] = 0;
    }
    std::copy_n(next_ + lane * state_rows_, state_rows_, state_ + lane * state_rows_);
  }
  /// Clears the lane: length 0 along every axis, states zero.
  void forget(Index lane) const {
    check(lane);
    for (Index i = lane; i < count_ * lanes_; i += lanes_) lengths_[i] = pending_[i] = 0;
    std::fill_n(state_ + lane * state_rows_, state_rows_, S(0));
    std::fill_n(next_ + lane * state_rows_, state_rows_, S(0));
  }

  /// Writes the pending columns of a lane; not committed before advance(lane).
  template <int R>
  void write(const Remembered<R>& h, Index lane, Read<S> x) const {
    const AxisMemory& m = axes_[h.axis.id];
    auto all = block(h, lane);
    eigen_assert(x.rows() == h.rows && x.cols() == pending(h.axis, lane));
    for (Index j = 0; j < x.cols(); ++j) {
      const Index slot = m.slot(length(h.axis, lane) + j);
      detail::copy<S>(x.col(j), all.col(slot));
      if (m.width > m.slots) detail::copy<S>(x.col(j), all.col(m.slots + slot));
    }
  }
  /// What the lane sees: rows x columns, from position first(axis, lane) to the newest pending one.
  template <int R>
  auto operator()(const Remembered<R>& h, Index lane) const {
    const Index begin = first(h.axis, lane), end = length(h.axis, lane) + pending(h.axis, lane);
    auto all = block(h, lane);
    return Eigen::Map<const Tokens<S, R>>(all.data() + axes_[h.axis.id].slot(begin) * h.rows, h.rows,
                                          std::max(Index(0), end - begin));
  }

  /// The state of all lanes, rows x lanes, and what is to replace it at advance(lane): `extend` writes that of every
  /// lane, of one that waits the state that it has.
  template <int R>
  auto operator[](const State<R>& h) const {
    return detail::ConstStrided<S, R>(state_ + h.row, h.rows, lanes_, Eigen::OuterStride<>(state_rows_));
  }
  /// The state that advance will commit, rows x lanes; to be written for each lane.
  template <int R>
  auto next(const State<R>& h) const {
    return detail::Strided<S, R>(next_ + h.row, h.rows, lanes_, Eigen::OuterStride<>(state_rows_));
  }

 private:
  template <int R>
  auto block(const Remembered<R>& h, Index lane) const {
    const AxisMemory& m = axes_[h.axis.id];
    return Eigen::Map<Tokens<S, R>>(columns_ + m.offset + (lane * m.rows + h.row) * m.width, h.rows, m.width);
  }
  /// An extend that failed leaves nothing to commit.
  void abandon() const { std::fill_n(pending_, count_ * lanes_, Index(0)); }
  void check(Index lane) const {
    if (lane < 0 || lane >= lanes_) [[unlikely]]
      detail::fail("Memory: lane %ld is not one of its %ld", long(lane), long(lanes_));
  }
  const AxisMemory* axes_;
  int count_;
  Index lanes_, state_rows_;
  Index *lengths_, *pending_;
  S *columns_, *state_, *next_;
};

/// What acting one step at a time has to remember (keys and values of every layer, recurrent states), for many
/// environments: one lane each. `extend` shows it new columns, `advance(lane)` commits them, `forget(lane)` starts anew.
template <class S>
class Memory {
  using NamedCapacities = std::initializer_list<std::pair<Axis, Capacity>>;

 public:
  /// The same capacity along every axis.
  Memory(const Layout& layout, Index lanes, Capacity capacity)
      : Memory(layout, lanes, [&](Axis) { return capacity; }) {}
  /// Room for so many columns a lane, along each axis that needs it.
  Memory(const Layout& layout, Index lanes, Index columns = 0) : Memory(layout, lanes, Capacity{.columns = columns}) {}
  /// A capacity for each axis that is named, none for the others.
  Memory(const Layout& layout, Index lanes, NamedCapacities capacities)
      : Memory(layout, lanes, [&](Axis axis) {
          for (const auto& [named, capacity] : capacities)
            if (named == axis) return capacity;
          return Capacity{};
        }) {
    for (const auto& [named, capacity] : capacities)
      if (named.id < 0 || named.id >= layout.axes())
        detail::fail("Memory: a capacity for axis %d, which is not one of %d", named.id, layout.axes());
  }

  Index lanes() const { return lanes_; }
  Index length(Axis axis, Index lane) const {
    if (axis.id < 0 || std::size_t(axis.id) >= axes_.size()) [[unlikely]]
      detail::fail("Memory: axis %d is not one of its %zu", axis.id, axes_.size());
    if (lane < 0 || lane >= lanes_) [[unlikely]]
      detail::fail("Memory: lane %ld is not one of its %ld", long(lane), long(lanes_));
    return lengths_[std::size_t(axis.id * lanes_ + lane)];
  }

  /// Commits what the lane was last extended by.
  void advance(Index lane) { view().advance(lane); }
  void advance() {
    for (Index lane = 0; lane < lanes_; ++lane) advance(lane);
  }
  /// Clears the lane: length 0 along every axis, states zero.
  void forget(Index lane) { view().forget(lane); }
  void forget() {
    for (Index lane = 0; lane < lanes_; ++lane) forget(lane);
  }

  operator MemoryView<S>() { return view(); }
  MemoryView<S> view() {
    return {axes_.data(),    int(axes_.size()), lanes_,        state_.rows(), lengths_.data(),
            pending_.data(), columns_.data(),   state_.data(), next_.data()};
  }

  template <class Fields>
  void fields(Fields& f) {
    f.same("lanes", lanes_);
    f.same("axes", Index(axes_.size()));
    f("lengths", lengths_);
    f("pending", pending_);
    f("columns", columns_);
    f("state", state_);
    f("next", next_);
  }
  bool valid() const {
    if (lengths_.size() != axes_.size() * std::size_t(lanes_) || pending_.size() != lengths_.size()) return false;
    for (std::size_t i = 0; i < lengths_.size(); ++i) {
      const AxisMemory& m = axes_[i / std::size_t(lanes_)];
      if (lengths_[i] < 0 || pending_[i] < 0 || lengths_[i] > unlimited || pending_[i] > unlimited) return false;
      if (m.rows > 0 && pending_[i] > m.chunk) return false;
      if (m.rows > 0 && m.window == unlimited && lengths_[i] + pending_[i] > m.slots) return false;
    }
    return true;
  }

 private:
  template <class CapacityOf>
  requires std::is_invocable_r_v<Capacity, CapacityOf, Axis> Memory(const Layout& layout, Index lanes,
                                                                    CapacityOf capacity_of)
      : lanes_(lanes),
        axes_(std::size_t(layout.axes())),
        lengths_(axes_.size() * std::size_t(std::max(lanes, Index(0)))),
        pending_(lengths_) {
    if (lanes < 1) detail::fail("Memory: %ld lanes, but at least 1 is needed", long(lanes));
    Index size = 0;
    for (int i = 0; i < layout.axes(); ++i) {
      AxisMemory& m = axes_[std::size_t(i)];
      m = axis_memory({i}, layout[Axis{i}], capacity_of(Axis{i}));
      m.offset = size;
      size += lanes * m.rows * m.width;
    }
    columns_.setZero(size);
    state_.setZero(layout.state_rows(), lanes);
    next_.setZero(layout.state_rows(), lanes);
  }

  Index lanes_;
  std::vector<AxisMemory> axes_;
  std::vector<Index> lengths_, pending_;  // axis by axis, a lane each
  Eigen::Matrix<S, Dynamic, 1> columns_;
  Tokens<S> state_, next_;
};

}  // namespace heed
