#include <cstdio>
#include <heed/heed.hpp>
#include <heed/io/safetensors.hpp>

int main() {
  const heed::Agent<heed::MlpPolicy<float>> agent({.observation = 4, .actions = 2}, /*seed*/ 1);
  heed::save("policy.safetensors", agent);
  std::printf("heed is usable here: %ld weights\n", long(agent.layout.parameters()));
}
