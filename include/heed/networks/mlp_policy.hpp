#pragma once
#include "heed/networks/gaussian_policy_network.hpp"
#include "heed/networks/mlp_body.hpp"
#include "heed/networks/policy_network.hpp"
#include "heed/networks/value_network.hpp"

namespace heed {

/// Of MlpPolicy.
struct MlpPolicyConfig {
  Index observation = 0, actions = 0;            ///< rows of what is seen, and how many actions there are
  std::vector<Index> hidden = {64, 64};          ///< widths of the hidden layers
  bool value = false;                            ///< whether it learns a value, too
  Nonlinearity activation = Nonlinearity::tanh;  ///< behind each hidden layer
};
/// Of StaticMlpPolicy.
template <int Layers>
struct StaticMlpPolicyConfig {
  Index observation = 0, actions = 0;                  ///< rows of what is seen, and how many actions there are
  std::array<Index, std::size_t(Layers)> hidden = {};  ///< widths of the hidden layers
  bool value = false;                                  ///< whether it learns a value, too
  Nonlinearity activation = Nonlinearity::tanh;        ///< behind each hidden layer
};
/// Of MlpMultiPolicy.
struct MlpMultiPolicyConfig {
  Index observation = 0;                         ///< rows of what is seen
  std::vector<Index> choices;                    ///< actions at once: how many each has
  std::vector<Index> hidden = {64, 64};          ///< widths of the hidden layers
  bool value = false;                            ///< whether it learns a value, too
  Nonlinearity activation = Nonlinearity::tanh;  ///< behind each hidden layer
};
/// Of MlpValue.
struct MlpValueConfig {
  Index observation = 0;                         ///< rows of what is seen
  std::vector<Index> hidden = {64, 64};          ///< widths of the hidden layers
  Nonlinearity activation = Nonlinearity::tanh;  ///< behind each hidden layer
};
/// Of MlpGaussianPolicy.
struct MlpGaussianPolicyConfig {
  Index observation = 0, actions = 0;            ///< numbers that an action has
  std::vector<Index> hidden = {64, 64};          ///< widths of the hidden layers
  bool value = false;                            ///< whether it learns a value, too
  Nonlinearity activation = Nonlinearity::tanh;  ///< behind each hidden layer
  double log_std = 0;                            ///< logarithm of the deviations at first
  bool state_dependent = false;                  ///< whether the deviations depend on what is observed
  bool squashed = false;                         ///< whether actions are squashed into the world's bounds
};

/// A multi-layer perceptron of the newest observation alone: see MlpBody.
template <class S>
using MlpPolicy = PolicyNetwork<MlpBody<S>, MlpPolicyConfig>;
/// Of so many hidden layers, without the heap.
template <class S, int Layers>
using StaticMlpPolicy = PolicyNetwork<MlpBody<S, Layers>, StaticMlpPolicyConfig<Layers>>;
template <class S>
using MlpMultiPolicy = PolicyNetwork<MlpBody<S>, MlpMultiPolicyConfig>;
template <class S>
using MlpGaussianPolicy = GaussianPolicyNetwork<MlpBody<S>, MlpGaussianPolicyConfig>;
template <class S>
using MlpValue = ValueNetwork<MlpBody<S>, MlpValueConfig>;

}  // namespace heed
