#pragma once
#include <chrono>
#include <cstdio>
#include <string>

#if __has_include(<unistd.h>)
#include <unistd.h>
inline bool on_terminal() { return isatty(STDERR_FILENO); }
#else
inline bool on_terminal() { return false; }
#endif

/// A line about long work, on standard error: on a terminal it is live, elsewhere a new line now and then.
class Progress {
 public:
  explicit Progress(bool quiet) : quiet_(quiet), live_(on_terminal()) {}

  double seconds() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }

  /// done: 0 to 1, the share of the work at most.
  void show(double done, const std::string& text) {
    if (quiet_ || seconds() < next_) return;
    next_ = seconds() + (live_ ? 0.05 : 0.5);
    const double left = done > 0 ? seconds() * (1 - done) / done : 0;
    if (live_) {
      const int width = 24, full = int(done * width);
      std::fprintf(stderr, "\r[%s%s] %s, at most %.1f s left \x1b[K", std::string(std::size_t(full), '#').c_str(),
                   std::string(std::size_t(width - full), '.').c_str(), text.c_str(), left);
    } else {
      std::fprintf(stderr, "%s, at most %.1f s left\n", text.c_str(), left);
    }
    std::fflush(stderr);
  }
  void end() {
    if (!quiet_ && live_) std::fprintf(stderr, "\r\x1b[K");
  }

 private:
  using Clock = std::chrono::steady_clock;
  bool quiet_, live_;
  Clock::time_point start_ = Clock::now();
  double next_ = 0;
};
