#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "heed/core/layout.hpp"

namespace heed {

/// What a safetensors file says of itself, by keys of the writer's own.
using Metadata = std::map<std::string, std::string>;

namespace detail {

/// The sizes of a shape as files hold them.
using Sizes = std::vector<std::uint64_t>;

inline Sizes sizes_of(const Shape& shape) {
  Sizes sizes;
  for (int i = 0; i < shape.rank(); ++i) sizes.push_back(std::uint64_t(shape[i]));
  return sizes;
}

/// "[2, 3]"
inline std::string shown(const Sizes& sizes) {
  std::string text;
  for (const std::uint64_t n : sizes) text += (text.empty() ? "" : ", ") + std::to_string(n);
  return "[" + text + "]";
}

/// What the header of a safetensors file says of one entry.
struct TensorInfo {
  std::string name, dtype;
  Sizes shape;
  std::uint64_t begin = 0, end = 0;  // its bytes, counted from the end of the header

  bool is_weight() const { return dtype == "F64" || dtype == "F32" || dtype == "F16" || dtype == "BF16"; }
  bool readable() const { return item_size() > 0; }
  /// The bytes of a number, 0 for a dtype that is not read.
  std::uint64_t item_size() const {
    constexpr std::string_view names[] = {"F64", "I64", "U64",  "F32", "I32", "U32", "F16",
                                          "I16", "U16", "BF16", "I8",  "U8",  "BOOL"};
    constexpr std::uint64_t sizes[] = {8, 8, 8, 4, 4, 4, 2, 2, 2, 2, 1, 1, 1};
    for (std::size_t i = 0; i < std::size(names); ++i)
      if (dtype == names[i]) return sizes[i];
    return 0;
  }
  /// The bytes that its shape asks for, nothing where they are beyond counting.
  std::optional<std::uint64_t> bytes() const {
    std::uint64_t product = item_size();
    for (const std::uint64_t n : shape) {
      if (n > 0 && product > std::numeric_limits<std::uint64_t>::max() / n) return {};
      product *= n;
    }
    return product;
  }
};

}  // namespace detail
}  // namespace heed
