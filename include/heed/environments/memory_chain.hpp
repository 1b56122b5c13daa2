#pragma once
#include <algorithm>
#include <array>

#include "heed/detail/episode.hpp"
#include "heed/rl/environment.hpp"

namespace heed {

/// Repeating at the end a bit that was shown at the start: exactly bsuite's memory chain with one bit, its experiment
/// memory_len (Osband et al. 2020).
///
///   The bit is 0 or 1, equally likely. An episode terminates after length + 1 steps; the reward of the last is 1 if
///   its action is the bit and -1 if not, of all others 0: they do nothing.
///
/// What is seen is [1 - t / length, query, context]: t = 0 at the start and after the first step, and then one less
/// than the steps taken; query is which bit is asked for, with one bit always 0; context is 1 for the bit 1 and -1 for
/// 0 where t = 0, and 0 from then on. As the first observation comes twice, a length of 1 needs no memory.
class MemoryChain {
 public:
  /// The lengths of memory_len.
  static constexpr std::array<Index, 23> lengths{1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 12, 14,
                                                 17, 20, 25, 30, 40, 50, 60, 70, 80, 90, 100};
  struct State {
    Index bit;        ///< what was shown
    Index steps = 0;  ///< taken so far
  };
  using Action = Index;

  /// So many steps lie between.
  explicit MemoryChain(Index length) : length_(length) { detail::expect_at_least("MemoryChain", "length", length, 1); }

  Index actions() const { return 2; }
  Index observation() const { return 3; }
  Index time_limit() const { return length_ + 1; }

  State reset(Random& random) const { return {random.below(2)}; }

  Outcome step(State& s, Action action) const {
    detail::expect_action("MemoryChain", action, 2);
    detail::expect_going("MemoryChain", over(s), s.steps);
    ++s.steps;
    if (!over(s)) return {};
    return {.reward = action == s.bit ? 1.0 : -1.0, .terminated = true};
  }

  template <class S>
  void observe(const State& s, Write<S> x) const {
    detail::expect_shape("MemoryChain", "x", x, 3, 1);
    const Index t = std::max(s.steps - 1, Index(0)), context = t == 0 ? 2 * s.bit - 1 : 0;
    x.col(0) << S(1 - double(t) / double(length_)), S(0), S(context);
  }

 private:
  bool over(const State& s) const { return s.steps >= time_limit(); }

  Index length_;
};
static_assert(DiscreteEnvironment<MemoryChain>);

}  // namespace heed
