#pragma once
#include <atomic>
#include <string>
#if !defined(_WIN32)
#include <unistd.h>
#endif

namespace heed::detail {

/// Part of a file's name: the number of this process and that of the call.
inline std::string unique_name(char between) {
  static std::atomic<unsigned> counter{0};
#if !defined(_WIN32)
  const long process = long(::getpid());
#else
  const long process = 0;
#endif
  return std::to_string(process) + between + std::to_string(counter++);
}

}  // namespace heed::detail
