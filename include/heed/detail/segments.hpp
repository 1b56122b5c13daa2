#pragma once
#include <algorithm>
#include <vector>

#include "heed/core/layout.hpp"

namespace heed::detail {

/// What an optimizer knows of the flat vector: which stretches learn and which of those decay.
class Segments {
 public:
  Segments(const char* who, const Layout& layout) : Segments(who, layout.segments()) {
    if (size_ != layout.parameters())
      fail("%s: the layout has %ld parameters but was made without names, so it cannot say which are trained", who,
           long(layout.parameters()));
  }
  Segments(const char* who, std::vector<Segment> segments) : segments_(std::move(segments)) {
    for (const Segment& s : segments_) {
      if (s.offset != size_ || s.size < 0)
        fail("%s: a segment of %ld parameters starts at %ld, but the one before ends at %ld", who, long(s.size),
             long(s.offset), long(size_));
      size_ += s.size;
    }
  }
  Index size() const { return size_; }

  /// Calls f(offset, size, decays) for all that learns, in blocks small enough to stay in the first-level cache:
  /// several expressions on a block are one pass over memory.
  template <class F>
  void for_each_block(F f) const {
    constexpr Index block = 1024;
    for (const Segment& s : segments_)
      if (s.use.learns())
        for (Index i = 0; i < s.size; i += block) f(s.offset + i, std::min(block, s.size - i), s.use.decays);
  }

 private:
  std::vector<Segment> segments_;
  Index size_ = 0;
};

/// A number of a configuration that must lie in [low, high).
inline void expect_within(const char* who, const char* what, double value, double low, double high) {
  if (!(value >= low && value < high)) [[unlikely]]
    fail("%s: %s %g is not in [%g, %g)", who, what, value, low, high);
}

}  // namespace heed::detail
