#include "allocation.hpp"

#include "heed/distributions/multi_categorical.hpp"
#include "heed/distributions/squashed_gaussian.hpp"
#include "heed/environments/acrobot.hpp"
#include "heed/environments/brain_signal.hpp"
#include "heed/environments/cart_pole.hpp"
#include "heed/environments/catch_ball.hpp"
#include "heed/environments/key_door.hpp"
#include "heed/environments/memory_chain.hpp"
#include "heed/environments/mountain_car.hpp"
#include "heed/environments/pendulum.hpp"
#include "heed/environments/predators_and_prey.hpp"
#include "heed/environments/proof_of_memory.hpp"
#include "heed/environments/repeat_first.hpp"
#include "heed/environments/repeat_previous.hpp"
#include "heed/environments/t_maze.hpp"
#include "heed/networks/attention_q.hpp"
#include "heed/networks/patch_q.hpp"
#include "heed/networks/signal_policy.hpp"
#include "heed/rl/dqn.hpp"
#include "heed/rl/ppo.hpp"
#include "heed/rl/reward_normaliser.hpp"

using namespace support;

namespace {

/// Some steps of an episode, with the first action there is.
template <class World>
void check_world(const char* name, const World& world) {
  heed::Random random(1);
  auto state = world.reset(random);
  const std::size_t agents = std::size_t(heed::agents_of(world));
  std::vector<typename World::Action> actions(agents);
  if constexpr (heed::ContinuousEnvironment<World>) actions[0] = world.low();
  std::vector<heed::Outcome> outcomes(agents);
  Tokens<float> x(world.observation(), heed::columns_of(world, state));
  Tokens<double> precise(x.rows(), x.cols());
  check_quiet(name, [&] {
    state = world.reset(random);
    bool over = false;
    for (Index i = 0; i < 5 && !over; ++i) {
      heed::observe(world, state, 0, heed::Write<float>(x));
      heed::observe(world, state, 0, heed::Write<double>(precise));
      heed::step(world, state, std::span<const typename World::Action>(actions), std::span(outcomes));
      over = outcomes[0].over() || heed::columns_of(world, state) != x.cols();
    }
  });
}

template <class S>
void check_distributions() {
  const Index size = 40;
  const Tokens<S> mean = random<S>(size, 3, 1), log_std = random<S>(size, 1, 2);
  const Eigen::VectorXd low = Eigen::VectorXd::Constant(size, -1), high = -low;
  const std::vector<Index> sizes{3, 30, 7};
  const Eigen::Matrix<bool, -1, -1> mask = Eigen::Matrix<bool, -1, -1>::Constant(size, 3, true);
  std::vector<Index> actions(3);
  Tokens<S> z(size, 1), d = Tokens<S>::Zero(size, 2);
  Eigen::VectorXd action(size);
  heed::Random random(1);
  S sum = 0;
  check_quiet("Gaussian", [&] {
    const heed::Gaussian<S> p(mean, 1, log_std), q(mean, 0, log_std);
    p.mode(z);
    p.sample(random, z);
    sum += p.log_prob(z) + p.entropy() + p.divergence(q);
    p.add_log_prob_gradient(z, 1, d.col(0), d.col(1));
    p.add_entropy_gradient(1, d.col(1));
    p.add_divergence_gradient(q, 1, d.col(0), d.col(1));
  });
  check_quiet("SquashedGaussian", [&] {
    const heed::SquashedGaussian<S> p(mean, 1, log_std, low, high), q(mean, 0, log_std, low, high);
    p.sample(random, z);
    p.action(z, action);
    sum += p.log_prob(z) + p.entropy_estimate(z) + p.divergence(q);
    p.add_log_prob_gradient(z, 1, d.col(0), d.col(1));
    p.add_entropy_estimate_gradient(z, 1, d.col(0), d.col(1));
    p.add_divergence_gradient(q, 1, d.col(0), d.col(1));
  });
  check_quiet("MultiCategorical", [&] {
    const heed::MultiCategorical<S> p(mean, 1, sizes, mask), q(mean, 0, sizes);
    p.sample(random, actions);
    p.mode(actions);
    sum += p.log_prob(actions) + p.entropy() + p.divergence(q);
    p.add_log_prob_gradient(actions, 1, d.col(0));
    p.add_entropy_gradient(1, d.col(0));
    p.add_divergence_gradient(q, 1, d.col(0));
  });
  CHECK(std::isfinite(sum));
}

template <class Net, class World>
void check_dqn(const typename Net::Config& config, const World& world, int iterations) {
  heed::Agent<Net> agent(config);
  heed::Dqn trainer(agent, world,
                    {.n_step = 3, .steps = 50, .room = 800, .priority = 0.6, .learning_starts = 100, .batch = 16});
  for (int i = 0; i < iterations; ++i) trainer.iterate();
  check_quiet("iterate", [&] { trainer.iterate(); });
}

}  // namespace

TEST_CASE("no environment allocates") {
  if (!counted()) return;
  check_world("Acrobot", heed::Acrobot());
  check_world("BrainSignal", heed::BrainSignal());
  check_world("CartPole", heed::CartPole());
  check_world("CatchBall", heed::CatchBall());
  check_world("KeyDoor", heed::KeyDoor());
  check_world("MemoryChain", heed::MemoryChain(5));
  check_world("MountainCar", heed::MountainCar());
  check_world("PassiveTMaze", heed::PassiveTMaze(5));
  check_world("Pendulum", heed::Pendulum());
  check_world("PredatorsAndPrey", heed::PredatorsAndPrey());
  check_world("ProofOfMemory", heed::ProofOfMemory());
  check_world("RepeatFirst", heed::RepeatFirst::easy());
  check_world("RepeatPrevious", heed::RepeatPrevious::easy());
}

TEST_CASE("no distribution allocates") {
  if (!counted()) return;
  check_distributions<float>();
  check_distributions<double>();
}

TEST_CASE("normalisers do not allocate") {
  if (!counted()) return;
  heed::RunningNormaliser normaliser(40);
  Tokens<float> x = random<float>(40, 3, 1);
  check_quiet("RunningNormaliser", [&] {
    normaliser.update(x);
    normaliser.normalise(x, x);
  });
  heed::RewardNormaliser rewards(0.9);
  const std::vector<double> some(100, 1.0);
  check_quiet("RewardNormaliser", [&] { rewards.update(some); });
}

TEST_CASE("Dqn does not allocate once the largest batch was seen") {
  if (!counted()) return;
  check_dqn<heed::AttentionQ<float>>({.observation = 4, .actions = 2, .dueling = true}, heed::CartPole(50), 60);
  check_dqn<heed::PatchQ<float>>(
      {.actions = 3, .image = heed::CatchBall::board, .patch = {5, 1}, .width = 8, .heads = 2}, heed::CatchBall(),
      10);  // of which no batch is larger than another
}

TEST_CASE("Ppo does not allocate on signals, nor what asks for the attention") {
  if (!counted()) return;
  using Net = heed::SignalPolicy<float>;
  const heed::BrainSignal world;
  heed::Agent<Net> agent({.observation = world.observation(), .actions = 5, .samples = world.samples(), .value = true},
                         1);
  heed::Ppo trainer(agent, world, {.lanes = 8, .steps = 2});
  for (int i = 0; i < 3; ++i) trainer.iterate();
  check_quiet("iterate", [&] { trainer.iterate(); });
  heed::Activations<float> a(agent.layout);
  const Tokens<float> x = random<float>(world.observation(), 3, 1);
  Tokens<float> weights(3, 1);
  a.begin(agent.net.time, {1}), a.begin(agent.net.input, {3});
  agent.net.forward(agent.p, x, a);
  check_quiet("weights", [&] { agent.net.body.weights(agent.p, a, 0, 0, weights); });
}
