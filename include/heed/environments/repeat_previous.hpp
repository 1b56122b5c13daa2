#pragma once
#include "heed/detail/cards.hpp"

namespace heed {

/// Naming the suit of the card seen k - 1 cards before the newest, all along: exactly POPGym's RepeatPrevious (Morad et
/// al. 2023), whose easy, medium and hard have 1, 2 and 3 decks with a k of 4, 32 and 64.
///
///   reward = +-1 / (52 decks - k), from the action on for which k cards have been seen; 0 before    in sum: -1 to 1
///
/// The decks, 13 cards of each of 4 suits in each, are shuffled as one and dealt a card a step, the first at the start.
/// What is seen is the newest card's suit, as a one-hot vector of 4: the n of POPGym's Discrete(4) is the n-th unit
/// vector. An action is the number of a suit, 0 to 3. An episode terminates with the step that deals the last card,
/// after 52 decks - 1 steps (some versions of POPGym call that truncated).
class RepeatPrevious : public detail::Cards {
 public:
  struct Config {
    Index decks = 1, k = 4;  ///< of 52 cards, and how many cards ago
  };

  /// Throws where k does not fit the decks.
  explicit RepeatPrevious(Config c) : detail::Cards("RepeatPrevious", c.decks), k_(c.k) {
    if (c.k < 1 || c.k >= count())
      detail::fail("RepeatPrevious: k is %ld, but 1 to %ld are possible", long(c.k), long(count() - 1));
  }
  /// As POPGym has it.
  static RepeatPrevious easy() { return RepeatPrevious({.decks = 1, .k = 4}); }
  /// As POPGym has it.
  static RepeatPrevious medium() { return RepeatPrevious({.decks = 2, .k = 32}); }
  /// As POPGym has it.
  static RepeatPrevious hard() { return RepeatPrevious({.decks = 3, .k = 64}); }

  Outcome step(State& s, Action action) const {
    return answer(s, action, s.steps + 1 - k_, 1.0 / double(count() - k_));
  }

 private:
  Index k_;
};
static_assert(DiscreteEnvironment<RepeatPrevious>);

}  // namespace heed
