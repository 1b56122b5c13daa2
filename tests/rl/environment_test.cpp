#include "heed/rl/environment.hpp"

#include <array>

#include "catch.hpp"

using heed::Index;
using heed::Outcome;
using heed::Random;
using heed::Write;

namespace {

/// Push a point on the plane; what is seen are the dots nearby, of which there may be none. Randomness lives in the state.
struct Dots {
  struct State {
    std::array<double, 2> position;
    Index dots;
    Random random;
  };
  using Action = Eigen::Vector2d;

  Action low() const { return {-1, -2}; }
  Action high() const { return {1, 2}; }
  Index observation() const { return 2; }
  Index time_limit() const { return 0; }
  Index entities(const State& s) const { return s.dots; }
  State reset(Random& random) const { return {{0, 0}, 0, Random(random.bits())}; }
  Outcome step(State& s, const Action& action) const {
    s.position = {s.position[0] + action[0], s.position[1] + action[1]};
    s.dots = s.random.below(4);
    return {.reward = -s.position[0], .truncated = s.dots == 3};
  }
  template <class S>
  void observe(const State& s, Write<S> x) const {
    x.setConstant(S(s.position[0]));
  }
};

/// Guess the coin.
struct Coin {
  struct State {
    bool heads;
  };
  using Action = Index;
  Index actions() const { return 2; }
  Index observation() const { return 1; }
  Index time_limit() const { return 1; }
  State reset(Random& random) const { return {random.below(2) == 1}; }
  Outcome step(State& s, Action action) const { return {.reward = double(action == s.heads), .terminated = true}; }
  template <class S>
  void observe(const State&, Write<S> x) const {
    x.setZero();
  }
};

struct FloatOnly : Coin {
  void observe(const State&, Write<float>) const {}
};
struct NotPlain : Coin {
  struct State {
    std::vector<int> history;
  };
  State reset(Random&) const { return {}; }
  Outcome step(State&, Action) const { return {}; }
  template <class S>
  void observe(const State&, Write<S>) const {}
};
struct ChangesItself : Coin {
  Outcome step(State&, Action) { return {}; }
};

static_assert(heed::DiscreteEnvironment<Coin> && !heed::ContinuousEnvironment<Coin> && !heed::EntityEnvironment<Coin>);
static_assert(heed::ContinuousEnvironment<Dots> && !heed::DiscreteEnvironment<Dots> && heed::EntityEnvironment<Dots>);
static_assert(!heed::Environment<FloatOnly>);
static_assert(!heed::Environment<NotPlain>);
static_assert(!heed::Environment<ChangesItself>);

}  // namespace

TEST_CASE("Environment: a column, or one for each entity") {
  Random random(1);
  const Dots dots;
  Dots::State s = dots.reset(random);
  CHECK(heed::columns_of(dots, s) == 0);
  s.dots = 3;
  CHECK(heed::columns_of(dots, s) == 3);
  const Coin coin;
  CHECK(heed::columns_of(coin, coin.reset(random)) == 1);
}

TEST_CASE("Environment: a state that was kept goes on as the first time") {
  Random random(2);
  const Dots dots;
  Dots::State s = dots.reset(random), kept = s;
  for (int i = 0; i < 20; ++i) {
    const Outcome once = dots.step(s, {0.5, -1}), again = dots.step(kept, {0.5, -1});
    CHECK(once.reward == again.reward);
    CHECK(once.truncated == again.truncated);
    CHECK(s.dots == kept.dots);
  }
}

TEST_CASE("Outcome: an episode is over when it is terminated or truncated") {
  CHECK_FALSE(Outcome{}.over());
  CHECK(Outcome{.terminated = true}.over());
  CHECK(Outcome{.truncated = true}.over());
}
