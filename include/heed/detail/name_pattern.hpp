#pragma once
#include <string_view>

namespace heed::detail {

/// Whether a name is one pattern's: * stands for any text, ? for any one character.
inline bool named_alone(std::string_view pattern, std::string_view name) {
  if (pattern.empty()) return name.empty();
  if (pattern.front() == '*')
    return named_alone(pattern.substr(1), name) || (!name.empty() && named_alone(pattern, name.substr(1)));
  return !name.empty() && (pattern.front() == '?' || pattern.front() == name.front()) &&
         named_alone(pattern.substr(1), name.substr(1));
}

/// Patterns by which weights are named: | stands between several, ! before the first for all names but theirs.
///
///   "layers.*"    "embedding.*|layers.*"    "!policy.*|value.*"
inline bool named(std::string_view pattern, std::string_view name) {
  if (pattern.starts_with('!')) return !named(pattern.substr(1), name);
  const std::size_t bar = pattern.find('|');
  return named_alone(pattern.substr(0, bar), name) ||
         (bar != std::string_view::npos && named(pattern.substr(bar + 1), name));
}

}  // namespace heed::detail
