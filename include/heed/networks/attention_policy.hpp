#pragma once
#include "heed/networks/attention_body.hpp"
#include "heed/networks/policy_network.hpp"
#include "heed/networks/value_network.hpp"

namespace heed {

/// Of AttentionPolicy.
struct AttentionPolicyConfig {
  Index observation = 0, actions = 0;  ///< rows of what is seen, and how many actions there are
  Index window = 8;                    ///< how many observations it looks at, the newest included
  Index width = 32;                    ///< of a token, and of the alignment model
  Index hidden = 128;                  ///< of the layer behind the attention
  bool value = false;                  ///< whether it learns a value, too
};
/// Of AttentionValue.
struct AttentionValueConfig {
  Index observation = 0;                       ///< rows of what is seen
  Index window = 8, width = 32, hidden = 128;  ///< as above
};

/// Additive attention over the last observations, a hidden layer, logits: see AttentionBody.
template <class S>
using AttentionPolicy = PolicyNetwork<AttentionBody<S>, AttentionPolicyConfig>;
template <class S>
using AttentionValue = ValueNetwork<AttentionBody<S>, AttentionValueConfig>;

}  // namespace heed
