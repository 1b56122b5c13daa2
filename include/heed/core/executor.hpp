#pragma once
#include <concepts>
#include <memory>
#include <type_traits>

#include "heed/core/tokens.hpp"

namespace heed {

/// What is to be done for each of some indices: a view of a function that takes one.
class Task {
 public:
  /// Calls f, which must outlive it.
  template <class F>
  requires(std::invocable<F&, Index> && !std::same_as<std::remove_const_t<F>, Task>) Task(F& f)
      : function_(const_cast<void*>(static_cast<const void*>(std::addressof(f)))),
        call_([](void* function, Index i) { (*static_cast<F*>(function))(i); }) {}

  /// Does the i-th part.
  void operator()(Index i) const { call_(function_, i); }

 private:
  void* function_;
  void (*call_)(void*, Index);
};

/// What can run tasks: `run(count, task)` calls task(0) to task(count - 1), each once, in any order, in any threads, and
/// returns when all have returned. An exception of a task is to be thrown again by run.
template <class E>
concept Executes = requires(E& e, Index count, Task task) {
  e.run(count, task);
};

/// One after the other, in the calling thread.
struct Serial {
  /// The parts 0 to count - 1, one after the other.
  void run(Index count, Task task) const {
    for (Index i = 0; i < count; ++i) task(i);
  }
};

/// A view of something that runs tasks, made of any such object that outlives it; made of nothing, it is serial.
class Executor {
 public:
  Executor() : run_([](void*, Index count, Task task) { Serial().run(count, task); }) {}
  /// Passes its work to e, which must outlive it.
  template <class E>
  requires(Executes<E> && !std::same_as<std::remove_const_t<E>, Executor>) Executor(E& e)
      : object_(const_cast<void*>(static_cast<const void*>(std::addressof(e)))),
        run_([](void* object, Index count, Task task) { static_cast<E*>(object)->run(count, task); }) {}

  /// f(0) to f(count - 1), each once; done when it returns.
  template <class F>
  requires std::invocable<F&, Index>
  void run(Index count, F&& f) const { run_(object_, count, Task(f)); }

 private:
  void* object_ = nullptr;
  void (*run_)(void*, Index, Task);
};

}  // namespace heed
