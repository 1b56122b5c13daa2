#pragma once
// A program of libFuzzer's around one of the targets.
#include <unistd.h>

#include "targets.hpp"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t most);

namespace fuzz {

/// Where a fuzzer puts its file: in memory, where there is such a place.
inline fs::path scratch() {
  const fs::path memory = "/dev/shm";
  const fs::path folder = fs::is_directory(memory) ? memory : fs::temp_directory_path();
  return folder / ("heed-fuzz-" + std::to_string(::getpid()));
}

inline int run(bool (*target)(const fs::path&, std::string_view), const std::uint8_t* data, std::size_t size) {
  static const struct Scratch {
    fs::path path = scratch();
    ~Scratch() { fs::remove(path); }
  } file;
  target(file.path, {reinterpret_cast<const char*>(data), size});
  return 0;
}

/// Changes something, and mostly puts the length of the header in order afterwards: up to its last brace.
inline std::size_t mutate_file(std::uint8_t* data, std::size_t size, std::size_t most, unsigned seed) {
  size = LLVMFuzzerMutate(data, size, most);
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::size_t brace = bytes.rfind('}');
  if (seed % 4 == 0 || brace == bytes.npos || brace < sizeof(std::uint64_t)) return size;
  const std::uint64_t length = brace + 1 - sizeof length;
  std::memcpy(data, &length, sizeof length);
  return size;
}

}  // namespace fuzz
