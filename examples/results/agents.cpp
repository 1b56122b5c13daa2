// Many agents with one policy, by PPO: each sees all others as entities, or in so many places of one column.
#include "train.hpp"

void add_agents(Worlds& worlds) {
  worlds["predators_and_prey"] = [](const Run& run) {
    const heed::PredatorsAndPrey world({.limit = run.task.at("limit"), .prey_speed = run.task.at("prey_speed")});
    const heed::Index all = world.config.predators + world.config.prey;
    if (run.policy.at("network") == "mlp") return ppo<heed::MlpPolicy<float>>(heed::Padded(world, all), run);
    auto agent = make_agent<heed::EntityPolicy<float>>(world, run);
    Result result = ppo(agent, world, run);
    heed::PredatorsAndPrey::Config more = world.config;
    more.predators *= 2;
    more.prey *= 2;
    result.second = heed::evaluate(agent, heed::PredatorsAndPrey(more), run.evaluation(), run.seed + 1'000'000).mean;
    return result;
  };
}
