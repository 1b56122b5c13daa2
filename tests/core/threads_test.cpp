#include "heed/core/threads.hpp"

#include <chrono>
#include <stdexcept>
#include <string>

#include "catch.hpp"

using heed::Executor;
using heed::Index;
using heed::Threads;

namespace {

/// Returns once so many have come, or after a time that is long for that.
class Meeting {
 public:
  explicit Meeting(int expected) : expected_(expected) {}
  bool come() {
    ++here_;
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (here_ < expected_)
      if (std::chrono::steady_clock::now() > end) return false;
    return true;
  }

 private:
  const int expected_;
  std::atomic<int> here_{0};
};

/// How often each index was called.
std::vector<int> calls(Executor executor, Index count) {
  std::vector<int> made(std::size_t(count), 0);
  executor.run(count, [&](Index i) { ++made[std::size_t(i)]; });
  return made;
}

}  // namespace

TEST_CASE("Threads: each index once, however many threads and tasks") {
  for (const Index n : {1, 2, 3, 7}) {
    Threads threads(n);
    CHECK(threads.count() == n);
    for (const Index count : {0, 1, 2, 7, 100}) CHECK(calls(threads, count) == std::vector<int>(std::size_t(count), 1));
  }
  CHECK(Threads().count() >= 1);
}

TEST_CASE("Threads: many short runs, one right behind the other, each done when it returns") {
  for (const Index n : {2, 7}) {
    Threads threads(n);
    Index wrong = 0;
    for (Index run = 0; run < 5000; ++run) {
      Index numbers[5] = {};
      Executor(threads).run(2 + run % 4, [&](Index i) {
        for (volatile Index wait = run % 50 * 40; wait > 0;) wait = wait - 1;  // so that workers come early and late
        numbers[i] = run + i;
      });
      for (Index i = 0; i < 5; ++i) wrong += numbers[i] != (i < 2 + run % 4 ? run + i : 0);
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("Threads: all of them work, again after they slept") {
  for (const int n : {2, 7}) {
    Threads threads(n);
    for (int run = 0; run < 3; ++run) {
      Meeting meeting(n);
      std::atomic<int> met{0};
      Executor(threads).run(n, [&](Index) { met += meeting.come(); });
      CHECK(met == n);
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }
}

TEST_CASE("Threads: a single task runs in the calling thread, and a run within it has all of them") {
  Threads threads(3);
  for (int run = 0; run < 20; ++run) {
    Meeting meeting(3);
    std::atomic<int> met{0};
    std::thread::id ran;
    Executor(threads).run(1, [&](Index) {
      ran = std::this_thread::get_id();
      Executor(threads).run(3, [&](Index) { met += meeting.come(); });
    });
    REQUIRE(ran == std::this_thread::get_id());
    REQUIRE(met == 3);
  }
}

TEST_CASE("Threads: the exception of the first task that throws, when all have run") {
  for (const Index n : {2, 7}) {
    Threads threads(n);
    for (int run = 0; run < 200; ++run) {
      std::vector<int> made(20, 0);
      std::string said;
      try {
        Executor(threads).run(20, [&](Index i) {
          ++made[std::size_t(i)];
          if (i % 5 == 3) throw std::invalid_argument("task " + std::to_string(i));
        });
      } catch (const std::invalid_argument& error) { said = error.what(); }
      REQUIRE(said == "task 3");
      REQUIRE(made == std::vector<int>(20, 1));
      REQUIRE(calls(threads, 20) == made);  // and it goes on
    }
  }
}

TEST_CASE("Threads: a run within a task is serial, in the thread of that task") {
  Threads threads(3);
  std::atomic<int> done{0}, elsewhere{0};
  Executor(threads).run(8, [&](Index) {
    const auto outer = std::this_thread::get_id();
    Index next = 0;
    Executor(threads).run(5, [&](Index i) {
      done += i == next++;
      elsewhere += std::this_thread::get_id() != outer;
    });
  });
  CHECK(done == 40);
  CHECK(elsewhere == 0);
}

TEST_CASE("Threads: one run at a time has the workers, others are serial") {
  Threads threads(2);
  std::atomic<int> wrong{0};
  const auto use = [&] {
    for (int run = 0; run < 2000; ++run) wrong += calls(threads, 6) != std::vector<int>(6, 1);
  };
  std::thread other(use);
  use();
  other.join();
  CHECK(wrong == 0);
}

TEST_CASE("Threads: made and gone without a run, or right after one") {
  for (int i = 0; i < 50; ++i) {
    const Threads idle(3);
    Threads used(3);
    CHECK(calls(used, 4) == std::vector<int>(4, 1));
  }
  CHECK_THROWS_WITH(Threads(0), ContainsSubstring("Threads: 0 threads, but at least 1 is needed"));
}
