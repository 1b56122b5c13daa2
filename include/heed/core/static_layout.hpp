#pragma once
#include "heed/core/layout.hpp"

namespace heed {

/// Counts what a network needs, without names and without the heap, for a small machine.
class StaticLayout : public LayoutSizes {
 public:
  StaticLayout() : LayoutSizes(nullptr) {}
};

}  // namespace heed
