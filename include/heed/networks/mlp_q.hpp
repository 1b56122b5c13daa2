#pragma once
#include "heed/networks/mlp_body.hpp"
#include "heed/networks/q_network.hpp"

namespace heed {

struct MlpQConfig {
  Index observation = 0, actions = 0;
  std::vector<Index> hidden = {64, 64};  ///< widths of the hidden layers
  bool dueling = false;                  ///< see QNetwork
  Nonlinearity activation = Nonlinearity::tanh;
};

/// Values of actions by a multi-layer perceptron of the newest observation alone: see MlpBody.
template <class S>
using MlpQ = QNetwork<MlpBody<S>, MlpQConfig>;

}  // namespace heed
