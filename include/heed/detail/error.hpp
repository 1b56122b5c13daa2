#pragma once
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#if defined(__cpp_exceptions)
#include <stdexcept>
#else
#include "heed/detail/format.hpp"
#endif

namespace heed {

/// Called with the message instead of throwing where exceptions are switched off; must not return. At first it writes to
/// stderr and aborts; on a machine without an operating system it traps, since both would bring in a heap.
using ErrorHandler = void (*)(const char* message);

inline ErrorHandler& error_handler() {
#if defined(__cpp_exceptions) || defined(__unix__) || defined(__APPLE__) || defined(_WIN32)
  static ErrorHandler handler = [](const char* message) {
    std::fprintf(stderr, "heed: %s\n", message);
    std::abort();
  };
#else
  static ErrorHandler handler = [](const char*) { __builtin_trap(); };
#endif
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
#if defined(__cpp_exceptions)
  std::vsnprintf(message, sizeof message, format, arguments);
#else
  format_message(message, sizeof message, format, arguments);
#endif
  va_end(arguments);
#if defined(__cpp_exceptions)
  throw std::invalid_argument(message);
#else
  error_handler()(message);
  for (;;) {  // the handler must not return
  }
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
