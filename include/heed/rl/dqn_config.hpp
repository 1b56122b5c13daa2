#pragma once
#include <limits>

#include "heed/detail/segments.hpp"
#include "heed/optimizers/schedule.hpp"
#include "heed/rl/returns.hpp"

namespace heed {

/// The hyper-parameters of Dqn. Between iterations all may be changed but lanes, room, columns, look_back, priority,
/// recent, capacity and seed, which are read once.
struct DqnConfig {
  double learning_rate = 5e-4;                        ///< of Adam
  Schedule schedule = {.shape = Schedule::constant};  ///< of the learning rate, over total_steps
  Index total_steps = 100'000;   ///< of the environment, over all lanes: for schedule and importance
  double gamma = 0.99;           ///< discount a step
  Index n_step = 1;              ///< rewards that are counted before the value of what follows
  double reward_scale = 1;       ///< rewards are multiplied by it: values should be of the order of 1 to 10
  bool double_q = true;          ///< the network itself says which action follows, the target network its value
  double huber = 1;              ///< larger errors count in proportion, and no more in square; 0: all in square
  Index lanes = 8;               ///< episodes that are played side by side
  Index steps = 128;             ///< of each lane an iteration
  double epsilon_start = 1;      ///< share of actions that are random: at the start,
  double epsilon_end = 0.05;     ///< at the end,
  Index epsilon_steps = 10'000;  ///< which is after so many steps, over all lanes
  Index room = 50'000;           ///< steps that are kept to be learned from, over all lanes
  Index columns = 1;             ///< of an observation, for that room: 1, or how many entities a step shows in the mean
  Index look_back = 0;      ///< steps before a step that it is learned with; 0: as many as the network looks back at
  double priority = 0;      ///< exponent of errors by which steps are drawn; 0: all alike
  double importance = 0.4;  ///< exponent of what makes up for that at the start; grows to 1 over total_steps
  Index learning_starts = 1000;   ///< steps before the first update, over all lanes
  Index learn_every = 4;          ///< steps for each update, over all lanes
  Index batch = 64;               ///< steps that an update learns from
  Index target_every = 250;       ///< updates after which the target network moves
  double target_share = 1;        ///< of the way to the network that it moves
  double max_gradient_norm = 10;  ///< the gradient is scaled down to this norm; 0: never
  Index recent = 100;             ///< mean_return() is over so many of the last episodes
  Index capacity = 0;             ///< steps that a network without a window can remember; 0: the world's time limit
  std::uint64_t seed = 1;         ///< of the episodes, of exploring and of what is learned from

  /// Throws where a setting cannot be.
  void check() const {
    const double infinity = std::numeric_limits<double>::infinity();
    constexpr const char* names[] = {"reward_scale", "huber", "priority", "max_gradient_norm"};
    const double numbers[] = {reward_scale, huber, priority, max_gradient_norm};
    for (int i = 0; i < 4; ++i) detail::expect_within("Dqn", names[i], numbers[i], 0, infinity);
    constexpr const char* share_names[] = {"gamma", "epsilon_start", "epsilon_end", "importance", "target_share"};
    const double shares[] = {gamma, epsilon_start, epsilon_end, importance, target_share};
    for (int i = 0; i < 5; ++i) detail::expect_share("Dqn", share_names[i], shares[i]);
    constexpr const char* counts[] = {"total_steps", "n_step",      "lanes", "steps",        "epsilon_steps",
                                      "columns",     "learn_every", "batch", "target_every", "recent"};
    const Index counted[] = {total_steps, n_step,      lanes, steps,        epsilon_steps,
                             columns,     learn_every, batch, target_every, recent};
    for (int i = 0; i < 10; ++i)
      if (counted[i] < 1) detail::fail("Dqn: %s %ld must be at least 1", counts[i], long(counted[i]));
    if (look_back < 0 || learning_starts < 0)
      detail::fail("Dqn: look_back %ld and learning_starts %ld must not be negative", long(look_back),
                   long(learning_starts));
  }
};

/// What an iteration did: means over its updates, where nothing else is said.
struct DqnStatistics {
  Index steps = 0;              ///< so far, over all lanes, in all iterations
  Index episodes = 0;           ///< that ended so far
  Index updates = 0;            ///< in this iteration
  double epsilon = 0;           ///< as it is now
  double loss = 0;              ///< mean over the updates
  double value = 0;             ///< of the actions that were learned from
  double error = 0;             ///< of these values, without sign
  double gradient_norm = 0;     ///< before clipping
  double steps_per_second = 0;  ///< of this iteration, acting and learning
};

}  // namespace heed
