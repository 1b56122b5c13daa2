// Entities: three predators learn to hunt prey, each with the same policy, which attends to all that it sees, as many as
// there are. So it goes on where there are twice as many. Shown is how a hunt goes on, from above.
#include <cstdio>
#include <heed/heed.hpp>
#include <heed/pictures/progress.hpp>
#include <string>
#include <vector>

namespace {

using Net = heed::EntityPolicy<float>;

void train(heed::Agent<Net>& agent, const heed::PredatorsAndPrey& world) {
  heed::PpoConfig config{.learning_rate = 2e-3, .gamma = 0.95, .lambda = 0.9, .reward_scale = 3};
  config.lanes = 32;
  config.steps = 32;
  config.minibatches = 8;
  heed::Ppo trainer(agent, world, config);
  heed::Progress progress;
  const double most = 200'000;  // of all predators
  while (double(trainer.steps()) < most) {
    const heed::PpoStatistics s = trainer.iterate();
    progress.show(double(s.steps) / most,
                  std::to_string(s.steps) + " steps, a predator catches " + std::to_string(trainer.mean_return()));
  }
  progress.end();
}

/// The square from above: predators P, prey o.
void draw(const heed::PredatorsAndPrey& world, const heed::PredatorsAndPrey::State& state) {
  constexpr int size = 16;
  std::vector<std::string> picture(size, std::string(2 * size, ' '));
  for (heed::Index i = 0; i < world.config.predators + world.config.prey; ++i) {
    const auto& animal = state.animals[std::size_t(i)];
    if (!animal.alive) continue;
    const auto cell = [&](double x) { return std::size_t(x / world.side() * (size - 1e-6)); };
    picture[cell(animal.position.y)][2 * cell(animal.position.x)] = i < world.config.predators ? 'P' : 'o';
  }
  std::printf("step %ld, %ld left\n", long(state.steps), long(state.left));
  for (const std::string& line : picture) std::printf("  |%s|\n", line.c_str());
}

/// One hunt, by the policy's most probable actions: what Rollout does, written out.
void show(const heed::Agent<Net>& agent, const heed::PredatorsAndPrey& world) {
  heed::Activations<float> a(agent.layout);
  heed::Random random(4);
  auto state = world.reset(random);
  std::vector<heed::Index> actions(std::size_t(world.agents()));
  std::vector<heed::Outcome> outcomes(actions.size());
  for (; world.acts(state, 0); world.step(state, actions, outcomes)) {
    if (state.steps % 30 == 0) draw(world, state);
    const heed::Index seen = world.entities(state, 0);
    heed::Tokens<float> x(world.observation(), seen * world.agents());
    for (heed::Index i = 0; i < world.agents(); ++i)
      world.observe(state, i, heed::Write<float>(x.middleCols(i * seen, seen)));
    a.begin(agent.net.time, heed::Sequences::uniform(world.agents(), 1));
    a.begin(agent.net.input, heed::Sequences::uniform(world.agents(), seen));
    agent.net.forward(agent.p, x, a);
    for (heed::Index i = 0; i < world.agents(); ++i)
      actions[std::size_t(i)] = heed::Categorical<float>(a[agent.net.logits], i).mode();
  }
  draw(world, state);
}

}  // namespace

int main() {
  const heed::PredatorsAndPrey few({.limit = 60, .prey_speed = 0.4}),
      many({.predators = 6, .prey = 12, .limit = 60, .prey_speed = 0.4});
  heed::Agent<Net> agent(
      {.observation = few.observation(), .actions = few.actions(), .layers = 0, .inner = 64, .value = true},
      /*seed*/ 1);
  train(agent, few);
  show(agent, few);
  const double of_few = heed::evaluate(agent, few, 100, /*seed*/ 2).mean;
  std::printf("Prey caught for each predator: %.2f of 2 where 3 hunt 6, %.2f where 6 hunt 12\n", of_few,
              heed::evaluate(agent, many, 100, /*seed*/ 2).mean);
  return of_few > 0.5 ? 0 : 1;
}
