#include "heed/environments/memory_chain.hpp"

#include <numeric>

#include "worlds.hpp"

using namespace support;
using heed::MemoryChain;

TEST_CASE("MemoryChain: every recorded step of bsuite's memory_len") {
  const auto all = episodes(recorded("memory_chain.csv"));
  for (const Rows& rows : all) {
    const MemoryChain world(Index(rows[0].at("length")));
    check_episode(world, MemoryChain::State{rows[0].at("o2") == 1 ? 1 : 0}, rows,
                  [](const Row& row) { return series(row, "o"); });
  }
  CHECK(all.size() == 18);
}

TEST_CASE("MemoryChain: the bit at the end is all that counts") {
  const MemoryChain world(2);
  for (Index bit : {0, 1})
    for (Index last : {0, 1}) {
      MemoryChain::State s{bit};
      const Played played = play(world, s, {1 - last, 1 - last, last});
      CHECK(played.reward == (bit == last ? 1 : -1));
      CHECK(played.last.terminated);
      CHECK_FALSE(played.last.truncated);
    }
}

TEST_CASE("MemoryChain: what it owes as an environment") {
  check_world("MemoryChain", MemoryChain(1));
  check_world("MemoryChain", MemoryChain(100));
  check_equally_likely([](Random& random) { return MemoryChain(3).reset(random).bit; }, 2);
}

TEST_CASE("MemoryChain: the lengths of memory_len") {
  const auto& lengths = MemoryChain::lengths;
  CHECK(lengths.size() == 23);
  CHECK(lengths[9] == 10);
  CHECK(lengths[14] == 25);
  CHECK(lengths[15] == 30);
  CHECK(lengths[22] == 100);
  CHECK(std::is_sorted(lengths.begin(), lengths.end()));
  CHECK(std::accumulate(lengths.begin(), lengths.end(), Index(0)) == 55 + 88 + 520);
}

TEST_CASE("MemoryChain: what it says of itself, and errors") {
  const MemoryChain world(10);
  CHECK(world.actions() == 2);
  CHECK(world.observation() == 3);
  CHECK(world.time_limit() == 11);
  CHECK_THROWS_WITH(MemoryChain(0), ContainsSubstring("MemoryChain: length 0, but at least 1 is needed"));
}
