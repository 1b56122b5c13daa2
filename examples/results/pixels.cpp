// Deep Q-learning, from a window of observations and from the patches of an image.
#include "train.hpp"

void add_pixels(Worlds& worlds) {
  worlds["cart_pole_by_dqn"] = [](const Run& run) {
    const heed::CartPole world;
    if (run.policy.at("network") == "mlp") return dqn<heed::MlpQ<float>>(world, run);
    return dqn<heed::AttentionQ<float>>(world, run);
  };
  worlds["catch_ball"] = [](const Run& run) {
    const heed::CatchBall world;
    if (run.policy.at("network") == "mlp") return dqn<heed::MlpQ<float>>(world, run);
    auto config = network_config<heed::PatchQConfig>(run.policy);
    config.actions = world.actions();
    config.image = heed::CatchBall::board;
    config.patch = {.rows = 5, .cols = 1};
    heed::Agent<heed::PatchQ<float>> agent(config, run.seed);
    return dqn(agent, world, run);
  };
}
