#include "heed/environments/proof_of_memory.hpp"

#include "worlds.hpp"

using namespace support;
using heed::ProofOfMemory;
using State = ProofOfMemory::State;

TEST_CASE("ProofOfMemory: every recorded step of CleanRL's ProofofMemory-v0") {
  const auto all = episodes(recorded("proof_of_memory.csv"));
  for (const Rows& rows : all) {
    const std::vector<double> start = series(rows[0], "o");
    check_episode(ProofOfMemory(), State{Index(std::lround(5 * start[1])), Index(start[2])}, rows,
                  [](const Row& row) { return series(row, "o"); });
  }
  CHECK(all.size() == 3);
}

TEST_CASE("ProofOfMemory: what it owes as an environment") { check_world("ProofOfMemory", ProofOfMemory(), 100); }

TEST_CASE("ProofOfMemory: starts at one of five places with the good end on either side") {
  const ProofOfMemory world;
  check_equally_likely(
      [&](Random& random) {
        const State s = world.reset(random);
        CHECK(s.steps == 0);
        return 2 * (s.position + 2) + (s.good + 1) / 2;
      },
      10);
}

TEST_CASE("ProofOfMemory: what it says of itself") {
  const ProofOfMemory world;
  CHECK(world.actions() == 2);
  CHECK(world.observation() == 3);
  CHECK(world.time_limit() == 16);
}

TEST_CASE("ProofOfMemory: straight to the good end, and to the bad") {
  const ProofOfMemory world;
  double best = 0;
  for (Index start = -2; start <= 2; ++start)
    for (Index good : {-1, 1})
      for (Index side : {-1, 1}) {
        State s{start, good};
        const std::size_t moves = std::size_t(5 - side * start);
        const Played played = play(world, s, std::vector<Index>(2 + moves, side == 1 ? 1 : 0));
        CHECK(played.last.terminated);
        CHECK_FALSE(played.last.truncated);
        CHECK(played.last.reward == (side == good ? 1.6 : -1.6));
        CHECK(played.reward == Approx((side == good ? 1.6 : -1.6) - 0.1 * double(moves - 1)));
        if (side == good) best += played.reward / 10;
      }
  CHECK(best == Approx(1.2));
}

TEST_CASE("ProofOfMemory: the goals are seen three times, and frozen steps bring nothing") {
  const ProofOfMemory world;
  State s{1, -1};
  const std::vector<double> shown{1, 0.2f, -1};
  CHECK(seen(world, s) == shown);
  CHECK(world.step(s, 1).reward == 0);
  CHECK(seen(world, s) == shown);
  CHECK(world.step(s, 0).reward == 0);
  CHECK(seen(world, s) == shown);
  CHECK(world.step(s, 0).reward == -0.1);
  CHECK(seen(world, s) == std::vector<double>{0, 0, 0});
}

TEST_CASE("ProofOfMemory: an end reached on the last step is both") {
  const ProofOfMemory world;
  State s{4, 1, 15}, t{-4, 1, 15};
  const Outcome good = world.step(s, 1), bad = world.step(t, 0);
  CHECK((good.terminated && good.truncated && good.reward == 1.6));
  CHECK((bad.terminated && bad.truncated && bad.reward == -1.6));
}
