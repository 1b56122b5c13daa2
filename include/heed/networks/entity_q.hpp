#pragma once
#include "heed/networks/entity_body.hpp"
#include "heed/networks/q_network.hpp"

namespace heed {

/// Of EntityQ.
struct EntityQConfig {
  Index observation = 0;  ///< rows of an entity's column
  Index actions = 0;      ///< how many there are
  Index types = 0;  ///< of entities: the first row of a column is its type, 0 to types - 1; 0: there is no such row
  Index width = 32, heads = 4;  ///< of a token, and of the attention
  Index layers = 1;             ///< blocks over time; 0: each step stands alone
  Index inner = 0;              ///< width of the feed-forward parts; 0: 4 width
  Index window = 0;             ///< how many steps back it sees, the newest included; 0: the whole episode
  bool dueling = false;         ///< see QNetwork
};

/// Values of actions by attention over the entities of each step, then over the episode: see EntityBody.
template <class S>
using EntityQ = QNetwork<EntityBody<S>, EntityQConfig>;

}  // namespace heed
