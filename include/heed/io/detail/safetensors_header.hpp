#pragma once
#include <algorithm>

#include "heed/detail/name_pattern.hpp"
#include "heed/io/detail/input_file.hpp"
#include "heed/io/detail/safetensors_parser.hpp"

namespace heed::detail {

inline constexpr std::uint64_t longest_safetensors_header = 100'000'000;  // the format's own limit

/// Each entry within the body, and as large as its shape says.
inline void check_sizes(const std::filesystem::path& path, const std::vector<TensorInfo>& tensors, std::uint64_t body) {
  for (const TensorInfo& t : tensors) {
    const auto reject = [&](const std::string& problem) {
      fail_file(path,
                shown(t.name) + " has bytes " + std::to_string(t.begin) + " to " + std::to_string(t.end) + problem);
    };
    if (t.begin > t.end) reject(": it ends before it begins");
    if (t.end > body) reject(", but the file has only " + std::to_string(body) + " of them (truncated?)");
    if (!t.readable()) continue;
    const std::optional<std::uint64_t> bytes = t.bytes();
    if (bytes != t.end - t.begin)
      reject(", but " + t.dtype + " " + shown(t.shape) + " takes " + (bytes ? std::to_string(*bytes) : "too many"));
  }
}

/// The entries cover the body without holes or overlaps.
inline void check_cover(const std::filesystem::path& path, const std::vector<TensorInfo>& tensors, std::uint64_t body) {
  std::vector<const TensorInfo*> order;
  order.reserve(tensors.size());
  for (const TensorInfo& t : tensors) order.push_back(&t);
  std::sort(order.begin(), order.end(),
            [](auto a, auto b) { return a->begin != b->begin ? a->begin < b->begin : a->end < b->end; });
  std::uint64_t covered = 0;
  for (const TensorInfo* t : order) {
    if (t->begin < covered) fail_file(path, "the bytes of " + shown(t->name) + " overlap those of another entry");
    if (t->begin > covered) fail_file(path, "there is a hole before the bytes of " + shown(t->name));
    covered = t->end;
  }
  if (covered < body)
    fail_file(path, "it goes on for " + std::to_string(body - covered) + " bytes after its last entry");
}

/// The header of a safetensors file, in the order of the names, checked against itself and the size of the file. Leaves
/// the file at its body.
inline std::vector<TensorInfo> read_safetensors_header(InputFile& file, Metadata* metadata = nullptr) {
  std::uint64_t length = 0;
  if (file.rest() < sizeof length)
    fail_file(file.path(), "is not a safetensors file: it has only " + std::to_string(file.rest()) + " bytes");
  file.read(&length, sizeof length);
  if (length > longest_safetensors_header)
    fail_file(file.path(), "is not a safetensors file: its header would have " + std::to_string(length) +
                               " bytes, and the format allows " + std::to_string(longest_safetensors_header));
  if (length > file.rest())
    fail_file(file.path(), "is truncated: its header has " + std::to_string(length) + " bytes, but only " +
                               std::to_string(file.rest()) + " follow");
  std::string text(std::size_t(length), ' ');
  file.read(text.data(), length);
  std::vector<TensorInfo> tensors = SafetensorsParser::parse(file.path(), text, metadata);
  check_sizes(file.path(), tensors, file.rest());
  check_cover(file.path(), tensors, file.rest());
  return tensors;
}

/// A weight that is to be read, and its place in the file.
struct Match {
  const Entry* entry;
  const TensorInfo* tensor;
};

/// For each entry of a layout whose name is the pattern's its place in the file. All that is missing or misshapen is one
/// error, and so is what the file has beside, where all is asked for.
inline std::vector<Match> match(const std::filesystem::path& path, const Layout& layout,
                                const std::vector<TensorInfo>& tensors, std::string_view pattern = "*") {
  std::string problems;
  const auto report = [&](const std::string& problem) { problems += (problems.empty() ? "" : "; ") + problem; };
  std::vector<Match> found;
  std::vector<bool> expected(tensors.size());
  for (const Entry& e : layout.entries()) {
    if (!named(pattern, e.name)) continue;
    const Sizes shape = sizes_of(e.shape);
    const auto t = std::lower_bound(tensors.begin(), tensors.end(), e.name,
                                    [](const TensorInfo& info, const std::string& name) { return info.name < name; });
    if (t == tensors.end() || t->name != e.name) {
      report("missing " + e.name + " " + shown(shape));
      continue;
    }
    if (t->shape != shape) report(e.name + " is " + shown(t->shape) + ", expected " + shown(shape));
    if (!t->is_weight()) report(e.name + " is " + shown(t->dtype) + ", but only F64, F32, F16 and BF16 are read");
    expected[std::size_t(t - tensors.begin())] = true;
    found.push_back({&e, &*t});
  }
  for (std::size_t i = 0; i < tensors.size(); ++i)
    if (!expected[i] && pattern == "*") report("unexpected " + shown(tensors[i].name) + " " + shown(tensors[i].shape));
  if (!problems.empty()) fail_file(path, problems);
  return found;
}

/// The length and the JSON text of the header of a file with these entries, padded with spaces so that what follows
/// begins at a multiple of 8 bytes.
inline std::string safetensors_header(const std::vector<TensorInfo>& tensors, const Metadata& metadata = {}) {
  const auto quoted = [](const std::string& text) {
    return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  };
  const auto listed = [](const Sizes& sizes) { return nlohmann::json(sizes).dump(); };
  std::string text;
  for (const auto& [key, value] : metadata)
    text += (text.empty() ? "{\"__metadata__\":{" : ",") + quoted(key) + ":" + quoted(value);
  if (!text.empty()) text += "}";
  for (const TensorInfo& t : tensors)
    text += (text.empty() ? "{" : ",") + quoted(t.name) + ":{\"dtype\":" + quoted(t.dtype) +
            ",\"shape\":" + listed(t.shape) + ",\"data_offsets\":" + listed({t.begin, t.end}) + "}";
  text += text.empty() ? "{}" : "}";
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const std::uint64_t length = text.size();
  return std::string(reinterpret_cast<const char*>(&length), sizeof length) + text;
}

/// The same of a file that holds the entries of a layout in order.
inline std::string safetensors_header(const std::filesystem::path& path, const Layout& layout, const char* dtype,
                                      std::size_t item_size, const Metadata& metadata) {
  std::vector<TensorInfo> tensors;
  for (const Entry& e : layout.entries()) {
    const std::uint64_t begin = std::uint64_t(e.offset) * item_size;
    tensors.push_back({e.name, dtype, sizes_of(e.shape), begin, begin + std::uint64_t(e.size()) * item_size});
  }
  const std::string header = safetensors_header(tensors, metadata);
  // What cannot be read again is not written: a name that is not UTF-8, for one.
  match(path, layout, SafetensorsParser::parse(path, header.substr(sizeof(std::uint64_t))));
  return header;
}

}  // namespace heed::detail
