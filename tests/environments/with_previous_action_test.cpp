#include "heed/environments/with_previous_action.hpp"

#include "heed/environments/brain_signal.hpp"
#include "heed/environments/cart_pole.hpp"
#include "heed/environments/memory_chain.hpp"
#include "heed/environments/observation_window.hpp"
#include "heed/environments/pendulum.hpp"
#include "worlds.hpp"

using namespace support;
using heed::BrainSignal;
using heed::CartPole;
using heed::Pendulum;
using heed::WithPreviousAction;

static_assert(heed::DiscreteEnvironment<WithPreviousAction<CartPole>>);
static_assert(heed::ContinuousEnvironment<WithPreviousAction<Pendulum>>);
static_assert(heed::DiscreteEnvironment<heed::ObservationWindow<WithPreviousAction<CartPole>>>);
template <class World>
concept CanBeWrapped = requires {
  typename WithPreviousAction<World>;
};
static_assert(CanBeWrapped<CartPole> && !CanBeWrapped<BrainSignal>);

namespace {

/// Random episodes beside the world alone: rows_of(action) are to stand below the observation, and then the reward.
template <class World, class Rows>
void check_previous(const World& plain, Index rows, Rows rows_of) {
  const WithPreviousAction world(plain);
  REQUIRE(world.observation() == plain.observation() + rows + 1);
  CHECK(world.time_limit() == plain.time_limit());
  Random random(1), same(1), actions(2);
  for (int round = 0; round < 3; ++round) {
    auto state = world.reset(random);
    auto other = plain.reset(same);
    std::vector<double> last(std::size_t(rows + 1), 0.0);
    const auto see = [&] {
      std::vector<double> wanted = seen(plain, other);
      wanted.insert(wanted.end(), last.begin(), last.end());
      CHECK(seen(world, state) == wanted);
    };
    see();
    for (Outcome outcome; !outcome.over();) {
      const auto action = any_action(plain, actions);
      outcome = world.step(state, action);
      const Outcome wanted = plain.step(other, action);
      CHECK(outcome.reward == wanted.reward);
      CHECK(outcome.over() == wanted.over());
      last = rows_of(action);
      last.push_back(double(float(wanted.reward)));
      see();
    }
  }
}

}  // namespace

TEST_CASE("WithPreviousAction: the action and the reward of the step before") {
  check_previous(CartPole(), 2, [](Index action) {
    return std::vector<double>{double(action == 0), double(action == 1)};
  });
  check_previous(Pendulum(20), 1,
                 [](const Pendulum::Action& action) { return std::vector<double>{double(float(action[0]))}; });
  check_previous(heed::ObservationWindow(heed::MemoryChain(4), 2), 2, [](Index action) {
    return std::vector<double>{double(action == 0), double(action == 1)};
  });
}

TEST_CASE("WithPreviousAction: what it owes as an environment") {
  check_world("", WithPreviousAction(CartPole()));
  check_world("", WithPreviousAction(Pendulum(9)), 3);
}

TEST_CASE("WithPreviousAction: says what the world says") {
  const WithPreviousAction world(Pendulum(9));
  CHECK(world.low() == Pendulum().low());
  CHECK(world.high() == Pendulum().high());
  CHECK(WithPreviousAction(CartPole()).actions() == 2);
  CHECK(heed::ObservationWindow(world, 3).observation() == 15);
  const WithPreviousAction<WithPreviousAction<CartPole>> twice{WithPreviousAction(CartPole())};
  CHECK(twice.observation() == 10);
}
