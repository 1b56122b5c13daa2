#pragma once
#include <charconv>
#include <cstdarg>
#include <cstddef>
#include <string_view>

namespace heed::detail {

/// What the library's messages use of printf: %d, %ld, %zu, %s, %.*s and %g. The C library's own would bring a heap into a
/// program that has none.
class MessageWriter {
 public:
  MessageWriter(char* to, std::size_t size) : at_(to), end_(to + size - 1) {}

  void put(char c) {
    if (at_ < end_) *at_++ = c;
  }
  void put(std::string_view text) {
    for (char c : text) put(c);
  }
  template <class Whole>
  void put_number(Whole n) {
    char digits[24];
    put(std::string_view(digits, std::size_t(std::to_chars(digits, digits + sizeof digits, n).ptr - digits)));
  }
  /// Six digits, without zeros at their end.
  void put_real(float x) {
    if (x != x) return put("nan");
    if (x < 0) put('-'), x = -x;
    if (x > 3.4028234e38f) return put("inf");
    int exponent = 0;
    for (; x >= 10; x /= 10) ++exponent;
    for (; x > 0 && x < 1; x *= 10) --exponent;
    long digits = long(x * 100000 + 0.5f);
    if (digits == 1000000) digits = 100000, ++exponent;
    int left = 6;
    for (; left > 1 && digits % 10 == 0; --left) digits /= 10;
    const bool plain = exponent >= -4 && exponent < 6;
    put_fraction(digits, left, plain ? exponent : 0);
    if (plain) return;
    put(exponent < 0 ? "e-" : "e+");
    exponent = exponent < 0 ? -exponent : exponent;
    if (exponent < 10) put('0');
    put_number(exponent);
  }
  void finish() { *at_ = 0; }

 private:
  /// 0.digits times ten to the power of exponent + 1
  void put_fraction(long digits, int count, int exponent) {
    char text[8];
    std::to_chars(text, text + sizeof text, digits);
    if (exponent < 0) put("0.");
    for (int i = -1; i > exponent; --i) put('0');
    for (int i = 0; i < count || i <= exponent; ++i) {
      if (i == exponent + 1 && exponent >= 0) put('.');
      put(i < count ? text[i] : '0');
    }
  }
  char *at_, *end_;
};

inline void format_message(char* to, std::size_t size, const char* format, std::va_list arguments) {
  MessageWriter out(to, size);
  for (std::string_view rest = format; !rest.empty();) {
    const auto starts = [&](std::string_view kind) {
      if (!rest.starts_with(kind)) return false;
      rest.remove_prefix(kind.size());
      return true;
    };
    if (starts("%d")) {
      out.put_number(va_arg(arguments, int));
    } else if (starts("%ld")) {
      out.put_number(va_arg(arguments, long));
    } else if (starts("%zu")) {
      out.put_number(va_arg(arguments, std::size_t));
    } else if (starts("%.*s")) {
      const int length = va_arg(arguments, int);
      out.put(std::string_view(va_arg(arguments, const char*), std::size_t(length)));
    } else if (starts("%s")) {
      out.put(std::string_view(va_arg(arguments, const char*)));
    } else if (starts("%g")) {
      out.put_real(float(va_arg(arguments, double)));
    } else {
      out.put(rest.front());
      rest.remove_prefix(1);
    }
  }
  out.finish();
}

}  // namespace heed::detail
