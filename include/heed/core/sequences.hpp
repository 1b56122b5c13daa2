#pragma once
#include <algorithm>
#include <initializer_list>
#include <vector>

#include "heed/core/tokens.hpp"

namespace heed {

/// How the columns of one axis fall into sequences, as the layers see it: pointers to the offsets of a Sequences.
class SequencesView {
 public:
  /// Over count + 1 offsets, of which the first is 0.
  SequencesView(const Index* offsets, Index count) : offsets_(offsets), count_(count) {}
  /// How many sequences there are.
  Index count() const { return count_; }
  /// The first column of sequence s.
  Index first(Index s) const { return offsets_[s]; }
  Index length(Index s) const { return offsets_[s + 1] - offsets_[s]; }
  Index columns() const { return offsets_[count_]; }
  /// The sequence that a column belongs to.
  Index sequence_of(Index column) const {
    return std::upper_bound(offsets_, offsets_ + count_ + 1, column) - offsets_ - 1;
  }

 private:
  const Index* offsets_;
  Index count_;
};

/// How the columns of one axis fall into sequences: lengths {3, 0, 5} are columns 0-2, none, and 3-7. Nothing is padded.
class Sequences {
 public:
  Sequences() = default;
  /// Sequences of these lengths.
  Sequences(std::initializer_list<Index> lengths) {
    for (Index n : lengths) append(n);
  }
  /// So many of one length.
  static Sequences uniform(Index count, Index length) {
    Sequences s;
    for (Index i = 0; i < count; ++i) s.append(length);
    return s;
  }

  /// One more behind the others.
  void append(Index length) {
    if (length < 0) detail::fail("Sequences: length %ld is negative", long(length));
    offsets_.push_back(columns() + length);
  }
  /// Empties it and keeps the room.
  void clear() { offsets_.resize(1); }

  /// How many sequences there are.
  Index count() const { return Index(offsets_.size()) - 1; }
  /// The first column of sequence s.
  Index first(Index s) const { return offsets_[std::size_t(s)]; }
  Index length(Index s) const { return offsets_[std::size_t(s) + 1] - offsets_[std::size_t(s)]; }
  Index columns() const { return offsets_.back(); }
  operator SequencesView() const { return {offsets_.data(), count()}; }

  template <class Fields>
  void fields(Fields& f) {
    f("offsets", offsets_);
  }
  bool valid() const {
    return !offsets_.empty() && offsets_[0] == 0 && std::is_sorted(offsets_.begin(), offsets_.end());
  }

 private:
  std::vector<Index> offsets_{0};
};

}  // namespace heed
