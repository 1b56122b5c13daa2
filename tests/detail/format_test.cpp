#include "heed/detail/format.hpp"

#include <climits>
#include <cmath>
#include <cstdio>
#include <string>

#include "../catch.hpp"

namespace {

std::string formatted(std::size_t size, const char* format, ...) {
  std::string text(size, '?');
  std::va_list arguments;
  va_start(arguments, format);
  heed::detail::format_message(text.data(), size, format, arguments);
  va_end(arguments);
  return text.c_str();
}
template <class... Arguments>
void check_as_printf(const char* format, Arguments... arguments) {
  char expected[512];
  std::snprintf(expected, sizeof expected, format, arguments...);
  CHECK(formatted(512, format, arguments...) == expected);
}

}  // namespace

TEST_CASE("messages are formatted as by printf") {
  CHECK(formatted(64, "nothing") == "nothing");
  check_as_printf("%s: %ld x %ld, but %d of %zu", "Linear", 0L, LONG_MIN, INT_MIN, std::size_t(-1));
  check_as_printf("%d%d|%.*s|%.*s|", 1, -2, 3, "abcdef", 0, "abc");
  for (const double x : {0.0,   -0.5,   1.0,     1.5, -2.25, 10.0,  100000.0,   999999.0, 1e6,      1234567.0,
                         0.001, 0.0001, 0.00001, 0.3, 1e-9,  -1e30, 3.14159265, 99.99996, 999999.7, 9.999996})
    check_as_printf("dropout %g", x);
  CHECK(formatted(64, "%g %g %g", double(INFINITY), -double(INFINITY), double(NAN)) == "inf -inf nan");
}

TEST_CASE("a message that is too long is cut") {
  CHECK(formatted(6, "%s", "abcdefgh") == "abcde");
  CHECK(formatted(6, "ab%ldcd", 123456L) == "ab123");
  CHECK(formatted(1, "a") == "");
}
