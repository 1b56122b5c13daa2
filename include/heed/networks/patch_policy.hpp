#pragma once
#include "heed/networks/patch_body.hpp"
#include "heed/networks/policy_network.hpp"
#include "heed/networks/value_network.hpp"

namespace heed {

/// Of PatchPolicy.
struct PatchPolicyConfig {
  Index actions = 0;            ///< how many there are
  Index channels = 1;           ///< of the image
  Grid image = {}, patch = {};  ///< sizes in pixels; patches divide the image
  Index width = 32, heads = 4;  ///< of a token, and of the attention
  Index layers = 1;             ///< blocks of attention among the patches
  Index inner = 0;              ///< width of the feed-forward parts; 0: 4 width
  bool value = false;           ///< whether it learns a value, too
};
/// Of PatchValue.
struct PatchValueConfig {
  Index channels = 1;                                  ///< of the image
  Grid image = {}, patch = {};                         ///< rows and columns of the image and of a patch
  Index width = 32, heads = 4, layers = 1, inner = 0;  ///< as above
};

/// Attention among the patches of an image, logits: see PatchBody.
template <class S>
using PatchPolicy = PolicyNetwork<PatchBody<S>, PatchPolicyConfig>;
template <class S>
using PatchValue = ValueNetwork<PatchBody<S>, PatchValueConfig>;

}  // namespace heed
