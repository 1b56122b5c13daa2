#pragma once
#include "heed/detail/episode.hpp"
#include "heed/rl/environment.hpp"

namespace heed {

/// A walk along a line to the better of two ends, which is shown at the start only: exactly CleanRL's ProofofMemory-v0
/// (that of its ppo_trxl, by Pleines), which freezes the first steps.
///
///   The ends are at -1 and 1, a step is 0.2. An episode starts at -0.4, -0.2, 0, 0.2 or 0.4, and either end is the
///   good one, all equally likely. The first two steps change nothing and bring nothing; from the third on an action
///   moves, 0 to the left and 1 to the right.
///   reward of a move = 1.6 at the good end, -1.6 at the other, where the episode terminates; else -0.1
///
/// What is seen is [left, position, right]: left and right are 1 at the good end and -1 at the other in the first three
/// observations, and 0 from then on. An episode is truncated after 16 steps, also where it terminates there. The best
/// mean return is 1.2.
class ProofOfMemory {
 public:
  struct State {
    Index position;   ///< in steps of 0.2, 0 is the middle
    Index good;       ///< -1: the left end, 1: the right end
    Index steps = 0;  ///< taken so far
  };
  using Action = Index;

  Index actions() const { return 2; }
  Index observation() const { return 3; }
  Index time_limit() const { return limit; }

  State reset(Random& random) const {
    const Index position = random.below(5) - 2;
    return {position, 2 * random.below(2) - 1};
  }

  Outcome step(State& s, Action action) const {
    detail::expect_action("ProofOfMemory", action, 2);
    detail::expect_going("ProofOfMemory", at_end(s) || s.steps >= limit, s.steps);
    const bool moves = s.steps >= frozen;
    if (moves) s.position += 2 * action - 1;
    ++s.steps;
    const double reward = !moves ? 0 : !at_end(s) ? -0.1 : s.position == end * s.good ? 1.6 : -1.6;
    return {.reward = reward, .terminated = at_end(s), .truncated = s.steps == limit};
  }

  template <class S>
  void observe(const State& s, Write<S> x) const {
    detail::expect_shape("ProofOfMemory", "x", x, 3, 1);
    const Index shown = s.steps <= frozen ? s.good : 0;
    x.col(0) << S(-shown), S(double(s.position) / end), S(shown);
  }

 private:
  static constexpr Index limit = 16, frozen = 2, end = 5;
  static bool at_end(const State& s) { return s.position == -end || s.position == end; }
};
static_assert(DiscreteEnvironment<ProofOfMemory>);

}  // namespace heed
