#pragma once
#include "worlds.hpp"

namespace support {

/// The suits that were seen in a recorded episode: all that were dealt.
inline std::vector<Index> cards_of(const Rows& rows) {
  std::vector<Index> cards;
  for (const Row& row : rows) cards.push_back(Index(row.at("o0")));
  return cards;
}
/// What is seen of a recorded suit.
inline std::vector<double> suit_of(const Row& row) {
  std::vector<double> x(4, 0);
  x[std::size_t(row.at("o0"))] = 1;
  return x;
}
/// Suits 0, 1, 2, 3, 0, ...
inline std::vector<Index> cards_in_turn(Index decks) {
  std::vector<Index> cards;
  for (Index i = 0; i < 52 * decks; ++i) cards.push_back(i % 4);
  return cards;
}

/// Each suit is dealt 13 times a deck, and each is as likely first, last and right after one of its own as the others.
template <class World>
void check_shuffled(const World& world, Index decks) {
  Random random(4);
  for (int i = 0; i < 20; ++i) {
    auto s = world.reset(random);
    std::vector<double> times = seen(world, s);
    for (Index t = 0; t < 52 * decks - 1; ++t) {
      world.step(s, 0);
      const std::vector<double> now = seen(world, s);
      for (std::size_t suit = 0; suit < 4; ++suit) times[suit] += now[suit];
    }
    CHECK(times == std::vector<double>(4, 13.0 * double(decks)));
  }
  check_equally_likely([&](Random& r) { return Index(world.reset(r).cards[0]); }, 4);
  check_equally_likely([&](Random& r) { return Index(world.reset(r).cards[std::size_t(52 * decks - 1)]); }, 4);
  int same = 0;
  const int draws = 6000;
  for (int i = 0; i < draws; ++i) {
    const auto s = world.reset(random);
    same += s.cards[20] == s.cards[21];
  }
  const double p = double(13 * decks - 1) / double(52 * decks - 1);
  CHECK(std::abs(same - draws * p) < 5 * std::sqrt(draws * p * (1 - p)));
}

template <class World>
void check_dealing_errors(const std::string& name, const World& world) {
  auto cards = cards_in_turn(1);
  cards.pop_back();
  CHECK_THROWS_WITH(world.dealing(cards), ContainsSubstring(name + ": 51 cards, but 52 are needed"));
  cards.push_back(4);
  CHECK_THROWS_WITH(world.dealing(cards), ContainsSubstring(name + ": card 51 is of suit 4, not 0 to 3"));
  cards.back() = -1;
  CHECK_THROWS_WITH(world.dealing(cards), ContainsSubstring("card 51 is of suit -1"));
}

}  // namespace support
