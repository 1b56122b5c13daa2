#pragma once
#include <charconv>

#include "heed/core/agent.hpp"
#include "heed/core/memory.hpp"
#include "heed/io/detail/atomic_file.hpp"
#include "heed/io/detail/unfit_number.hpp"

namespace heed {

// Weights as a C++ header, for programs without a file system: what a machine without an operating system includes, see
// docs/microcontroller.md. The numbers read back bit for bit.
//
//     namespace cart_pole_policy {
//     inline constexpr std::uint64_t fingerprint = ...;  // Layout::fingerprint
//     inline constexpr long parameters = 394;            // how many numbers
//     inline constexpr int axes = 3;                     // for StaticActivations and StaticMemory: axes,
//     inline constexpr long rows[axes] = {...};          //   rows of activations along each,
//     inline constexpr long memory = 192;                //   numbers that a lane remembers, of axes with a window,
//     inline constexpr long state_rows = 0;              //   and of recurrent states
//     struct Weight {...};
//     inline constexpr Weight weights[] = {{"policy.weight", 2, {2, 8, 1, 1}, 0}, ...};
//     inline constexpr float values[] = {...};
//     }

namespace detail {

/// Whether C++ takes it for the name of a namespace.
inline bool is_identifier(std::string_view name) {
  constexpr std::string_view reserved[] = {"alignas",      "alignof",
                                           "and",          "and_eq",
                                           "asm",          "auto",
                                           "bitand",       "bitor",
                                           "bool",         "break",
                                           "case",         "catch",
                                           "char",         "char8_t",
                                           "char16_t",     "char32_t",
                                           "class",        "compl",
                                           "concept",      "const",
                                           "consteval",    "constexpr",
                                           "constinit",    "const_cast",
                                           "continue",     "co_await",
                                           "co_return",    "co_yield",
                                           "decltype",     "default",
                                           "delete",       "do",
                                           "double",       "else",
                                           "enum",         "explicit",
                                           "export",       "extern",
                                           "false",        "float",
                                           "for",          "friend",
                                           "goto",         "if",
                                           "inline",       "int",
                                           "long",         "mutable",
                                           "namespace",    "new",
                                           "noexcept",     "not",
                                           "not_eq",       "nullptr",
                                           "operator",     "or",
                                           "or_eq",        "private",
                                           "protected",    "public",
                                           "register",     "requires",
                                           "return",       "short",
                                           "signed",       "sizeof",
                                           "static",       "static_assert",
                                           "struct",       "switch",
                                           "template",     "this",
                                           "throw",        "true",
                                           "try",          "typedef",
                                           "typeid",       "typename",
                                           "union",        "unsigned",
                                           "using",        "virtual",
                                           "void",         "volatile",
                                           "wchar_t",      "while",
                                           "xor",          "xor_eq",
                                           "std",          "heed",
                                           "dynamic_cast", "thread_local",
                                           "static_cast",  "reinterpret_cast"};
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  if (name.empty() || !letter(name[0]) ||
      std::find(std::begin(reserved), std::end(reserved), name) != std::end(reserved))
    return false;
  // Those with two underscores, or one before a capital, are the compiler's.
  if (name.find("__") != name.npos || (name.size() > 1 && name[0] == '_' && name[1] >= 'A' && name[1] <= 'Z'))
    return false;
  return std::all_of(name.begin(), name.end(), [&](char c) { return letter(c) || digit(c); });
}

/// The shortest text that reads back as the same number.
template <class S>
std::string cpp_number(S x) {
  char digits[64];
  std::string text(digits, std::to_chars(digits, digits + sizeof digits, x).ptr);
  if (text.find_first_of(".e") == text.npos) text += ".0";
  return sizeof(S) == 4 ? text + "f" : text;
}

/// Between quotes: whatever is no plain letter as three octal digits, which end where they end.
inline std::string cpp_string(std::string_view name) {
  std::string text = "\"";
  for (char c : name)
    if (c >= ' ' && c <= '~' && c != '"' && c != '\\' && c != '?') {
      text += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      text += {'\\', char('0' + byte / 64), char('0' + byte / 8 % 8), char('0' + byte % 8)};
    }
  return text + "\"";
}

/// Numbers that a lane remembers along the axes whose memory is bounded, one column at a time.
inline Index bounded_memory(const Layout& layout) {
  Index numbers = 0;
  for (int i = 0; i < layout.axes(); ++i)
    if (const auto& info = layout[Axis{i}]; info.lookback < unlimited) {
      const AxisMemory m = axis_memory({i}, info, {});
      numbers += m.rows * m.width;
    }
  return numbers;
}

template <class S>
std::string header_text(const Layout& layout, const Parameters<S>& p, const std::string& name) {
  const char* scalar = sizeof(S) == 4 ? "float" : "double";
  std::string text = "// Written by heed::to_header.\n#pragma once\n#include <cstdint>\n\nnamespace " + name + " {\n\n";
  const auto constant = [&](const std::string& type, const std::string& what, const std::string& value) {
    text += "inline constexpr " + type + " " + what + " = " + value + ";\n";
  };
  std::string rows;
  for (int i = 0; i < layout.axes(); ++i) rows += (i > 0 ? ", " : "") + std::to_string(layout[Axis{i}].rows);
  constant("std::uint64_t", "fingerprint", std::to_string(layout.fingerprint()) + "u");
  constant("long", "parameters", std::to_string(layout.parameters()));
  constant("int", "axes", std::to_string(layout.axes()));
  constant("long", "rows[axes]", "{" + rows + "}");
  constant("long", "memory", std::to_string(bounded_memory(layout)));
  constant("long", "state_rows", std::to_string(layout.state_rows()));
  text += "\nstruct Weight {\n  const char* name;\n  int rank;\n  long shape[4];\n  long offset;\n};\n";
  text += "inline constexpr Weight weights[] = {\n";
  for (const Entry& e : layout.entries()) {
    text += "    {" + cpp_string(e.name) + ", " + std::to_string(e.shape.rank()) + ", {";
    for (int i = 0; i < 4; ++i) text += (i > 0 ? ", " : "") + std::to_string(i < e.shape.rank() ? e.shape[i] : 1);
    text += "}, " + std::to_string(e.offset) + "},\n";
  }
  text += std::string("};\n\ninline constexpr ") + scalar + " values[] = {\n";
  for (const Entry& e : layout.entries()) {
    text += "    // " + cpp_string(e.name);
    for (Index i = 0; i < e.size(); ++i) text += (i % 8 == 0 ? "\n    " : " ") + cpp_number(p.flat[e.offset + i]) + ",";
    text += "\n";
  }
  return text + "};\n\n}  // namespace " + name + "\n";
}

}  // namespace detail

/// Writes the weights as a header, in a namespace of this name. The file appears complete or not at all, see `save`. Values
/// that are not finite are an error, and a name that is no C++ identifier.
template <detail::FileScalar S>
void to_header(const Layout& layout, const Parameters<S>& p, const std::filesystem::path& path,
               const std::string& name) {
  if (!detail::is_identifier(name)) detail::fail("to_header: '%s' is no name for a namespace", name.c_str());
  if (p.flat.size() != layout.parameters() || layout.entries().empty())
    detail::fail("to_header: %ld parameters, but the layout has %ld in %zu weights", long(p.flat.size()),
                 long(layout.parameters()), layout.entries().size());
  for (const Entry& e : layout.entries())
    for (Index i = 0; i < e.size(); ++i)
      if (!detail::finite(p.flat[e.offset + i]))
        detail::fail_file(path, e.name + " has a value that is not finite, number " + std::to_string(i));
  const std::string text = detail::header_text(layout, p, name);
  detail::AtomicFile file(path);
  file.write(text.data(), text.size());
  file.commit();
}

/// The parameters of an agent, in a namespace that is called as the file.
template <Network Net>
void to_header(const Agent<Net>& agent, const std::filesystem::path& path) {
  to_header(agent.layout, agent.p, path, path.stem().string());
}

}  // namespace heed
