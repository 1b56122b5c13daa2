#pragma once
#include <bit>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace heed::detail {

/// The fields of a message of Protocol Buffers, one after the other.
class ProtobufWriter {
 public:
  ProtobufWriter& varint(unsigned field, std::uint64_t value) { return key(field, 0).number(value); }
  ProtobufWriter& fixed(unsigned field, double value) {
    return key(field, 1).bytes(std::bit_cast<std::uint64_t>(value));
  }
  ProtobufWriter& fixed(unsigned field, float value) {
    return key(field, 5).bytes(std::bit_cast<std::uint32_t>(value));
  }
  ProtobufWriter& text(unsigned field, std::string_view value) {
    key(field, 2).number(value.size());
    text_ += value;
    return *this;
  }
  /// repeated double, packed
  ProtobufWriter& list(unsigned field, const std::vector<double>& values) {
    key(field, 2).number(8 * values.size());
    for (const double value : values) bytes(std::bit_cast<std::uint64_t>(value));
    return *this;
  }
  /// An unsigned integer, the lowest byte first.
  template <class Unsigned>
  ProtobufWriter& bytes(Unsigned value) {
    for (std::size_t i = 0; i < sizeof value; ++i) text_ += char(value >> 8 * i & 0xff);
    return *this;
  }
  const std::string& str() const { return text_; }

 private:
  ProtobufWriter& key(unsigned field, unsigned type) { return number(field << 3 | type); }
  ProtobufWriter& number(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) text_ += char((value & 0x7f) | 0x80);
    text_ += char(value);
    return *this;
  }
  std::string text_;
};

}  // namespace heed::detail
