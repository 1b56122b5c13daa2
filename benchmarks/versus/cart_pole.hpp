#pragma once
// Cart-pole by REINFORCE, what its contenders share. Each is a program of its own, which trains one agent:
//   versus_cart_pole_native mlp|attention EPISODES SEED STEPS
// prints steps a second, microseconds a step of acting and of learning when trained, and the mean return then. Time is
// the processor's: whatever else the machine does takes none of it.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <functional>
#include <string>

#include <heed/rl/reinforce.hpp>

namespace versus {

using heed::Index;

/// Both sides do with these what heed::Reinforce does: advantages normalised, an entropy bonus, Adam; no learned value.
inline heed::ReinforceConfig reinforce(Index episodes, std::uint64_t seed) {
  return {.learning_rate = 2e-3, .batch = episodes, .seed = seed};
}

/// One agent. With the same seed, both sides start with the same weights and draw the same random numbers.
struct Trainer {
  std::function<heed::Returns()> learn;  ///< plays a batch of episodes and learns from it once
  std::function<heed::Returns()> play;   ///< plays a batch of episodes with the policy as it is
};

/// Batches for so many steps at least.
struct Timed {
  Index steps = 0, episodes = 0;
  double microseconds = 0;  // a step
  double mean_return = 0;

  Timed(Index at_least, const std::function<heed::Returns()>& batch) {
    const std::clock_t start = std::clock();
    while (steps < at_least) {
      const heed::Returns r = batch();
      steps += r.steps;
      episodes += r.episodes;
      mean_return += (r.mean - mean_return) * double(r.episodes) / double(episodes);
    }
    microseconds = 1e6 * double(std::clock() - start) / double(CLOCKS_PER_SEC) / double(steps);
  }
};

/// The main function of a contender. make(attention, episodes, seed)
template <class Make>
int train(int argc, char** argv, Make make) try {
  if (argc != 5) return std::fprintf(stderr, "%s mlp|attention EPISODES SEED STEPS\n", argv[0]), 2;
  const bool attention = std::string(argv[1]) == "attention";
  const Index episodes = std::atol(argv[2]), steps = std::atol(argv[4]);
  Timed(steps / 20, make(attention, episodes, 0).learn);  // to warm up
  const Trainer trainer = make(attention, episodes, std::uint64_t(std::atol(argv[3])));
  const Timed all(steps, trainer.learn), acting(steps / 5, trainer.play), both(steps / 5, trainer.learn);
  std::printf("%g %g %g %g\n", 1e6 / all.microseconds, acting.microseconds, both.microseconds - acting.microseconds,
              acting.mean_return);
  return 0;
} catch (const std::exception& e) { return std::fprintf(stderr, "%s\n", e.what()), 1; }

}  // namespace versus
