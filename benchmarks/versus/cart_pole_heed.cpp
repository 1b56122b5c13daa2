// Cart-pole by REINFORCE with heed.
#include <memory>

#include <heed/environments/cart_pole.hpp>
#include <heed/networks/attention_policy.hpp>
#include <heed/networks/mlp_policy.hpp>

#include "cart_pole.hpp"

namespace {

using heed::Index;

template <class Net>
struct Side {
  heed::CartPole world;
  heed::Agent<Net> agent;
  heed::Reinforce<Net, heed::CartPole> trainer;
  heed::Rollout<Net, heed::CartPole> rollout;

  Side(const typename Net::Config& config, Index episodes, std::uint64_t seed)
      : agent(config, seed),
        trainer(agent, world, versus::reinforce(episodes, seed)),
        rollout(agent, world, episodes, seed) {}
};

template <class Net>
versus::Trainer make(const typename Net::Config& config, Index episodes, std::uint64_t seed) {
  const auto side = std::make_shared<Side<Net>>(config, episodes, seed);
  return {.learn = [side] { return side->trainer.iterate().returns; },
          .play = [side] { return heed::Returns::of(side->rollout.run(side->agent.p)); }};
}

}  // namespace

int main(int argc, char** argv) {
  return versus::train(argc, argv, [](bool attention, Index episodes, std::uint64_t seed) {
    if (attention) return make<heed::AttentionPolicy<float>>({.observation = 4, .actions = 2}, episodes, seed);
    return make<heed::StaticMlpPolicy<float, 4, 2, 64, 64>>({}, episodes, seed);
  });
}
