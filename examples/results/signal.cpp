// A rhythm in a noisy signal of many channels, by PPO: right or wrong is all that the policy learns from, where to look
// it must find out. The second figure is how much of its attention fell on the patches that carry the rhythm.

#include "train.hpp"

namespace {

using World = heed::BrainSignal;
using Net = heed::SignalPolicy<float>;

/// Share of the attention on tokens that carry the rhythm, mean over heads and fresh windows.
double attention_on_carriers(heed::Agent<Net>& agent, const World& world, long windows, std::uint64_t seed) {
  const heed::Index heads = agent.net.body.heads();
  heed::Random random(seed, "attention");
  heed::Activations<float> a(agent.layout);
  a.begin(agent.net.time, {1});
  double sum = 0;
  for (long i = 0; i < windows; ++i) {
    const World::State state = world.reset(random);
    const heed::Index tokens = world.entities(state);
    heed::Tokens<float> x(world.observation(), tokens), weights(tokens, 1);
    world.observe(state, heed::Write<float>(x));
    a.begin(agent.net.input, {tokens});
    agent.net.forward(agent.p, x, a);
    for (heed::Index head = 0; head < heads; ++head) {
      agent.net.body.weights(agent.p, a, 0, head, weights);
      for (heed::Index token = 0; token < tokens; ++token)
        if (world.carries(state, token)) sum += double(weights(token, 0));
    }
  }
  return sum / double(windows * heads);
}

}  // namespace

void add_signal(Worlds& worlds) {
  worlds["brain_signal"] = [](const Run& run) {
    const World world;
    const heed::Index tokens = world.config.channels * world.segments();
    if (run.policy.at("network") == "mlp") return ppo<heed::MlpPolicy<float>>(heed::Padded(world, tokens), run);
    auto config = network_config<Net::Config>(run.policy);
    config.observation = world.observation();
    config.samples = world.samples();
    config.actions = world.actions();
    config.value = true;
    heed::Agent<Net> agent(config, run.seed);
    Result result = ppo(agent, world, run);
    result.second = attention_on_carriers(agent, world, run.evaluation(), run.seed + 2'000'000);
    return result;
  };
}
