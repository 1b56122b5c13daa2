#pragma once
// Whether a text is well-formed XML, as far as a picture of ours goes: tags that match, attributes in quotes, escaped text.
#include <string>
#include <string_view>
#include <vector>

namespace support {

/// What is wrong with it; empty: nothing.
inline std::string xml_error(std::string_view text) {
  std::vector<std::string> open;
  bool any = false;
  const auto escaped = [](std::string_view part) {
    for (std::size_t i = 0; i < part.size(); ++i) {
      if (part[i] == '<') return false;
      if (static_cast<unsigned char>(part[i]) < 0x20 && part[i] != '\n') return false;
      if (part[i] != '&') continue;
      const std::string_view rest = part.substr(i);
      bool known = false;
      for (const char* entity : {"&amp;", "&lt;", "&gt;", "&quot;"}) known = known || rest.starts_with(entity);
      if (!known) return false;
    }
    return true;
  };
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t tag = std::min(text.find('<', at), text.size());
    if (!escaped(text.substr(at, tag - at))) return "unescaped text";
    if (open.empty() && text.substr(at, tag - at).find_first_not_of('\n') != std::string_view::npos)
      return "text outside";
    if (tag == text.size()) break;
    const std::size_t end = text.find('>', tag);
    if (end == std::string_view::npos) return "a tag without an end";
    std::string_view inside = text.substr(tag + 1, end - tag - 1);
    at = end + 1;
    if (inside.starts_with('/')) {
      if (open.empty() || open.back() != inside.substr(1))
        return "</" + std::string(inside.substr(1)) + "> closes nothing";
      open.pop_back();
      continue;
    }
    const bool closed = inside.ends_with('/');
    if (closed) inside.remove_suffix(1);
    const std::size_t name = std::min(inside.find(' '), inside.size());
    if (name == 0) return "a tag without a name";
    if (open.empty() && any) return "a second root";
    any = true;
    if (!closed) open.emplace_back(inside.substr(0, name));
    for (inside.remove_prefix(name); !inside.empty();) {
      const std::size_t quote = inside.find("=\""), last = quote == inside.npos ? quote : inside.find('"', quote + 2);
      if (inside[0] != ' ' || quote < 2 || last == inside.npos) return "a bad attribute:" + std::string(inside);
      if (!escaped(inside.substr(quote + 2, last - quote - 2))) return "an unescaped attribute";
      inside.remove_prefix(last + 1);
    }
  }
  return !open.empty() ? open.back() + " is not closed" : any ? "" : "empty";
}

/// How wide a picture is.
inline double width_of_svg(const std::string& svg) {
  const std::string before = " width=\"";
  return std::stod(svg.substr(svg.find(before) + before.size()));
}

/// How often a part occurs.
inline int count_of(std::string_view text, std::string_view part) {
  int count = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != text.npos; at += part.size()) ++count;
  return count;
}

}  // namespace support
