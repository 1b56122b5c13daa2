#include "heed/environments/time_limit.hpp"

#include "heed/environments/brain_signal.hpp"
#include "heed/environments/memory_chain.hpp"
#include "heed/environments/mountain_car.hpp"
#include "heed/environments/pendulum.hpp"
#include "worlds.hpp"

using namespace support;
using heed::BrainSignal;
using heed::MemoryChain;
using heed::MountainCar;
using heed::Pendulum;
using heed::TimeLimit;

static_assert(heed::DiscreteEnvironment<TimeLimit<MountainCar>>);
static_assert(!heed::ContinuousEnvironment<TimeLimit<MountainCar>>);
static_assert(!heed::EntityEnvironment<TimeLimit<MountainCar>>);
static_assert(heed::ContinuousEnvironment<TimeLimit<Pendulum>> && !heed::DiscreteEnvironment<TimeLimit<Pendulum>>);
static_assert(heed::EntityEnvironment<TimeLimit<BrainSignal>>);
static_assert(heed::DiscreteEnvironment<TimeLimit<TimeLimit<MountainCar>>>);

TEST_CASE("TimeLimit: what it owes as an environment") {
  check_world("", TimeLimit(MountainCar(0), 5));
  check_world("", TimeLimit(Pendulum(0), 5));
  check_world("", TimeLimit(BrainSignal({.windows = 9}), 5));
}

TEST_CASE("TimeLimit: as an environment with a limit of its own") {
  const TimeLimit world(MountainCar(0), 7);
  const MountainCar own(7);
  Random random(1), same(1);
  auto state = world.reset(random);
  auto other = own.reset(same);
  for (int t = 1; t <= 7; ++t) {
    const Outcome outcome = world.step(state, 2), wanted = own.step(other, 2);
    CHECK(outcome.truncated == wanted.truncated);
    CHECK(outcome.truncated == (t == 7));
    CHECK_FALSE(outcome.terminated);
    CHECK(outcome.reward == wanted.reward);
    CHECK(seen(world, state) == seen(own, other));
  }
  CHECK_THROWS_WITH(world.step(state, 2),
                    ContainsSubstring("TimeLimit: the episode is over after 7 steps and must be reset"));
}

TEST_CASE("TimeLimit: terminated and truncated are kept apart") {
  const auto last_of = [](Index limit) {
    const TimeLimit world(MemoryChain(2), limit);  // terminates after 3 steps
    Random random(1);
    auto state = world.reset(random);
    Outcome outcome;
    while (!outcome.over()) outcome = world.step(state, 0);
    CHECK(state.steps == std::min(limit, Index(3)));
    return outcome;
  };
  CHECK((!last_of(2).terminated && last_of(2).truncated));
  CHECK((last_of(3).terminated && last_of(3).truncated));
  CHECK((last_of(4).terminated && !last_of(4).truncated));
}

TEST_CASE("TimeLimit: after the world's own end the world complains") {
  const TimeLimit world(MemoryChain(1), 10);
  Random random(1);
  auto state = world.reset(random);
  play(world, state, {0, 0});
  CHECK_THROWS_WITH(world.step(state, 0), ContainsSubstring("MemoryChain: the episode is over after 2 steps"));
  CHECK(state.steps == 2);
}

TEST_CASE("TimeLimit: says what the world says, and the shorter of two limits") {
  CHECK(TimeLimit(MountainCar(0), 7).time_limit() == 7);
  CHECK(TimeLimit(MountainCar(), 7).time_limit() == 7);
  CHECK(TimeLimit(MountainCar(), 700).time_limit() == 200);
  CHECK(TimeLimit(MountainCar(), 7).actions() == 3);
  CHECK(TimeLimit(MountainCar(), 7).observation() == 2);
  CHECK(TimeLimit(Pendulum(), 7).low() == Pendulum().low());
  CHECK(TimeLimit(Pendulum(), 7).high() == Pendulum().high());
  const TimeLimit signal(BrainSignal(), 7);
  Random random(1);
  CHECK(signal.entities(signal.reset(random)) == 64);
  CHECK_THROWS_WITH(TimeLimit(MountainCar(), 0), ContainsSubstring("TimeLimit: limit 0, but at least 1 is needed"));
}
