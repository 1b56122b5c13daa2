#pragma once
#include <bit>
#include <cstring>
#include <limits>
#include <type_traits>

#include "heed/io/detail/tensor_info.hpp"

namespace heed::detail {

static_assert(std::endian::native == std::endian::little,
              "safetensors files are little-endian, as this machine must be");

template <class S>
concept FileScalar = std::is_same_v<S, float> || std::is_same_v<S, double>;

/// Neither infinite nor NaN, told by the bits: -ffast-math does away with std::isfinite.
template <FileScalar S>
bool finite(S x) {
  using Bits = std::conditional_t<sizeof(S) == 4, std::uint32_t, std::uint64_t>;
  constexpr Bits exponent = std::bit_cast<Bits>(std::numeric_limits<S>::infinity());
  return (std::bit_cast<Bits>(x) & exponent) != exponent;
}

/// The first of the numbers that is none: not finite, or a bool that is neither true nor false.
inline std::optional<std::uint64_t> unfit_number(std::string_view dtype, const char* bytes, std::uint64_t size) {
  const auto first = [&]<class T>(T value, auto fits) -> std::optional<std::uint64_t> {
    for (std::uint64_t i = 0; i < size / sizeof value; ++i) {
      std::memcpy(&value, bytes + i * sizeof value, sizeof value);
      if (!fits(value)) return i;
    }
    return {};
  };
  if (dtype == "F32") return first(float(), [](float x) { return finite(x); });
  if (dtype == "F64") return first(double(), [](double x) { return finite(x); });
  if (dtype == "BOOL") return first(char(), [](char x) { return x == 0 || x == 1; });
  return {};
}

}  // namespace heed::detail
