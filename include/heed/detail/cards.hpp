#pragma once
#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include "heed/detail/episode.hpp"
#include "heed/rl/environment.hpp"

namespace heed::detail {

/// What RepeatPrevious and RepeatFirst share: cards of shuffled decks, dealt one a step, of which the suit is seen, and
/// actions that name the suit of an earlier one.
class Cards {
 public:
  static constexpr Index suits = 4, deck = 52, most_decks = 16, most_cards = deck * most_decks;
  struct State {
    std::array<std::uint8_t, std::size_t(most_cards)> cards;  // their suits, in the order dealt
    Index steps = 0;                                          // taken so far: the newest card is cards[steps]
  };
  using Action = Index;

  Index actions() const { return suits; }
  Index observation() const { return suits; }
  /// As many steps as cards follow the first.
  Index time_limit() const { return count_ - 1; }

  State reset(Random& random) const {
    State s{};
    for (Index i = 0; i < count_; ++i) card(s, i) = std::uint8_t(i % suits);
    for (Index i = count_ - 1; i > 0; --i) std::swap(card(s, i), card(s, random.below(i + 1)));
    return s;
  }
  /// The first state of an episode in which cards of these suits are dealt, in this order.
  State dealing(const std::vector<Index>& cards) const {
    if (Index(cards.size()) != count_)
      fail("%s: %ld cards, but %ld are needed", who_, long(cards.size()), long(count_));
    State s{};
    for (Index i = 0; i < count_; ++i) {
      const Index suit = cards[std::size_t(i)];
      if (suit < 0 || suit >= suits) fail("%s: card %ld is of suit %ld, not 0 to 3", who_, long(i), long(suit));
      card(s, i) = std::uint8_t(suit);
    }
    return s;
  }

  template <class S>
  void observe(const State& s, Write<S> x) const {
    expect_shape(who_, "x", x, suits, 1);
    x.setZero();
    x(s.cards[std::size_t(s.steps)], 0) = 1;
  }

 protected:
  Cards(const char* who, Index decks) : who_(who), count_(decks * deck) {
    if (decks < 1 || decks > most_decks)
      fail("%s: %ld decks, but 1 to %ld are possible", who, long(decks), long(most_decks));
  }

  Index count() const { return count_; }
  /// Deals the next card. The reward is worth for the suit of the card `asked`, -worth for another, and 0 where that is
  /// negative: nothing is asked yet.
  Outcome answer(State& s, Action action, Index asked, double worth) const {
    expect_action(who_, action, suits);
    expect_going(who_, s.steps >= time_limit(), s.steps);
    const double reward = asked < 0 ? 0 : card(s, asked) == action ? worth : -worth;
    ++s.steps;
    return {.reward = reward, .terminated = s.steps == time_limit()};
  }

 private:
  static std::uint8_t& card(State& s, Index i) { return s.cards[std::size_t(i)]; }

  const char* who_;
  Index count_;
};

}  // namespace heed::detail
