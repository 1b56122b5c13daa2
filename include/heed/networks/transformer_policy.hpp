#pragma once
#include "heed/networks/policy_network.hpp"
#include "heed/networks/transformer_body.hpp"
#include "heed/networks/value_network.hpp"

namespace heed {

/// Of TransformerPolicy.
struct TransformerPolicyConfig {
  Index observation = 0, actions = 0;       ///< rows of what is seen, and how many actions there are
  Index width = 32, heads = 4, layers = 1;  ///< of a token, of the attention, and how many blocks
  Index inner = 0;                          ///< width of the feed-forward part; 0: 4 width
  Index window = 0;                         ///< how many steps back it sees, the newest included; 0: the whole episode
  bool sinusoidal = true;                   ///< positions are added to the tokens
  Position position = {};                   ///< of attention: none, rotary(), alibi() or relative()
  bool value = false;                       ///< whether it learns a value, too
};
/// Of TransformerValue.
struct TransformerValueConfig {
  Index observation = 0;                                           ///< rows of what is seen
  Index width = 32, heads = 4, layers = 1, inner = 0, window = 0;  ///< as above
  bool sinusoidal = true;                                          ///< whether sinusoidal positions are added
  Position position = {};                                          ///< of the attention: rotary(), alibi(), relative()
};

/// A causal transformer over the episode: see TransformerBody.
template <class S>
using TransformerPolicy = PolicyNetwork<TransformerBody<S>, TransformerPolicyConfig>;
/// Of at most so many layers, without the heap.
template <class S, int Most>
using StaticTransformerPolicy = PolicyNetwork<TransformerBody<S, Most>, TransformerPolicyConfig>;
template <class S>
using TransformerValue = ValueNetwork<TransformerBody<S>, TransformerValueConfig>;

}  // namespace heed
