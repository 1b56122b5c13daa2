// A policy learns to balance a pole on a cart by REINFORCE, and is then evaluated with its most probable actions.
#include <cstdio>
#include <exception>
#include <heed/heed.hpp>
#include <heed/io/safetensors.hpp>
#include <heed/pictures/progress.hpp>

#include "cart_pole_options.hpp"

namespace {

std::string line(const heed::ReinforceStatistics& s, double mean_return) {
  char text[128];
  std::snprintf(text, sizeof text, "episode %4ld: return %5.1f (last %.0f to %.0f), %.0f steps/s", long(s.episodes),
                mean_return, s.returns.min, s.returns.max, s.steps_per_second);
  return text;
}

/// How a kind of policy is trained: until the last `recent` training episodes return 490 in the mean, and so do 100 fresh ones
/// with its most probable actions.
struct Recipe {
  double learning_rate;  // of the first episode; it falls linearly to 0 over all the episodes there may be
  heed::Index recent;
};

template <class Net>
long train(heed::Agent<Net>& agent, const heed::CartPole& world, const Recipe& recipe, const Options& options,
           heed::Progress& progress) {
  heed::Reinforce trainer(agent, world,
                          {.gamma = 0.99,
                           .reward_scale = 0.01,
                           .batch = 8,
                           .baseline = heed::Baseline::value,
                           .recent = recipe.recent,
                           .seed = options.seed});
  const auto done_well = [&] {
    return trainer.mean_return() >= 490 && heed::evaluate(agent, world, 100, options.seed + 2'000'000).mean >= 490;
  };
  while (trainer.episodes() + trainer.config.batch <= options.episodes && !done_well()) {
    const double done = double(trainer.episodes()) / double(options.episodes);
    trainer.config.learning_rate = recipe.learning_rate * (1 - done);
    const heed::ReinforceStatistics statistics = trainer.iterate();
    progress.show(done, line(statistics, trainer.mean_return()));
  }
  progress.end();
  return long(trainer.episodes());
}

template <class Net>
int run(const Options& options, typename Net::Config config, const Recipe& recipe) {
  const heed::CartPole world;
  config.observation = world.observation();
  config.actions = world.actions();
  config.value = true;
  heed::Agent<Net> agent(config, options.seed);

  heed::Progress progress(options.quiet);
  long episodes = 0;
  if (options.load.empty())
    episodes = train(agent, world, recipe, options, progress);
  else
    heed::load(options.load, agent);
  const double seconds = progress.seconds();
  if (!options.save.empty()) heed::save(options.save, agent);

  const heed::Returns result = heed::evaluate(agent, world, 100, options.seed + 1'000'000);
  std::printf("evaluation: mean return %.1f over %ld episodes (policy %s, seed %lu, %ld training episodes, %.2f s)\n",
              result.mean, long(result.episodes), options.policy.c_str(), static_cast<unsigned long>(options.seed),
              episodes, seconds);
  return result.mean >= 475 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = read_options(argc, argv);
  try {
    if (options.policy == "mlp")
      return run<heed::MlpPolicy<float>>(options, {}, {.learning_rate = 2e-3, .recent = 300});
    if (options.policy == "transformer")
      return run<heed::TransformerPolicy<float>>(options, {}, {.learning_rate = 3e-3, .recent = 100});
    return run<heed::AttentionPolicy<float>>(options, {}, {.learning_rate = 3e-3, .recent = 100});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "cart_pole: %s\n", error.what());
    return 2;
  }
}
