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

  Side(Index episodes, std::uint64_t seed)
      : agent({.observation = world.observation(), .actions = world.actions()}, seed),
        trainer(agent, world, versus::reinforce(episodes, seed)),
        rollout(agent, world, episodes, seed) {}
};

template <class Net>
versus::Trainer make(Index episodes, std::uint64_t seed) {
  const auto side = std::make_shared<Side<Net>>(episodes, seed);
  return {.learn = [side] { return side->trainer.iterate().returns; },
          .play = [side] { return heed::Returns::of(side->rollout.run(side->agent.p)); }};
}

}  // namespace

int main(int argc, char** argv) {
  return versus::train(argc, argv, [](bool attention, Index episodes, std::uint64_t seed) {
    if (attention) return make<heed::AttentionPolicy<float>>(episodes, seed);
    return make<heed::MlpPolicy<float>>(episodes, seed);
  });
}
