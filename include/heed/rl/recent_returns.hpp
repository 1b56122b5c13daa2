#pragma once
#include <algorithm>
#include <limits>
#include <vector>

#include "heed/core/tokens.hpp"

namespace heed {

/// The returns of the last few episodes.
class RecentReturns {
 public:
  /// Of at most so many episodes.
  explicit RecentReturns(Index most) : most_(most) {
    if (most < 1) detail::fail("RecentReturns: the last %ld episodes, but at least 1 is needed", long(most));
    recent_.reserve(std::size_t(most));
  }
  /// An episode ended.
  void add(double total) {
    const std::size_t place = std::size_t(count_++ % most_);
    if (place == recent_.size()) recent_.push_back(0);
    recent_[place] = total;
  }
  /// All that were added.
  Index count() const { return count_; }
  /// Over the last ones, of fewer at the start, of none minus infinity.
  double mean() const {
    if (recent_.empty()) return -std::numeric_limits<double>::infinity();
    double sum = 0;
    for (double r : recent_) sum += r;
    return sum / double(recent_.size());
  }

  template <class Fields>
  void fields(Fields& f) {
    f.same("most", most_);
    f("count", count_);
    f("last", recent_);
  }
  bool valid() const { return count_ >= 0 && Index(recent_.size()) == std::min(count_, most_); }

 private:
  Index most_, count_ = 0;
  std::vector<double> recent_;
};

}  // namespace heed
