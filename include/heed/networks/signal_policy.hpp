#pragma once
#include "heed/networks/policy_network.hpp"
#include "heed/networks/signal_body.hpp"

namespace heed {

/// Of SignalPolicy.
struct SignalPolicyConfig {
  Index observation = 0;   ///< rows of a token's column
  Index actions = 0;       ///< how many there are
  Index samples = 0;       ///< how many of these rows, the first, are samples of a signal, one after the other
  double whitening = 0.5;  ///< order of the differences taken of the samples; 1/2 for noise like 1/f, 0: as they are
  Index width = 32, inner = 48;  ///< of a token, and of the layer before it
  Index heads = 1;               ///< how many; each looks by itself
  double sharpness = 16;         ///< of the attention
  bool value = false;            ///< whether it learns a value, too
};

/// Attention over the tokens of a signal of many channels, logits: see SignalBody.
template <class S>
using SignalPolicy = PolicyNetwork<SignalBody<S>, SignalPolicyConfig>;

}  // namespace heed
