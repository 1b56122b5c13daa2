#pragma once
#include <cerrno>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>

#include "heed/detail/error.hpp"

namespace heed::detail {

/// Every error of reading and writing files: "path: message" as std::runtime_error.
[[noreturn]] inline void fail_file(const std::filesystem::path& path, const std::string& message) {
  const std::string text = path.string() + ": " + message;
#if defined(__cpp_exceptions)
  throw std::runtime_error(text);
#else
  error_handler()(text.c_str());
  std::abort();
#endif
}

/// The same for what the operating system refused: "path: message: No space left on device".
[[noreturn]] inline void fail_system(const std::filesystem::path& path, const char* message,
                                     const std::error_code& error = {errno, std::generic_category()}) {
  fail_file(path, message + (": " + error.message()));
}

/// A name out of a file as it may stand in a message: without control characters, and not endless.
inline std::string shown(std::string_view name) {
  constexpr std::size_t longest = 128;
  std::string text(name.substr(0, longest));
  for (char& c : text)
    if ((c >= 0 && c < ' ') || c == '\x7f') c = '?';
  return name.size() > longest ? text + "..." : text;
}

}  // namespace heed::detail
