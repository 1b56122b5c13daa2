#include "heed/environments/repeat_first.hpp"

#include "cards.hpp"

using namespace support;
using heed::RepeatFirst;

TEST_CASE("RepeatFirst: every recorded step of POPGym's") {
  Index count = 0;
  for (const Rows& rows : episodes(recorded("repeat_first.csv"))) {
    const RepeatFirst world({.decks = Index(rows[0].at("decks"))});
    check_episode(world, world.dealing(cards_of(rows)), rows, suit_of);
    ++count;
  }
  CHECK(count == 5);
}

TEST_CASE("RepeatFirst: what it owes as an environment") {
  check_world("RepeatFirst", RepeatFirst::easy());
  check_world("RepeatFirst", RepeatFirst::hard(), 3);
}

TEST_CASE("RepeatFirst: shuffles whole decks") {
  check_shuffled(RepeatFirst::easy(), 1);
  check_shuffled(RepeatFirst::medium(), 8);
  check_shuffled(RepeatFirst::hard(), 16);
}

TEST_CASE("RepeatFirst: what it says of itself") {
  const RepeatFirst world = RepeatFirst::easy();
  CHECK(world.actions() == 4);
  CHECK(world.observation() == 4);
  CHECK(world.time_limit() == 51);
  CHECK(RepeatFirst::medium().time_limit() == 415);
  CHECK(RepeatFirst::hard().time_limit() == 831);
}

TEST_CASE("RepeatFirst: the first suit all along returns 1, another -1") {
  const RepeatFirst world = RepeatFirst::medium();
  auto cards = cards_in_turn(8);
  std::swap(cards[0], cards[2]);
  for (Index suit = 0; suit < 4; ++suit) {
    RepeatFirst::State s = world.dealing(cards);
    const Played played = play(world, s, std::vector<Index>(415, suit));
    CHECK(played.reward == Approx(suit == 2 ? 1 : -1));
    CHECK(played.last.terminated);
    CHECK_FALSE(played.last.truncated);
  }
}

TEST_CASE("RepeatFirst: errors") {
  CHECK_THROWS_WITH(RepeatFirst({.decks = 0}), ContainsSubstring("RepeatFirst: 0 decks, but 1 to 16 are possible"));
  check_dealing_errors("RepeatFirst", RepeatFirst::easy());
}
