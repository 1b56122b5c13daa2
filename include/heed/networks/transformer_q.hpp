#pragma once
#include "heed/networks/q_network.hpp"
#include "heed/networks/transformer_body.hpp"

namespace heed {

/// Of TransformerQ.
struct TransformerQConfig {
  Index observation = 0, actions = 0;       ///< rows of what is seen, and how many actions there are
  Index width = 32, heads = 4, layers = 1;  ///< of a token, of the attention, and how many blocks
  Index inner = 0;                          ///< width of the feed-forward part; 0: 4 width
  Index window = 0;                         ///< how many steps back it sees, the newest included; 0: the whole episode
  bool sinusoidal = true;                   ///< positions are added to the tokens
  Position position = {};                   ///< of attention: none, rotary(), alibi() or relative()
  bool dueling = false;                     ///< see QNetwork
};

/// Values of actions by a causal transformer over the episode: see TransformerBody.
template <class S>
using TransformerQ = QNetwork<TransformerBody<S>, TransformerQConfig>;

}  // namespace heed
