#include "heed/environments/repeat_previous.hpp"

#include "cards.hpp"

using namespace support;
using heed::RepeatPrevious;

TEST_CASE("RepeatPrevious: every recorded step of POPGym's") {
  Index count = 0, best = 0;
  for (const Rows& rows : episodes(recorded("repeat_previous.csv"))) {
    const RepeatPrevious world({.decks = Index(rows[0].at("decks")), .k = Index(rows[0].at("k"))});
    check_episode(world, world.dealing(cards_of(rows)), rows, suit_of);
    double total = 0;
    for (std::size_t t = 0; t + 1 < rows.size(); ++t) total += rows[t].at("reward");
    best += std::abs(total - 1) < 1e-12;
    ++count;
  }
  CHECK(count == 9);
  CHECK(best == 3);  // of each difficulty one was played without a mistake
}

TEST_CASE("RepeatPrevious: what it owes as an environment") {
  check_world("RepeatPrevious", RepeatPrevious::easy());
  check_world("RepeatPrevious", RepeatPrevious::hard(), 3);
}

TEST_CASE("RepeatPrevious: shuffles whole decks") {
  check_shuffled(RepeatPrevious::easy(), 1);
  check_shuffled(RepeatPrevious::medium(), 2);
  check_shuffled(RepeatPrevious::hard(), 3);
}

TEST_CASE("RepeatPrevious: what it says of itself") {
  const RepeatPrevious world = RepeatPrevious::medium();
  CHECK(world.actions() == 4);
  CHECK(world.observation() == 4);
  CHECK(RepeatPrevious::easy().time_limit() == 51);
  CHECK(world.time_limit() == 103);
  CHECK(RepeatPrevious::hard().time_limit() == 155);
}

TEST_CASE("RepeatPrevious: with k = 1 the newest card, and the longest k is asked once") {
  const auto cards = cards_in_turn(1);
  const RepeatPrevious newest({.decks = 1, .k = 1}), first({.decks = 1, .k = 51});
  RepeatPrevious::State s = newest.dealing(cards), t = first.dealing(cards);
  for (Index i = 0; i < 51; ++i) {
    CHECK(newest.step(s, cards[std::size_t(i)]).reward == 1.0 / 51);
    CHECK(first.step(t, 0).reward == (i == 50 ? 1 : 0));
  }
}

TEST_CASE("RepeatPrevious: errors") {
  CHECK_THROWS_WITH(RepeatPrevious({.decks = 0, .k = 4}), ContainsSubstring("RepeatPrevious: 0 decks, but 1 to 16"));
  CHECK_THROWS_WITH(RepeatPrevious({.decks = 17, .k = 4}), ContainsSubstring("17 decks"));
  CHECK_THROWS_WITH(RepeatPrevious({.decks = 1, .k = 0}), ContainsSubstring("k is 0, but 1 to 51 are possible"));
  CHECK_THROWS_WITH(RepeatPrevious({.decks = 1, .k = 52}), ContainsSubstring("k is 52"));
  check_dealing_errors("RepeatPrevious", RepeatPrevious::easy());
}
