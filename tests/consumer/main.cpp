#include <cstdio>
#include <heed/heed.hpp>
#include <heed/io/onnx.hpp>
#include <heed/io/safetensors.hpp>

int other();

int main() {
  const heed::CartPole world;
  heed::Agent<heed::AttentionPolicy<float>> agent({.observation = 4, .actions = 2}, 1);
  heed::Reinforce trainer(agent, world, {.batch = 2});
  trainer.iterate();
  heed::save("policy.safetensors", agent);
  heed::load("policy.safetensors", agent);
  heed::to_onnx(agent, "policy.onnx");
  std::printf("heed is usable here: mean return %.1f\n", trainer.mean_return());
  return other();
}
