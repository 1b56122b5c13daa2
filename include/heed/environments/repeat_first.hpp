#pragma once
#include "heed/detail/cards.hpp"

namespace heed {

/// Naming the suit of the first card, all along: exactly POPGym's RepeatFirst (Morad et al. 2023), whose easy, medium
/// and hard have 1, 8 and 16 decks.
///
///   reward = +-1 / (52 decks - 1)    in sum: -1 to 1
///
/// The decks, 13 cards of each of 4 suits in each, are shuffled as one and dealt a card a step, the first at the start.
/// What is seen is the newest card's suit, as a one-hot vector of 4: the n of POPGym's Discrete(4) is the n-th unit
/// vector. An action is the number of a suit, 0 to 3; the first is chosen while the first card is seen. An episode
/// terminates with the step that deals the last card, after 52 decks - 1 steps.
class RepeatFirst : public detail::Cards {
 public:
  struct Config {
    Index decks = 1;  ///< of 52 cards
  };

  /// Throws where decks < 1.
  explicit RepeatFirst(Config c) : detail::Cards("RepeatFirst", c.decks) {}
  /// As POPGym has it.
  static RepeatFirst easy() { return RepeatFirst({.decks = 1}); }
  /// As POPGym has it.
  static RepeatFirst medium() { return RepeatFirst({.decks = 8}); }
  /// As POPGym has it.
  static RepeatFirst hard() { return RepeatFirst({.decks = 16}); }

  Outcome step(State& s, Action action) const { return answer(s, action, 0, 1.0 / double(count() - 1)); }
};
static_assert(DiscreteEnvironment<RepeatFirst>);

}  // namespace heed
