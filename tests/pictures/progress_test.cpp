#include "heed/pictures/progress.hpp"

#include <memory>

#include "pictures/xml.hpp"
#include "support/basics.hpp"

using namespace heed;
using support::count_of;

namespace {

/// Progress into a file, by a clock that is set by hand.
struct Trial {
  std::FILE* file = std::tmpfile();
  double time = 100;
  std::unique_ptr<Progress> progress;

  explicit Trial(int columns, bool quiet = false) {
    REQUIRE(file);
    progress = std::make_unique<Progress>(ProgressOutput{file, columns, [this] { return time; }}, quiet);
  }
  ~Trial() {
    progress.reset();
    std::fclose(file);
  }
  void show(double at, double done, const std::string& text) {
    time = 100 + at;
    progress->show(done, text);
  }
  std::string written() const {
    std::string all;
    std::rewind(file);
    for (int c; (c = std::fgetc(file)) != EOF;) all += char(c);
    return all;
  }
};

}  // namespace

TEST_CASE("progress on a terminal is one line rewritten with the time left") {
  Trial trial(80);
  trial.show(1, 0.25, "one");
  trial.show(1.01, 0.26, "too soon");
  trial.show(2, 0.5, "two\nlines");
  CHECK(trial.written() ==
        "\r[######..................] one, at most 3.0 s left\x1b[K"
        "\r[############............] two\xef\xbf\xbdlines, at most 2.0 s left\x1b[K");
  trial.progress->end();
  trial.progress->end();
  CHECK(trial.written().ends_with("left\x1b[K\r\x1b[K"));
}

TEST_CASE("progress is never longer than the terminal is wide") {
  Trial trial(40);
  trial.show(1, 0, std::string(100, 'x'));
  CHECK(trial.written() == "\r[" + std::string(24, '.') + "] " + std::string(12, 'x') + "\x1b[K");
}

TEST_CASE("progress in a log is a line now and then ever more seldom") {
  Trial trial(0);
  for (int tick = 0; tick <= 100'000; ++tick) trial.show(tick * 0.01, tick / 200'000.0, "step");
  const std::string text = trial.written();
  CHECK(text.starts_with("  0 %  step, at most 33:20 left\n"));
  CHECK(count_of(text, "\x1b") + count_of(text, "\r") == 0);
  const int lines = count_of(text, "\n");  // every half second for 5 s, then each tenth: 10 + ln(200) / ln(1.1)
  CHECK(lines >= 60);
  CHECK(lines <= 70);
  CHECK(text.ends_with("left\n"));
}

TEST_CASE("progress that is quiet says nothing and shares outside of 0 to 1 are cut") {
  Trial quiet(80, true);
  quiet.show(1, 0.5, "text");
  quiet.progress->end();
  CHECK(quiet.written().empty());
  Trial trial(0);
  trial.show(1, 2, "over");
  trial.show(2, -1, "under");
  trial.show(3, std::nan(""), "unknown");
  CHECK(trial.written() == "100 %  over, at most 0.0 s left\n  0 %  under\n  0 %  unknown\n");
  CHECK(trial.progress->seconds() == 3);
}

TEST_CASE("durations are read at a glance") {
  CHECK(duration_text(0) == "0.0 s");
  CHECK(duration_text(9.94) == "9.9 s");
  CHECK(duration_text(9.96) == "10 s");
  CHECK(duration_text(59.4) == "59 s");
  CHECK(duration_text(59.6) == "1:00");
  CHECK(duration_text(185) == "3:05");
  CHECK(duration_text(3723) == "1:02:03");
}

TEST_CASE("a file is no terminal") {
  Trial trial(0);
  CHECK(ProgressOutput::of(trial.file).columns == 0);
}
