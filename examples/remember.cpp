// Remembering: which of the two arms at the end of a corridor has the goal is shown at its start alone. A transformer learns
// by PPO to look back at it, and a policy without memory cannot. Shown is what the transformer attends to at the junction.
#include <cstdio>
#include <heed/heed.hpp>
#include <heed/pictures/attention_text.hpp>

namespace {

constexpr heed::Index corridor = 20;

template <class Net>
heed::Agent<Net> train(const char* name, typename Net::Config config, const heed::PassiveTMaze& world) {
  config.observation = world.observation();
  config.actions = world.actions();
  config.value = true;
  heed::Agent<Net> agent(config, /*seed*/ 1);
  heed::PpoConfig settings{.learning_rate = 7e-4, .gamma = 0.9, .lambda = 0.5, .entropy = 0.02};
  settings.lanes = 32;
  settings.steps = corridor + 1;  // one episode a lane
  heed::Ppo trainer(agent, world, settings);
  // The mean return is of episodes before the last update, which can spoil a policy: what it left is looked at, too.
  const auto learned = [&] {
    return trainer.mean_return() >= 0.99 && heed::evaluate(agent, world, 100, /*seed*/ 4).mean >= 0.99;
  };
  while (trainer.steps() < 200'000 && !learned()) trainer.iterate();
  std::printf("%s: after %ld steps it returns %.2f\n", name, long(trainer.steps()),
              heed::evaluate(agent, world, 500, /*seed*/ 2).mean);
  return agent;
}

/// The weights of each head at the last step of an episode.
template <class Net>
void show(const heed::Agent<Net>& agent, const heed::PassiveTMaze& world) {
  heed::Rollout rollout(agent, world, /*episodes*/ 1, /*seed*/ 3);
  const auto& episode = rollout.run(agent.p, heed::Choice::mode);
  heed::Activations<float> a(agent.layout);
  a.begin(agent.net.time, episode.time);
  agent.net.forward(agent.p, episode.x(), a);
  const heed::Index steps = episode.steps();
  heed::Tokens<float> last(steps, 4);
  for (heed::Index head = 0; head < 4; ++head)
    last.col(head) = heed::attention_weights(agent.net, agent.p, a, /*layer*/ 0, /*sequence*/ 0, head).col(steps - 1);
  std::vector<std::string> names(std::size_t(steps), ".");
  names.front() = "G", names.back() = "J";
  std::puts(
      heed::attention_text(last, {.keys = names,
                                  .queries = {"head 1", "head 2", "head 3", "head 4"},
                                  .title = "Where each head looks at the junction J: G is where the goal was shown."})
          .c_str());
}

}  // namespace

int main() {
  const heed::PassiveTMaze world(corridor);
  train<heed::MlpPolicy<float>>("without memory", {}, world);
  const auto agent = train<heed::TransformerPolicy<float>>("with attention", {.sinusoidal = false}, world);
  show(agent, world);
  return heed::evaluate(agent, world, 500, /*seed*/ 2).mean > 0.9 ? 0 : 1;
}
