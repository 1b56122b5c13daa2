#pragma once
#include "heed/core/executor.hpp"

namespace support {

/// An executor of one's own: the last task first.
struct Reverse {
  heed::Index tasks = 0;  // that it has run
  void run(heed::Index count, heed::Task task) {
    tasks += count;
    while (count-- > 0) task(count);
  }
};

}  // namespace support
