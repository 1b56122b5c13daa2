#pragma once
#include "heed/networks/attention_body.hpp"
#include "heed/networks/q_network.hpp"

namespace heed {

/// Of AttentionQ.
struct AttentionQConfig {
  Index observation = 0, actions = 0;  ///< rows of what is seen, and how many actions there are
  Index window = 8;                    ///< how many observations it looks at, the newest included
  Index width = 32;                    ///< of a token, and of the alignment model
  Index hidden = 128;                  ///< of the layer behind the attention
  bool dueling = false;                ///< see QNetwork
};

/// Values of actions by additive attention over the last observations: see AttentionBody.
template <class S>
using AttentionQ = QNetwork<AttentionBody<S>, AttentionQConfig>;

}  // namespace heed
