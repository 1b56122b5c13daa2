#pragma once
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <string_view>

#include "heed/pictures/detail/text.hpp"
#if __has_include(<sys/ioctl.h>) && __has_include(<unistd.h>)
#include <sys/ioctl.h>
#include <unistd.h>
#endif

namespace heed {

/// Where progress is shown, and when.
struct ProgressOutput {
  std::FILE* file = stderr;       ///< to which it is written
  int columns = 0;                ///< of a terminal, on which one line is rewritten; 0: a log, a new line now and then
  std::function<double()> clock;  ///< seconds; none: the steady clock

  /// What a file is: a terminal of so many columns, or not.
  static ProgressOutput of(std::FILE* file) {
    ProgressOutput output{file, 0, {}};
#if __has_include(<sys/ioctl.h>) && __has_include(<unistd.h>)
    const char* kind = std::getenv("TERM");
    winsize size{};
    if (::isatty(::fileno(file)) && kind && std::string_view(kind) != "dumb")
      output.columns = ::ioctl(::fileno(file), TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
#endif
    return output;
  }
};

/// A duration: 0.4 s, 12 s, 3:05 or 1:02:03.
inline std::string duration_text(double seconds) {
  char text[48];
  const long whole = std::lround(seconds);
  if (seconds < 9.95)
    std::snprintf(text, sizeof text, "%.1f s", seconds);
  else if (whole < 60)
    std::snprintf(text, sizeof text, "%ld s", whole);
  else if (whole < 3600)
    std::snprintf(text, sizeof text, "%ld:%02ld", whole / 60, whole % 60);
  else
    std::snprintf(text, sizeof text, "%ld:%02ld:%02ld", whole / 3600, whole / 60 % 60, whole % 60);
  return text;
}

/// How far long work has come, with the time left if it goes on as fast, on standard error. On a terminal it is one line,
/// rewritten twenty times a second at most and never longer than the terminal is wide; elsewhere a line after half a
/// second, and then each time that a tenth more time has passed, and half a second at least.
///
///   heed::Progress progress;
///   while (...) progress.show(double(steps) / double(most), std::to_string(steps) + " steps");
///   progress.end();
class Progress {
 public:
  /// To stderr.
  explicit Progress(bool quiet = false) : Progress(ProgressOutput::of(stderr), quiet) {}
  /// Quiet: nothing is shown.
  explicit Progress(ProgressOutput output, bool quiet = false)
      : output_(std::move(output)), quiet_(quiet), start_(now()), next_(live() ? 0 : 0.5) {}
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress() { end(); }

  /// Since it was made.
  double seconds() const { return now() - start_; }

  /// done: 0 to 1, the share of the work that is done; work that may be over sooner has at most that much left.
  void show(double done, const std::string& text) {
    const double passed = seconds();
    if (quiet_ || passed < next_) return;
    next_ = passed + (live() ? 0.05 : std::max(0.5, passed / 10));
    done = std::isfinite(done) ? std::clamp(done, 0.0, 1.0) : 0;
    std::string line = text;
    if (done > 0) line += ", at most " + duration_text(passed * (1 - done) / done) + " left";
    std::string all;
    if (live()) {
      const std::size_t width = 24, full = std::size_t(done * double(width));
      line.insert(0, std::string(full, '#').append(width - full, '.').append("] "));
      all.append("\r").append(cut(line.insert(0, 1, '['))).append("\x1b[K");
    } else {
      char percent[16];
      std::snprintf(percent, sizeof percent, "%3.0f %%  ", 100 * done);
      all.append(percent).append(cut(line)).append("\n");
    }
    std::fputs(all.c_str(), output_.file);
    std::fflush(output_.file);
    shown_ = true;
  }
  /// Clears the line of a terminal. It may go on after that.
  void end() {
    if (shown_ && live()) std::fputs("\r\x1b[K", output_.file), std::fflush(output_.file);
    shown_ = false;
  }

 private:
  bool live() const { return output_.columns > 0; }
  double now() const {
    if (output_.clock) return output_.clock();
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
  }
  /// One line, as much of it as fits.
  std::string cut(const std::string& line) const {
    std::string fits;
    int columns = 0;
    for (const std::string& c : detail::characters(line))
      if (!live() || ++columns < output_.columns) fits += c;
    return fits;
  }

  ProgressOutput output_;
  bool quiet_, shown_ = false;
  double start_, next_;
};

}  // namespace heed
