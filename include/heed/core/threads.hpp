#pragma once
#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "heed/core/executor.hpp"

namespace heed {

/// Some threads that run tasks: the one that calls `run`, and workers that wait for it. Who runs which task is left to
/// chance. A worker that has nothing to do spins for some microseconds and then sleeps; `run` waits for no worker that has
/// not begun a task yet, wakes none for a single task, and allocates nothing.
///
/// A `run` during another, from within a task or in another thread, is serial. If tasks throw, the others run all the
/// same, and the exception of the first of them (by index) is thrown.
class Threads {
 public:
  /// So many at work, the caller included; by default as many as the machine has.
  explicit Threads(Index threads = Index(std::max(1u, std::thread::hardware_concurrency()))) : Threads(Nothing()) {
    if (threads < 1) detail::fail("Threads: %ld threads, but at least 1 is needed", long(threads));
    workers_.reserve(std::size_t(threads - 1));
    for (Index i = 1; i < threads; ++i) workers_.emplace_back([this] { attend(); });
  }
  ~Threads() {
    stopping_.store(true, std::memory_order_relaxed);
    runs_.fetch_add(1, std::memory_order_release);
    runs_.notify_all();
    for (std::thread& worker : workers_) worker.join();
  }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

  /// How many are at work, the caller included.
  Index count() const { return Index(workers_.size()) + 1; }

  /// The parts 0 to count - 1, shared out; done when it returns, rethrows what one threw.
  void run(Index count, Task task) {
    if (count <= 1 || workers_.empty() || running_.exchange(true, std::memory_order_acquire))
      return Serial().run(count, task);
    task_ = &task;
    tasks_ = count;
    next_.store(0, std::memory_order_relaxed);
    gate_.store(open, std::memory_order_release);
    runs_.fetch_add(1, std::memory_order_release);
    for (Index i = std::min(count - 1, Index(workers_.size())); i > 0; --i) runs_.notify_one();
    work();
    gate_.fetch_and(~open, std::memory_order_acquire);
    await(gate_, [](unsigned inside) { return inside == 0; });
    const std::exception_ptr error = std::exchange(error_, nullptr);
    running_.store(false, std::memory_order_release);
    if (error) std::rethrow_exception(error);
  }

 private:
  // The destructor is run for what a constructor throws once another has ended: here, where no thread can be had.
  struct Nothing {};
  explicit Threads(Nothing) {}

  static constexpr unsigned open = 1u << 31;
  static constexpr int spins = 50;

  /// Returns the value of `word` that was waited for.
  template <class Awaited>
  static unsigned await(const std::atomic<unsigned>& word, Awaited awaited) {
    for (int i = 0;; ++i) {
      const unsigned now = word.load(std::memory_order_acquire);
      if (awaited(now)) return now;
      if (i < spins)
        std::this_thread::yield();
      else
        word.wait(now, std::memory_order_acquire);
    }
  }

  /// What a worker does all its life.
  void attend() {
    for (unsigned seen = 0;;) {
      seen = await(runs_, [seen](unsigned now) { return now != seen; });
      if (stopping_.load(std::memory_order_relaxed)) return;
      if (!enter()) continue;
      work();
      if (gate_.fetch_sub(1, std::memory_order_release) == 1) gate_.notify_one();
    }
  }
  /// False if the run is over: its task is gone.
  bool enter() {
    unsigned gate = gate_.load(std::memory_order_relaxed);
    while (gate & open)
      if (gate_.compare_exchange_weak(gate, gate + 1, std::memory_order_acquire, std::memory_order_relaxed))
        return true;
    return false;
  }
  void work() {
    for (Index i; (i = next_.fetch_add(1, std::memory_order_relaxed)) < tasks_;) {
#if defined(__cpp_exceptions)
      try {
        (*task_)(i);
      } catch (...) {
        const std::lock_guard lock(of_error_);
        if (!error_ || i < failed_) error_ = std::current_exception(), failed_ = i;
      }
#else
      (*task_)(i);
#endif
    }
  }

  std::atomic<bool> running_{false}, stopping_{false};
  std::atomic<unsigned> runs_{0};  // so far: workers wait for a change
  std::atomic<unsigned> gate_{0};  // how many workers are inside the run, and whether more may come in
  std::atomic<Index> next_{0};
  Index tasks_ = 0;
  const Task* task_ = nullptr;
  std::mutex of_error_;
  std::exception_ptr error_;
  Index failed_ = 0;
  std::vector<std::thread> workers_;
};

}  // namespace heed
