// Pixels: a paddle learns by deep Q-learning to catch a ball, from the board's pixels cut into patches that attend to each
// other. Shown is a game, beside it how much the pooling attends to each patch.
#include <cstdio>
#include <heed/heed.hpp>
#include <heed/pictures/progress.hpp>

namespace {

using Net = heed::PatchQ<float>;

void train(heed::Agent<Net>& agent, const heed::CatchBall& world) {
  heed::DqnConfig config{.learning_rate = 1e-3, .schedule = {.shape = heed::Schedule::linear}, .total_steps = 20'000};
  config.n_step = 3;
  config.steps = 125;
  config.epsilon_steps = 5'000;
  config.learn_every = 8;
  config.batch = 32;
  heed::Dqn trainer(agent, world, config);
  heed::Progress progress;
  while (trainer.steps() < config.total_steps) {
    const heed::DqnStatistics s = trainer.iterate();
    progress.show(double(s.steps) / double(config.total_steps),
                  std::to_string(s.steps) + " steps, return " + std::to_string(trainer.mean_return()));
  }
  progress.end();
}

/// A game with the best actions; what each step sees, and the attention of both heads to the patches of 5 x 1 pixels.
void show(const heed::Agent<Net>& agent, const heed::CatchBall& world) {
  heed::Rollout rollout(agent, world, /*episodes*/ 1, /*seed*/ 7);
  const auto& game = rollout.run(agent.p, heed::Choice::mode);
  heed::Activations<float> a(agent.layout);
  a.begin(agent.net.time, game.time);
  agent.net.forward(agent.p, game.x(), a);
  const heed::Index pool = heed::Index(heed::attention_layers(agent.net).size()) - 1;
  for (heed::Index t = 0; t < game.steps(); t += 4) {
    const auto weights = heed::mean_attention(agent.net, agent.p, a, pool, /*step*/ t);
    std::printf("step %ld: %s\n", long(t),
                game.actions[std::size_t(t)] == 0   ? "left"
                : game.actions[std::size_t(t)] == 1 ? "stay"
                                                    : "right");
    for (heed::Index row = 0; row < world.board.rows; ++row) {
      std::printf("  |");
      for (heed::Index i = 0; i < world.board.cols; ++i)
        std::printf("%s", game.x()(row * world.board.cols + i, t) == 0 ? " ."
                          : row == world.board.rows - 1                ? " ="
                                                                       : " o");
      std::printf(" |");
      if (row % 5 == 2)
        for (heed::Index i = 0; i < world.board.cols; ++i)
          std::printf(" %2.0f %%", 100 * double(weights(row / 5 * world.board.cols + i, 0)));
      std::printf("\n");
    }
  }
}

}  // namespace

int main() {
  const heed::CatchBall world;
  heed::Agent<Net> agent({.actions = world.actions(),
                          .image = heed::CatchBall::board,
                          .patch = {.rows = 5, .cols = 1},
                          .heads = 2,
                          .inner = 64,
                          .dueling = true},
                         /*seed*/ 1);
  train(agent, world);
  show(agent, world);
  const double caught = (heed::evaluate(agent, world, 1000, /*seed*/ 2).mean + 1) / 2;
  std::printf("Caught: %.1f %% of 1000 balls\n", 100 * caught);
  return caught > 0.95 ? 0 : 1;
}
