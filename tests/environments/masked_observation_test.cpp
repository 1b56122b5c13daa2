#include "heed/environments/masked_observation.hpp"

#include "heed/environments/key_door.hpp"
#include "heed/environments/pendulum.hpp"
#include "heed/environments/velocity_free_cart_pole.hpp"
#include "worlds.hpp"

using namespace support;
using heed::CartPole;
using heed::KeyDoor;
using heed::MaskedObservation;
using heed::Pendulum;

static_assert(heed::DiscreteEnvironment<MaskedObservation<CartPole>>);
static_assert(!heed::ContinuousEnvironment<MaskedObservation<CartPole>>);
static_assert(!heed::EntityEnvironment<MaskedObservation<CartPole>>);
static_assert(heed::ContinuousEnvironment<MaskedObservation<Pendulum>>);
static_assert(heed::EntityEnvironment<MaskedObservation<KeyDoor>>);

TEST_CASE("MaskedObservation: a velocity-free cart-pole, every recorded step of CartPole-v1") {
  const auto world = heed::velocity_free_cart_pole();
  Rows rows = recorded("cart_pole.csv");
  for (Row& row : rows) row["o1"] = row["o3"] = 0;
  const Replay found = replay(
      world, rows, 0,
      [](const auto& n, Index t) {
        return CartPole::State{n[0], n[1], n[2], n[3], t};
      },
      [](const auto& s) {
        return std::vector<double>{s.position, s.speed, s.angle, s.angular_speed};
      });
  CHECK(found.step <= 1e-12);
  CHECK(found.reward == 0);
  CHECK(found.wrong == 0);
  CHECK(world.time_limit() == 500);
  CHECK(heed::velocity_free_cart_pole(200).time_limit() == 200);
  check_world("CartPole", world);
}

TEST_CASE("MaskedObservation: multiplies the features of every column") {
  const KeyDoor plain;
  const MaskedObservation world(plain, {2, 1, 0, -0.5, 1});
  Random random(1);
  const KeyDoor::State s = world.reset(random);
  CHECK(world.entities(s) == 36);
  Eigen::MatrixXd x(5, 36), wanted(5, 36);
  world.observe(s, Write<double>(x));
  plain.observe(s, Write<double>(wanted));
  for (Index i = 0; i < 36; ++i)
    CHECK(x.col(i) == wanted.col(i).cwiseProduct(Eigen::Matrix<double, 5, 1>(2, 1, 0, -0.5, 1)));
  CHECK(x(0, s.agent) == 2);
  CHECK(x(2, s.key) == 0);
  CHECK(x(3, s.door) == -0.5);
}

TEST_CASE("MaskedObservation: what it owes as an environment") {
  check_world("Pendulum", MaskedObservation(Pendulum(), {1, 1, 0}));
  check_world("KeyDoor", MaskedObservation(KeyDoor({.grid = {6}, .limit = 20}), {1, 1, 1, 1, 0}));
}

TEST_CASE("MaskedObservation: says what the world says") {
  const MaskedObservation world(Pendulum(9), {1, 1, 0});
  CHECK(world.low() == Pendulum().low());
  CHECK(world.high() == Pendulum().high());
  CHECK(world.observation() == 3);
  CHECK(world.time_limit() == 9);
  CHECK_THROWS_WITH(MaskedObservation(Pendulum(), {1, 0}),
                    ContainsSubstring("MaskedObservation: a mask of 2 numbers, but the world shows 3"));
}
