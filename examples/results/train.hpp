#pragma once
#include <chrono>
#include <cstdio>
#include <heed/io/curve_file.hpp>

#include "settings.hpp"
#include "task.hpp"

/// Iterates until the steps are done, and writes the curve.
template <class Trainer>
double train(Trainer& trainer, const Run& run) {
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  const long an_iteration = long(trainer.config.lanes * trainer.config.steps);
  heed::CurveWriter curve(run.curve, {"steps", "episodes", "mean_return"});
  while (trainer.steps() + an_iteration <= run.steps()) {
    trainer.iterate();
    if (trainer.episodes() > 0) curve.row({double(trainer.steps()), double(trainer.episodes()), trainer.mean_return()});
    char text[64];
    std::snprintf(text, sizeof text, "%ld steps, return %.3g", long(trainer.steps()), trainer.mean_return());
    run.show(double(trainer.steps()) / double(run.steps()), text);
  }
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// A policy for what the world shows and takes.
template <class Net, class World>
heed::Agent<Net> make_agent(const World& world, const Run& run) {
  auto config = network_config<typename Net::Config>(run.policy);
  if constexpr (requires { config.observation; }) config.observation = world.observation();
  if constexpr (requires { config.value; }) config.value = true;
  config.actions = world.actions();
  return heed::Agent<Net>(config, run.seed);
}

template <class Config>
Config of_run(Config config, const Run& run) {
  config.total_steps = run.steps();
  config.seed = run.seed;
  return config;
}

/// Training, and the mean return of fresh episodes with the last policy's most probable actions.
template <class Trainer, class Net, class World>
Result learn(Trainer trainer, const heed::Agent<Net>& agent, const World& world, const Run& run) {
  const double seconds = train(trainer, run);
  const heed::Returns returns = heed::evaluate(agent, world, run.evaluation(), run.seed + 1'000'000);
  return {.score = returns.mean, .seconds = seconds, .training = trainer.mean_return()};
}

template <class Net, class World>
Result ppo(heed::Agent<Net>& agent, const World& world, const Run& run) {
  return learn(heed::Ppo(agent, world, of_run(ppo_config(run.task.at("ppo")), run)), agent, world, run);
}
template <class Net, class World>
Result ppo(const World& world, const Run& run) {
  auto agent = make_agent<Net>(world, run);
  return ppo(agent, world, run);
}

template <class Net, class World>
Result dqn(heed::Agent<Net>& agent, const World& world, const Run& run) {
  return learn(heed::Dqn(agent, world, of_run(dqn_config(run.task.at("dqn")), run)), agent, world, run);
}
template <class Net, class World>
Result dqn(const World& world, const Run& run) {
  auto agent = make_agent<Net>(world, run);
  return dqn(agent, world, run);
}
