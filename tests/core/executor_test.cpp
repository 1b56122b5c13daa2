#include "heed/core/executor.hpp"

#include <vector>

#include "catch.hpp"
#include "support/executors.hpp"

using heed::Executor;
using heed::Index;
using heed::Serial;
using heed::Task;

namespace {

using Indices = std::vector<Index>;

/// Remembers what it was asked for, and runs nothing.
struct Idle {
  Index asked = 0;
  void run(Index count, Task) { asked += count; }
};
struct Wrong {
  void run(Index count);
};
static_assert(heed::Executes<Serial> && heed::Executes<const Serial> && heed::Executes<Executor>);
static_assert(heed::Executes<Idle> && !heed::Executes<const Idle> && !heed::Executes<Wrong> && !heed::Executes<int>);
static_assert(!std::is_constructible_v<Executor, Wrong&> && !std::is_constructible_v<Executor, Idle>);
static_assert(sizeof(Executor) == 2 * sizeof(void*) && std::is_trivially_copyable_v<Executor>);
static_assert(sizeof(Task) == 2 * sizeof(void*) && std::is_trivially_copyable_v<Task>);

Indices order(Executor executor, Index count) {
  Indices seen;
  executor.run(count, [&](Index i) { seen.push_back(i); });
  return seen;
}

}  // namespace

TEST_CASE("Executor: serial by default, each index once and in order") {
  CHECK(order({}, 3) == Indices{0, 1, 2});
  CHECK(order({}, 1) == Indices{0});
  CHECK(order({}, 0).empty());
  const Serial serial;
  CHECK(order(serial, 3) == Indices{0, 1, 2});
}

TEST_CASE("Executor: a view of any object that runs tasks") {
  support::Reverse reverse;
  CHECK(order(reverse, 3) == Indices{2, 1, 0});
  Idle idle;
  Executor executor = idle;
  const Executor copy = executor;
  CHECK(order(executor, 3).empty());
  CHECK(order(copy, 4).empty());
  CHECK(idle.asked == 7);
  executor = {};
  CHECK(order(executor, 2) == Indices{0, 1});
  CHECK(idle.asked == 7);
}

TEST_CASE("Task: a view of a function, which keeps its state") {
  Index sum = 0;
  auto add = [total = Index(0), &sum](Index i) mutable { sum = total += i; };
  const Task task(add), copy = task;
  task(2);
  copy(3);
  CHECK(sum == 5);
  const auto constant = [&](Index i) { sum = i; };
  const Task of_constant(constant);
  of_constant(9);
  CHECK(sum == 9);
}

TEST_CASE("Executor: an exception ends a serial run") {
  Indices seen;
  CHECK_THROWS_AS(Executor().run(3,
                                 [&](Index i) {
                                   seen.push_back(i);
                                   if (i == 1) throw 7;
                                 }),
                  int);
  CHECK(seen == Indices{0, 1});
}
