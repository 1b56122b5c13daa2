#pragma once
#include <algorithm>
#include <bit>
#include <cmath>
#include <vector>

#include "heed/core/tokens.hpp"

namespace heed {

/// Numbers that are not negative, each the leaf of a binary tree whose nodes are the sums of what is below: a
/// change, and a leaf drawn in proportion to its number, take time in proportion to the logarithm of how many there
/// are. A sum is always that of the two below, so errors of rounding do not add up.
class SumTree {
 public:
  /// So many, zero at first.
  explicit SumTree(Index leaves) : leaves_(leaves) {
    if (leaves < 1) detail::fail("SumTree: %ld leaves, but at least 1 is needed", long(leaves));
    base_ = std::bit_ceil(std::size_t(leaves));
    nodes_.resize(2 * base_);  // the root is 1, below i are 2 i and 2 i + 1
  }

  /// The number at a leaf.
  double operator[](Index leaf) const { return nodes_[base_ + std::size_t(leaf)]; }
  /// Of all leaves.
  double sum() const { return nodes_[1]; }

  /// Puts a number at a leaf.
  void set(Index leaf, double number) {
    if (leaf < 0 || leaf >= leaves_) [[unlikely]]
      detail::fail("SumTree: leaf %ld is not one of its %ld", long(leaf), long(leaves_));
    if (!(number >= 0 && std::isfinite(number))) [[unlikely]]
      detail::fail("SumTree: %g for leaf %ld, but it must be finite and not negative", number, long(leaf));
    std::size_t node = base_ + std::size_t(leaf);
    for (nodes_[node] = number; node > 1; node /= 2)
      nodes_[node / 2] = nodes_[node & ~std::size_t(1)] + nodes_[node | 1];
  }

  /// The leaf at such a share of the sum, in [0, 1), the numbers laid end to end; never one that is zero.
  Index find(double share) const {
    if (!(sum() > 0)) [[unlikely]]
      detail::fail("SumTree: all its numbers are zero");
    double rest = share * sum();
    std::size_t node = 1;
    while (node < base_) {
      node *= 2;
      if (rest < nodes_[node] || nodes_[node + 1] == 0) continue;
      rest -= nodes_[node++];
    }
    return Index(node - base_);
  }

  template <class Fields>
  void fields(Fields& f) {
    f("nodes", nodes_);
  }
  bool valid() const {
    if (nodes_.size() != 2 * base_) return false;
    for (std::size_t i = 1; i < base_; ++i)
      if (!(nodes_[i] == nodes_[2 * i] + nodes_[2 * i + 1])) return false;
    return std::all_of(nodes_.begin(), nodes_.end(), [](double number) { return number >= 0; });
  }

 private:
  Index leaves_;
  std::size_t base_ = 1;
  std::vector<double> nodes_;
};

}  // namespace heed
