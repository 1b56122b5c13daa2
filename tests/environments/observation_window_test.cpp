#include "heed/environments/observation_window.hpp"

#include "heed/environments/brain_signal.hpp"
#include "heed/environments/cart_pole.hpp"
#include "heed/environments/pendulum.hpp"
#include "heed/environments/repeat_first.hpp"
#include "heed/environments/time_limit.hpp"
#include "heed/networks/mlp_policy.hpp"
#include "heed/rl/rollout.hpp"
#include "worlds.hpp"

using namespace support;
using heed::BrainSignal;
using heed::CartPole;
using heed::ObservationWindow;
using heed::Pendulum;

static_assert(heed::DiscreteEnvironment<ObservationWindow<CartPole>>);
static_assert(heed::ContinuousEnvironment<ObservationWindow<Pendulum>>);
static_assert(!heed::EntityEnvironment<ObservationWindow<CartPole>>);
static_assert(heed::DiscreteEnvironment<heed::TimeLimit<ObservationWindow<heed::TimeLimit<CartPole>>>>);
template <class World>
concept CanBeWrapped = requires {
  typename ObservationWindow<World>;
};
static_assert(CanBeWrapped<CartPole> && !CanBeWrapped<BrainSignal>);

namespace {

/// Random episodes beside a list of all that the world alone shows.
template <class World>
void check_window(const World& plain, Index n) {
  const ObservationWindow world(plain, n);
  const std::size_t rows = std::size_t(plain.observation());
  REQUIRE(world.observation() == n * plain.observation());
  CHECK(world.time_limit() == plain.time_limit());
  Random random(1), same(1), actions(2);
  for (int round = 0; round < 3; ++round) {
    auto state = world.reset(random);
    auto other = plain.reset(same);
    std::vector<double> all(std::size_t(n) * rows, 0.0);  // the zeros before the start, and what was seen
    const auto see = [&] {
      const std::vector<double> now = seen(plain, other);
      all.insert(all.end(), now.begin(), now.end());
      CHECK(seen(world, state) == std::vector<double>(all.end() - Index(std::size_t(n) * rows), all.end()));
    };
    see();
    for (Outcome outcome; !outcome.over();) {
      const auto action = any_action(plain, actions);
      outcome = world.step(state, action);
      const Outcome wanted = plain.step(other, action);
      CHECK(outcome.reward == wanted.reward);
      CHECK(outcome.terminated == wanted.terminated);
      CHECK(outcome.truncated == wanted.truncated);
      see();
    }
  }
}

}  // namespace

TEST_CASE("ObservationWindow: the last observations, the newest last") {
  for (const Index n : {1, 2, 3, 16}) {
    check_window(CartPole(), n);
    check_window(Pendulum(25), n);
  }
}

TEST_CASE("ObservationWindow: what it owes as an environment") {
  check_world("", ObservationWindow(CartPole(), 3));
  check_world("", ObservationWindow(heed::TimeLimit(Pendulum(), 9), 4), 3);
}

TEST_CASE("ObservationWindow: an action that is refused leaves the state as it was") {
  const ObservationWindow world(CartPole(), 3);
  Random random(1);
  auto state = world.reset(random);
  play(world, state, {0, 1, 1, 0});
  const std::vector<double> before = seen(world, state);
  CHECK_THROWS(world.step(state, 2));
  CHECK(seen(world, state) == before);
}

TEST_CASE("ObservationWindow: a window in a window, and a policy on it") {
  const ObservationWindow world(ObservationWindow(CartPole(), 2), 3);
  CHECK(world.observation() == 24);
  heed::Agent<heed::MlpPolicy<float>> agent({.observation = 24, .actions = 2}, 1);
  CHECK(heed::evaluate(agent, world, 3, 1).min >= 1);
}

TEST_CASE("ObservationWindow: errors") {
  CHECK_THROWS_WITH(ObservationWindow(CartPole(), 0), ContainsSubstring("ObservationWindow: n 0, but at least 1"));
  CHECK_THROWS_WITH(ObservationWindow(CartPole(), 17),
                    ContainsSubstring("the last 17 observations, but there is room for 16"));
  const ObservationWindow world(CartPole(), 2);
  Random random(1);
  const auto state = world.reset(random);
  Eigen::MatrixXd high(9, 1);
  CHECK_THROWS_WITH(world.observe(state, Write<double>(high)),
                    ContainsSubstring("ObservationWindow: x is 9 x 1, but 8 x 1 is needed"));
  CHECK(ObservationWindow<CartPole, 40>(CartPole(), 40).observation() == 160);
}
