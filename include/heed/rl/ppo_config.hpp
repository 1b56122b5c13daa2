#pragma once
#include <cstdint>

#include "heed/core/tokens.hpp"
#include "heed/optimizers/schedule.hpp"

namespace heed {

/// Between iterations all may be changed but lanes, recent, capacity, seed and what observations and rewards are
/// normalised by (and gamma, where that is rewards), which are read once.
struct PpoConfig {
  double learning_rate = 2.5e-4;                      ///< of Adam
  Schedule schedule = {.shape = Schedule::constant};  ///< of the learning rate, over total_steps
  Index total_steps = 1'000'000;                      ///< of the environment, over all lanes: only for the schedule
  double gamma = 0.99;                                ///< discount a step
  double lambda = 0.95;                               ///< of the generalised advantages
  double reward_scale = 1;              ///< rewards are multiplied by it: values should be of the order of 1
  Index lanes = 8;                      ///< episodes that are played side by side
  Index steps = 128;                    ///< of each lane an iteration
  Index epochs = 4;                     ///< times that each step is learned from
  Index minibatches = 4;                ///< an epoch
  Index piece = 0;                      ///< steps a sequence that is learned from, of a policy that looks back; 0: as
                                        ///< they come. Without memory each step stands alone
  double clip = 0.2;                    ///< the ratio of probabilities counts within 1 +- clip
  double value_clip = 0;                ///< a value may move so far from what it was; 0: as far as it likes
  bool normalise = true;                ///< advantages of a minibatch to mean 0 and deviation 1
  bool normalise_observations = false;  ///< by all that was observed so far, to mean 0 and deviation 1
  bool normalise_rewards = false;       ///< by the deviation of all discounted returns so far
  double entropy = 0.01;                ///< weight of the entropy bonus
  double value = 0.5;                   ///< weight of the squared error of the learned value
  double max_gradient_norm = 0.5;       ///< the gradient is scaled down to this norm; 0: never
  double target_kl = 0;                 ///< an iteration ends early where the policy moved 1.5 times so far; 0: never
  Index recent = 100;                   ///< mean_return() is over so many of the last episodes
  Index capacity = 0;      ///< steps that a policy without a window can remember; 0: the world's time limit
  std::uint64_t seed = 1;  ///< of the episodes and of the order of learning
};

/// What an iteration did: means over the minibatches that were learned from, where nothing else is said.
struct PpoStatistics {
  Index steps = 0;           ///< so far, over all lanes, in all iterations
  Index episodes = 0;        ///< that ended so far
  Index updates = 0;         ///< steps of the optimizer in this iteration
  double entropy = 0;        ///< of the policy, nats
  double kl = 0;             ///< of the policy from the one that acted: mean of ratio - 1 - log ratio (Schulman 2020)
  double clip_fraction = 0;  ///< share of the steps whose ratio is beyond the clip
  double value_error = 0;    ///< squared, of the learned value
  double explained_variance = 0;  ///< 1 - var(G - V) / var(G) of the batch, with the values it was acted with
  double gradient_norm = 0;       ///< before clipping
  double steps_per_second = 0;    ///< of this iteration, acting and learning

  /// Adds what is summed over shards and minibatches.
  void add(const PpoStatistics& part) {
    entropy += part.entropy;
    kl += part.kl;
    clip_fraction += part.clip_fraction;
    value_error += part.value_error;
  }
  /// Makes means of the sums.
  void divide(double n) {
    for (double* sum : {&entropy, &kl, &clip_fraction, &value_error, &gradient_norm}) *sum /= n;
  }
};

}  // namespace heed
