// A signal: which of five rhythms is in two seconds of eight noisy channels, as of an EEG. The policy is told right or wrong
// and no more, and has to find out by itself on which channels and when the rhythm is. Shown is where it looks.
#include <cstdio>
#include <heed/heed.hpp>
#include <heed/pictures/progress.hpp>
#include <string>

namespace {

using Net = heed::SignalPolicy<float>;

void train(heed::Agent<Net>& agent, const heed::BrainSignal& world, heed::Index windows) {
  heed::PpoConfig config{.learning_rate = 4e-3, .schedule = {.shape = heed::Schedule::linear}, .total_steps = windows};
  config.lanes = 256;
  config.steps = 4;
  config.epochs = 2;
  config.entropy = 0.3;
  heed::Ppo trainer(agent, world, config);
  heed::Progress progress;
  while (trainer.steps() < windows) {
    const heed::PpoStatistics s = trainer.iterate();
    progress.show(double(s.steps) / double(windows),
                  std::to_string(s.steps) + " windows, right " + std::to_string(trainer.mean_return()));
  }
  progress.end();
}

/// Channels by segments of time: how much attention each got, and [] around those that carry the rhythm.
void show(const heed::Agent<Net>& agent, const heed::BrainSignal& world, heed::Random& random) {
  constexpr const char* rhythms[] = {"delta", "theta", "alpha", "beta", "gamma"};
  const auto state = world.reset(random);
  const heed::Index tokens = world.entities(state);
  heed::Tokens<float> x(world.observation(), tokens);
  world.observe(state, heed::Write<float>(x));
  heed::Activations<float> a(agent.layout);
  a.begin(agent.net.time, {1});
  a.begin(agent.net.input, {tokens});
  agent.net.forward(agent.p, x, a);
  const auto weights = heed::attention_weights(agent.net, agent.p, a, /*layer: look*/ 1, /*step*/ 0, /*head*/ 0);
  std::printf("%s, named %s\n", rhythms[state.rhythm],
              rhythms[heed::Categorical<float>(a[agent.net.logits], 0).mode()]);
  for (heed::Index token = 0; token < tokens; ++token) {
    const bool carries = world.carries(state, token);
    std::printf(carries ? "[%2.0f %%]" : " %2.0f %% ", 100 * double(weights(token, 0)));
    if (token % world.segments() == world.segments() - 1)
      std::printf("   channel %ld\n", long(token / world.segments()));
  }
}

}  // namespace

int main() {
  const heed::BrainSignal world;
  heed::Agent<Net> agent(
      {.observation = world.observation(), .actions = world.actions(), .samples = world.samples(), .value = true},
      /*seed*/ 1);
  train(agent, world, 100'000);
  heed::Random random(3);
  for (int i = 0; i < 3; ++i) show(agent, world, random);
  const double right = heed::evaluate(agent, world, 1000, /*seed*/ 2).mean;
  std::printf("Right: %.1f %% of 1000 windows\n", 100 * right);
  return right > 0.8 ? 0 : 1;
}
