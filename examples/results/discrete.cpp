// One agent that sees one column and takes one of some actions, by PPO: tasks that need memory, and some that do not.
#include "any_world.hpp"
#include "train.hpp"

namespace {

Result learn(const AnyWorld& world, const Run& run) {
  const std::string kind = run.policy.at("network");
  if (kind == "attention") return ppo<heed::AttentionPolicy<float>>(world, run);
  if (kind == "transformer") return ppo<heed::TransformerPolicy<float>>(world, run);
  return ppo<heed::MlpPolicy<float>>(world, run);
}

/// 10,000 episodes of each of bsuite's lengths. A length is solved where the mean regret over all of them is below 0.75 of
/// chance, a mean return above 0.25, and the last policy's is, too.
Result memory_chain(const Run& run) {
  Result all;
  for (heed::Index length : heed::MemoryChain::lengths) {
    nlohmann::json task = run.task;
    if (run.steps() == 0) task["steps"] = 10'000 * (length + 1);
    task["ppo"]["steps"] = length + 1;
    task["ppo"]["recent"] = 10'000;
    const auto show = [&](double done, const std::string& text) {
      run.show(done, "length " + std::to_string(length) + ", " + text);
    };
    auto curve = run.curve;
    curve.replace_filename(curve.stem().string() + "_length_" + std::to_string(length) + ".csv");
    const Result one = learn(heed::MemoryChain(length), {task, run.policy, run.seed, curve, show});
    const bool solved = one.training > 0.25 && one.score > 0.25;
    all.score += solved / double(heed::MemoryChain::lengths.size());
    all.seconds += one.seconds;
  }
  return all;
}

heed::Index number(const Run& run, const char* name) { return run.task.at(name).get<heed::Index>(); }

}  // namespace

void add_discrete(Worlds& worlds) {
  worlds["acrobot"] = [](const Run& run) { return learn(heed::Acrobot(), run); };
  worlds["cart_pole"] = [](const Run& run) { return learn(heed::CartPole(), run); };
  worlds["memory_chain"] = memory_chain;
  worlds["passive_t_maze"] = [](const Run& run) { return learn(heed::PassiveTMaze(number(run, "length")), run); };
  worlds["proof_of_memory"] = [](const Run& run) { return learn(heed::ProofOfMemory(), run); };
  worlds["repeat_first"] = [](const Run& run) {
    return learn(heed::RepeatFirst({.decks = number(run, "decks")}), run);
  };
  worlds["repeat_previous"] = [](const Run& run) {
    return learn(heed::RepeatPrevious({.decks = number(run, "decks"), .k = number(run, "k")}), run);
  };
  worlds["velocity_free_cart_pole"] = [](const Run& run) { return learn(heed::velocity_free_cart_pole(), run); };
}
