#pragma once
#include "heed/networks/mlp_body.hpp"
#include "heed/networks/q_network.hpp"

namespace heed {

/// Of MlpQ.
struct MlpQConfig {
  Index observation = 0, actions = 0;            ///< rows of what is seen, and how many actions there are
  std::vector<Index> hidden = {64, 64};          ///< widths of the hidden layers
  bool dueling = false;                          ///< see QNetwork
  Nonlinearity activation = Nonlinearity::tanh;  ///< behind each hidden layer
};

/// Values of actions by a multi-layer perceptron of the newest observation alone: see MlpBody.
template <class S>
using MlpQ = QNetwork<MlpBody<S>, MlpQConfig>;

}  // namespace heed
