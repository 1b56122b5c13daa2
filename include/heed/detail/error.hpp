#pragma once
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#if defined(__cpp_exceptions)
#include <stdexcept>
#endif

namespace heed {

/// Called with the message instead of throwing where exceptions are switched off; must not return.
using ErrorHandler = void (*)(const char* message);

inline ErrorHandler& error_handler() {
  static ErrorHandler handler = [](const char* message) {
    std::fprintf(stderr, "heed: %s\n", message);
    std::abort();
  };
  return handler;
}

namespace detail {

/// Every error of the library: printf's format and arguments, thrown as std::invalid_argument.
#if defined(__GNUC__)
[[gnu::format(printf, 1, 2), gnu::cold, gnu::noinline]]
#endif
[[noreturn]] inline void
fail(const char* format, ...) {
  char message[512];
  std::va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(message, sizeof message, format, arguments);
  va_end(arguments);
#if defined(__cpp_exceptions)
  throw std::invalid_argument(message);
#else
  error_handler()(message);
  std::abort();
#endif
}

[[noreturn]] inline void fail_shape(const char* who, const char* what, long rows, long cols, long want_rows,
                                    long want_cols) {
  fail("%s: %s is %ld x %ld, but %ld x %ld is needed", who, what, rows, cols, want_rows, want_cols);
}

/// The shape check at every public entry, in release builds too.
template <class M>
void expect_shape(const char* who, const char* what, const M& m, long rows, long cols) {
  if (m.rows() != rows || m.cols() != cols) [[unlikely]]
    fail_shape(who, what, long(m.rows()), long(m.cols()), rows, cols);
}

}  // namespace detail
}  // namespace heed
