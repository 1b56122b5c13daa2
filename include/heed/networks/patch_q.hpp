#pragma once
#include "heed/networks/patch_body.hpp"
#include "heed/networks/q_network.hpp"

namespace heed {

/// Of PatchQ.
struct PatchQConfig {
  Index actions = 0;            ///< how many there are
  Index channels = 1;           ///< of the image
  Grid image = {}, patch = {};  ///< sizes in pixels; patches divide the image
  Index width = 32, heads = 4;  ///< of a token, and of the attention
  Index layers = 1;             ///< blocks of attention among the patches
  Index inner = 0;              ///< width of the feed-forward parts; 0: 4 width
  bool dueling = false;         ///< see QNetwork
};

/// Values of actions by attention among the patches of an image: see PatchBody.
template <class S>
using PatchQ = QNetwork<PatchBody<S>, PatchQConfig>;

}  // namespace heed
