#pragma once
#include <algorithm>
#include <bit>
#include <deque>
#include <initializer_list>
#include <span>
#include <vector>

#include "heed/core/activations.hpp"
#include "heed/core/executor.hpp"
#include "heed/core/parameters.hpp"

namespace heed {

/// Some of a batch's columns or sequences, in a row.
struct Range {
  Index first = 0, count = 0;  ///< the first, and how many
  friend bool operator==(const Range&, const Range&) = default;
};

namespace detail {
/// So many shards as all of these allow: a power of two, so that two or four threads have the same to do, and at least one.
inline Index shards_worth(std::initializer_list<Index> limits) {
  return Index(std::bit_floor(std::uint64_t(std::max(std::min(limits), Index(1)))));
}
}  // namespace detail

/// A batch cut into shards: runs of whole sequences, each with activations and a gradient of its own, so that threads can
/// work on them at the same time. How it is cut depends on the batch and the layout alone, and gradients are summed in the
/// order of the shards: the results are the same bits whoever runs them.
///
///   shards.begin({{time, batch}});
///   shards.each(threads, [&](const auto& shard) {
///     const auto mine = shard.columns(time);
///     net.forward(p, x.middleCols(mine.first, mine.count), shard.a);
///     ...
///   });
///   adam.step(p.flat, shards.sum(threads).flat);
///
/// A small batch is one shard: what it gives is what Activations give, bit by bit. Nothing is allocated once the largest
/// shards were seen.
template <class S>
class Shards {
  struct Slot {
    Activations<S> a;
    Parameters<S> g;
    std::vector<Range> columns, sequences;  // for each axis
    explicit Slot(const Layout& layout)
        : a(layout), g(layout), columns(std::size_t(layout.axes())), sequences(columns.size()) {}
  };

 public:
  /// So much has a shard at least in the mean, weights x columns and columns, unless it is the whole batch.
  static constexpr Index least_work = Index(1) << 20, least_columns = 64;

  /// What an axis is in the coming batch.
  struct Part {
    Axis axis;                ///< which
    SequencesView sequences;  ///< of the whole batch
  };

  /// What a network is given of a shard.
  class Shard {
   public:
    Index number;          ///< from 0
    ActivationsView<S> a;  ///< its own
    ParametersView<S> g;   ///< zero at first

    /// Which of the batch's columns and sequences of an axis it has.
    Range columns(Axis axis) const { return slot_->columns[std::size_t(axis.id)]; }
    Range sequences(Axis axis) const { return slot_->sequences[std::size_t(axis.id)]; }

   private:
    friend class Shards;
    Shard(Index i, Slot& slot) : number(i), a(slot.a), g(slot.g), slot_(&slot) {}
    const Slot* slot_;
  };

  /// At most so many shards. Of another number the sums of the gradients are rounded differently.
  explicit Shards(const Layout& layout, Index most = 8) : layout_(layout), most_(most) {
    if (most < 1) detail::fail("Shards: at most %ld shards, but at least 1 is needed", long(most));
    slots_.emplace_back(layout);
    for (const Segment& segment : layout_.segments())
      if (!segment.use.learns()) still_.push_back(segment);
  }

  Mode mode;  ///< of all shards, but each draws other numbers

  /// Says what the columns of the axes are: an axis that belongs to none, then others with as many sequences, and axes that
  /// belong to those before. Sequence i of a child axis stays with column i of its parent.
  void begin(std::span<const Part> parts) {
    check(parts);
    cut(parts);
    while (slots_.size() + 1 < cuts_.size()) slots_.emplace_back(layout_);
    for (std::size_t i = 0; i + 1 < cuts_.size(); ++i) fill(slots_[i], parts, cuts_[i], cuts_[i + 1]);
    clear_ = true;
  }
  void begin(std::initializer_list<Part> parts) { begin(std::span<const Part>(parts.begin(), parts.size())); }

  /// Of the current batch.
  Index count() const { return Index(cuts_.size()) - 1; }
  /// Shard i of the current batch.
  Shard operator[](Index i) { return {i, slots_[std::size_t(i)]}; }

  /// f(shard) for each, at the same time if the executor can.
  template <class F>
  void each(Executor executor, F&& f) {
    executor.run(count(), [&](Index i) {
      Slot& slot = slots_[std::size_t(i)];
      if (clear_) slot.g.flat.setZero();
      slot.a.mode = {mode.training, i == 0 ? mode.seed : Random(mode.seed).bits_at(std::uint64_t(i))};
      f((*this)[i]);
    });
    clear_ = false;
  }

  /// The sum of the shards' gradients, which start from zero again. Weights that do not learn have none: what is done with
  /// its norm is not for them.
  Parameters<S>& sum(Executor executor = {}) {
    auto& total = slots_[0].g.flat;
    constexpr Index piece = Index(1) << 14;
    if (count() > 1)
      executor.run((total.size() + piece - 1) / piece, [&](Index i) {
        auto some = total.segment(i * piece, std::min(piece, total.size() - i * piece));
        for (Index j = 1; j < count(); ++j) some += slots_[std::size_t(j)].g.flat.segment(i * piece, some.size());
      });
    for (const Segment& segment : still_) total.segment(segment.offset, segment.size).setZero();
    clear_ = true;
    return slots_[0].g;
  }
  /// What `sum` answered.
  Parameters<S>& gradient() { return slots_[0].g; }
  /// What `sum` answered.
  const Parameters<S>& gradient() const { return slots_[0].g; }

 private:
  void check(std::span<const Part> parts) const {
    if (parts.empty() || parts[0].sequences.count() < 1) detail::fail("Shards: an empty batch");
    for (const Part& part : parts) {
      const Part* parent = parent_of(part, parts);
      const Index sequences = parent ? parent->sequences.columns() : parts[0].sequences.count();
      if (part.sequences.count() != sequences)
        detail::fail("Shards: axis %d has %ld sequences, but %ld are needed", part.axis.id,
                     long(part.sequences.count()), long(sequences));
      for (const Part* before = parts.data(); before != &part; ++before)
        if (before->axis == part.axis) detail::fail("Shards: axis %d comes twice", part.axis.id);
    }
  }
  /// The part that it belongs to, which must come before it; none for an axis that belongs to none.
  const Part* parent_of(const Part& part, std::span<const Part> parts) const {
    if (part.axis.id < 0 || part.axis.id >= layout_.axes())
      detail::fail("Shards: axis %d is not one of its %d", part.axis.id, layout_.axes());
    const Axis parent = layout_[part.axis].parent;
    if (parent == Axis{}) return nullptr;
    for (const Part* p = parts.data(); p != &part; ++p)
      if (p->axis == parent) return p;
    detail::fail("Shards: axis %d comes without its parent axis %d, or before it", part.axis.id, parent.id);
  }

  /// The sequence, and the column, of a part where the columns of sequence `s` begin.
  Index sequence_at(const Part& part, std::span<const Part> parts, Index s) const {
    const Part* parent = parent_of(part, parts);
    return parent ? column_at(*parent, parts, s) : s;
  }
  Index column_at(const Part& part, std::span<const Part> parts, Index s) const {
    return part.sequences.first(sequence_at(part, parts, s));
  }
  /// How many columns of all axes lie before sequence s.
  Index columns_before(std::span<const Part> parts, Index s) const {
    Index columns = 0;
    for (const Part& part : parts) columns += column_at(part, parts, s);
    return columns;
  }

  /// Shards of about equally many columns; fewer where long sequences leave little for some.
  void cut(std::span<const Part> parts) {
    const Index sequences = parts[0].sequences.count(), columns = columns_before(parts, sequences);
    const Index shards =
        detail::shards_worth({most_, columns / least_columns, columns * layout_.parameters() / least_work});
    cuts_.assign(1, 0);
    Index before = 0;
    for (Index i = 1; i < shards; ++i) {
      const Index s = nearest(parts, i * columns / shards), here = columns_before(parts, s);
      if (std::min(here - before, columns - here) < columns / shards / 2) continue;
      cuts_.push_back(s);
      before = here;
    }
    cuts_.push_back(sequences);
  }
  /// The sequence with about so many columns before it.
  Index nearest(std::span<const Part> parts, Index columns) const {
    Index low = 0, high = parts[0].sequences.count();
    while (low < high) {
      const Index middle = (low + high) / 2;
      if (columns_before(parts, middle) < columns)
        low = middle + 1;
      else
        high = middle;
    }
    const bool lower = low > 0 && columns - columns_before(parts, low - 1) < columns_before(parts, low) - columns;
    return low - lower;
  }

  /// Gives a slot the sequences from `first` up to `end`.
  void fill(Slot& slot, std::span<const Part> parts, Index first, Index end) const {
    slot.columns.assign(slot.columns.size(), {});
    slot.sequences.assign(slot.sequences.size(), {});
    for (const Part& part : parts) {
      const std::size_t axis = std::size_t(part.axis.id);
      const auto range = [](Index from, Index to) { return Range{from, to - from}; };
      slot.sequences[axis] = range(sequence_at(part, parts, first), sequence_at(part, parts, end));
      slot.columns[axis] = range(column_at(part, parts, first), column_at(part, parts, end));
      slot.a.begin(part.axis, slot.sequences[axis].count,
                   [&](Index i) { return part.sequences.length(slot.sequences[axis].first + i); });
    }
  }

  Layout layout_;
  Index most_;
  std::deque<Slot> slots_;      // which stay where they are
  std::vector<Segment> still_;  // what does not learn
  std::vector<Index> cuts_{0};
  bool clear_ = true;
};

}  // namespace heed
