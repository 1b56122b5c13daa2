#include <cstdio>
#include <heed/heed.hpp>

int other();

int main() {
  const heed::CartPole world;
  heed::Agent<heed::AttentionPolicy<float>> agent({.observation = 4, .actions = 2}, 1);
  heed::Reinforce trainer(agent, world, {.batch = 2});
  trainer.iterate();
  std::printf("heed is usable here: mean return %.1f\n", trainer.mean_return());
  return other();
}
