// Actions that are numbers, by PPO with an actor and a critic of their own.
#include "train.hpp"

void add_continuous(Worlds& worlds) {
  worlds["pendulum"] = [](const Run& run) {
    using Actor = heed::MlpGaussianPolicy<float>;
    using Critic = heed::MlpValue<float>;
    const heed::Pendulum world;
    auto actor = network_config<Actor::Config>(run.policy);
    actor.observation = world.observation();
    actor.actions = 1;
    const Critic::Config critic{
        .observation = world.observation(), .hidden = actor.hidden, .activation = actor.activation};
    heed::Agent<heed::WithCritic<Actor, Critic>> agent({.actor = actor, .critic = critic}, run.seed);
    return ppo(agent, world, run);
  };
}
