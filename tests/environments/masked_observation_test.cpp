#include "heed/environments/masked_observation.hpp"

#include "heed/environments/brain_signal.hpp"
#include "heed/environments/pendulum.hpp"
#include "heed/environments/velocity_free_cart_pole.hpp"
#include "worlds.hpp"

using namespace support;
using heed::BrainSignal;
using heed::CartPole;
using heed::MaskedObservation;
using heed::Pendulum;

static_assert(heed::DiscreteEnvironment<MaskedObservation<CartPole>>);
static_assert(!heed::ContinuousEnvironment<MaskedObservation<CartPole>>);
static_assert(!heed::EntityEnvironment<MaskedObservation<CartPole>>);
static_assert(heed::ContinuousEnvironment<MaskedObservation<Pendulum>>);
static_assert(heed::EntityEnvironment<MaskedObservation<BrainSignal>>);

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
  const BrainSignal plain;
  std::vector<double> mask(48, 1);  // 32 samples, 8 channels, 8 segments
  mask[0] = 2, mask[32] = -0.5, mask[47] = 0;
  const MaskedObservation world(plain, mask);
  Random random(1);
  const BrainSignal::State s = world.reset(random);
  CHECK(world.entities(s) == 64);
  Eigen::MatrixXd x(48, 64), wanted(48, 64);
  world.observe(s, Write<double>(x));
  plain.observe(s, Write<double>(wanted));
  for (Index i = 0; i < 64; ++i)
    CHECK(x.col(i) == wanted.col(i).cwiseProduct(Eigen::Map<const Eigen::VectorXd>(mask.data(), 48)));
  CHECK(x(32, 3) == -0.5);
  CHECK(x(32, 8) == 0);
  CHECK(wanted(47, 7) == 1);
  CHECK(x(47, 7) == 0);
}

TEST_CASE("MaskedObservation: what it owes as an environment") {
  check_world("Pendulum", MaskedObservation(Pendulum(), {1, 1, 0}));
  check_world("BrainSignal", MaskedObservation(BrainSignal({.windows = 5}), std::vector<double>(48, 0.5)));
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
