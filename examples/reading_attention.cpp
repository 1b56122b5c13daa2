// Reading attention: a transformer learns for a second to balance a pole. Shown is what it attended to in the last steps of
// an episode; written to a directory are pictures of that, the learning curve and, with --events, what TensorBoard reads.
//
//   sh examples/run.sh reading_attention [DIRECTORY [--events]]
#include <cstdio>
#include <exception>
#include <heed/heed.hpp>
#include <heed/io/training_log.hpp>
#include <heed/pictures/attention_svg.hpp>
#include <heed/pictures/attention_text.hpp>
#include <heed/pictures/cart_pole_strip.hpp>
#include <heed/pictures/curve_svg.hpp>
#include <heed/pictures/progress.hpp>
#include <heed/pictures/save_picture.hpp>

namespace {

using Net = heed::TransformerPolicy<float>;
constexpr heed::Index episodes = 240;

/// An episode, which the policy looks at once more.
const auto& look(const heed::Agent<Net>& agent, heed::Rollout<Net, heed::CartPole>& rollout,
                 heed::Activations<float>& a) {
  const auto& episode = rollout.run(agent.p, heed::Choice::mode);
  a.begin(agent.net.time, episode.time);
  agent.net.forward(agent.p, episode.x(), a);
  return episode;
}

void train(heed::Agent<Net>& agent, const heed::CartPole& world, heed::TrainingLog& log) {
  heed::Reinforce trainer(agent, world, {.learning_rate = 3e-3, .reward_scale = 0.01, .batch = 8, .recent = 40});
  heed::Progress progress;
  heed::Rollout rollout(agent, world, /*episodes*/ 1, /*seed*/ 3);
  heed::Activations<float> a(agent.layout);
  while (trainer.episodes() < episodes) {
    trainer.iterate();
    log.row({double(trainer.episodes()), trainer.mean_return()});
    log.weights(trainer.episodes(), agent);
    if (trainer.episodes() % 40 == 0) {
      look(agent, rollout, a);
      log.attention(trainer.episodes(), agent.net, agent.p, a);
    }
    progress.show(double(trainer.episodes()) / double(episodes),
                  "mean return " + std::to_string(trainer.mean_return()));
  }
}

/// The last steps of an episode.
void show(const heed::Agent<Net>& agent, const heed::CartPole& world, const std::filesystem::path& directory) {
  heed::Rollout rollout(agent, world, /*episodes*/ 1, /*seed*/ 3);
  heed::Activations<float> a(agent.layout);
  const auto& episode = look(agent, rollout, a);
  const heed::Index steps = episode.steps(), shown = std::min(steps, heed::Index(16));

  std::vector<std::string> names;
  for (heed::Index t = steps - shown; t < steps; ++t) names.push_back(std::to_string(t));
  const auto weights = heed::mean_attention(agent.net, agent.p, a, /*layer*/ 0, /*sequence*/ 0);
  const auto rollout_of = heed::attention_rollout(agent.net, agent.p, a, /*sequence*/ 0);
  const heed::Tokens<float> last = weights.bottomRightCorner(shown, shown);
  const heed::AttentionNames of_picture{.keys = names,
                                        .queries = names,
                                        .title = "Layer 0, mean of its heads",
                                        .key_title = "attended to at step",
                                        .query_title = "step"};
  std::puts(heed::attention_text(last, of_picture).c_str());
  heed::save_picture(directory / "attention.svg", heed::attention_svg(last, of_picture));
  heed::Tokens<float> bars(shown, 2);
  bars << weights.col(steps - 1).tail(shown), rollout_of.col(steps - 1).tail(shown);
  heed::save_picture(directory / "strip.svg",
                     heed::cart_pole_strip(episode.x().rightCols(shown), bars,
                                           {.keys = names, .queries = {"layer 0", "rollout over both layers"}}));
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const bool events = argc == 3 && std::string(argv[2]) == "--events";
    if (argc > 3 || (argc == 3 && !events) || (argc > 1 && argv[1][0] == '-'))
      throw std::invalid_argument("it is called with [DIRECTORY [--events]]");
    const std::filesystem::path directory = argc > 1 ? argv[1] : "build/reading_attention";
    const heed::CartPole world;
    heed::Agent<Net> agent(
        {.observation = world.observation(), .actions = world.actions(), .heads = 2, .layers = 2, .window = 8},
        /*seed*/ 1);
    heed::TrainingLog log(directory / "curve.csv", {"episodes", "mean_return"});
    if (events) log.events(directory / "events");
    train(agent, world, log);
    show(agent, world, directory);
    const heed::CurveTable table = heed::read_curve(directory / "curve.csv");
    const heed::Curve curve = heed::mean_curve("transformer", {{table["episodes"], table["mean_return"]}});
    heed::save_picture(directory / "curve.svg", heed::curve_svg({curve}, {.x = "episodes", .y = "mean return"}));
    std::printf("%s: attention.svg, strip.svg, curve.csv, curve.svg\n", directory.string().c_str());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "reading_attention: %s\n", error.what());
    return 1;
  }
}
