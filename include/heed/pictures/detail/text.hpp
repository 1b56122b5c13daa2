#pragma once
#include <algorithm>
#include <locale>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace heed::detail {

/// How many bytes the character at the start of a text takes, and 0 where there is none that a picture can show: broken
/// UTF-8, control characters and what XML forbids.
inline std::size_t character_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? unsigned(static_cast<unsigned char>(text[i])) : 0u; };
  if (byte(0) < 0x80) return byte(0) >= 0x20 && byte(0) != 0x7f;
  const std::size_t length = byte(0) >= 0xf0 ? 4 : byte(0) >= 0xe0 ? 3 : 2;
  constexpr unsigned least[] = {0, 0, 0x80, 0x800, 0x10000};
  if (byte(0) < 0xc0 || byte(0) >= 0xf8) return 0;
  unsigned code = byte(0) & (0x7fu >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
    code = code << 6 | (byte(i) & 0x3f);
  }
  const bool surrogate = code >= 0xd800 && code < 0xe000, none = code == 0xfffe || code == 0xffff,
             control = code < 0xa0;
  return code < least[length] || code > 0x10ffff || surrogate || none || control ? 0 : length;
}

/// The characters of a text in UTF-8, with U+FFFD in place of each byte that cannot be shown.
inline std::vector<std::string> characters(std::string_view text) {
  std::vector<std::string> all;
  while (!text.empty()) {
    const std::size_t length = character_length(text);
    all.push_back(length == 0 ? "\xef\xbf\xbd" : std::string(text.substr(0, length)));
    text.remove_prefix(std::max(length, std::size_t(1)));
  }
  return all;
}

/// A number to so many digits, with a point whatever the locale.
inline std::string number(double value, int digits = 6) {
  std::ostringstream text;
  text.imbue(std::locale::classic());
  text.precision(digits);
  text << value;
  return text.str();
}

}  // namespace heed::detail
