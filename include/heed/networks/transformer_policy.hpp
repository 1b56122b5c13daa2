#pragma once
#include "heed/networks/policy_network.hpp"
#include "heed/networks/transformer_body.hpp"
#include "heed/networks/value_network.hpp"

namespace heed {

struct TransformerPolicyConfig {
  Index observation = 0, actions = 0;
  Index width = 32, heads = 4, layers = 1;
  Index inner = 0;         ///< width of the feed-forward part; 0: 4 width
  Index window = 0;        ///< how many steps back it sees, the newest included; 0: the whole episode
  bool sinusoidal = true;  ///< positions are added to the tokens
  Position position = {};  ///< of attention: none, rotary(), alibi() or relative()
  bool value = false;      ///< whether it learns a value, too
};
struct TransformerValueConfig {
  Index observation = 0;
  Index width = 32, heads = 4, layers = 1, inner = 0, window = 0;  ///< as above
  bool sinusoidal = true;
  Position position = {};
};

/// A causal transformer over the episode: see TransformerBody.
template <class S>
using TransformerPolicy = PolicyNetwork<TransformerBody<S>, TransformerPolicyConfig>;
template <class S>
using TransformerValue = ValueNetwork<TransformerBody<S>, TransformerValueConfig>;

}  // namespace heed
