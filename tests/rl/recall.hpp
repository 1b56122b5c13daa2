#pragma once
#include "heed/rl/environment.hpp"

namespace support {

/// A bit is shown once; three steps later it is to be named. Other steps bring nothing.
struct Recall {
  struct State {
    heed::Index bit, t = 0;
  };
  using Action = heed::Index;
  State reset(heed::Random& random) const { return {.bit = random.below(2)}; }
  heed::Outcome step(State& s, heed::Index action) const {
    const bool last = ++s.t == 4;
    return {.reward = !last ? 0.0 : action == s.bit ? 1.0 : -1.0, .terminated = last, .truncated = false};
  }
  heed::Index observation() const { return 2; }
  heed::Index actions() const { return 2; }
  heed::Index time_limit() const { return 4; }
  template <class S>
  void observe(const State& s, heed::Write<S> x) const {
    x.col(0) << S(s.t == 0 ? 2 * s.bit - 1 : 0), S(s.t == 3);
  }
};

}  // namespace support
