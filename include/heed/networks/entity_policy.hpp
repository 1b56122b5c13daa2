#pragma once
#include "heed/networks/entity_body.hpp"
#include "heed/networks/policy_network.hpp"
#include "heed/networks/value_network.hpp"

namespace heed {

/// Of EntityPolicy.
struct EntityPolicyConfig {
  Index observation = 0;  ///< rows of an entity's column
  Index actions = 0;      ///< how many there are
  Index types = 0;  ///< of entities: the first row of a column is its type, 0 to types - 1; 0: there is no such row
  Index width = 32, heads = 4;  ///< of a token, and of the attention
  Index layers = 1;             ///< blocks over time; 0: each step stands alone
  Index inner = 0;              ///< width of the feed-forward parts; 0: 4 width
  Index window = 0;             ///< how many steps back it sees, the newest included; 0: the whole episode
  bool value = false;           ///< whether it learns a value, too
};
/// Of EntityValue.
struct EntityValueConfig {
  Index observation = 0;                                                      ///< rows of what is seen
  Index types = 0, width = 32, heads = 4, layers = 1, inner = 0, window = 0;  ///< as above
};

/// Attention over the entities of each step, then over the episode, logits: see EntityBody.
template <class S>
using EntityPolicy = PolicyNetwork<EntityBody<S>, EntityPolicyConfig>;
template <class S>
using EntityValue = ValueNetwork<EntityBody<S>, EntityValueConfig>;

}  // namespace heed
