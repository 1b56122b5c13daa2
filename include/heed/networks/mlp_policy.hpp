#pragma once
#include "heed/networks/gaussian_policy_network.hpp"
#include "heed/networks/mlp_body.hpp"
#include "heed/networks/policy_network.hpp"
#include "heed/networks/static_mlp_body.hpp"
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
template <int Observation, int Actions>
struct StaticMlpPolicyConfig {
  static constexpr Index observation = Observation, actions = Actions;  ///< as its type says
  bool value = false;                                                   ///< whether it learns a value, too
  Nonlinearity activation = Nonlinearity::tanh;                         ///< behind each hidden layer
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
/// The same network, every size of it a constant of the program, as StaticMlpPolicy<float, 4, 2, 64, 64>: it needs no
/// heap, and acts faster where registers hold several numbers.
template <class S, int Observation, int Actions, int... Hidden>
using StaticMlpPolicy =
    PolicyNetwork<StaticMlpBody<S, Observation, Hidden...>, StaticMlpPolicyConfig<Observation, Actions>>;
template <class S>
using MlpMultiPolicy = PolicyNetwork<MlpBody<S>, MlpMultiPolicyConfig>;
template <class S>
using MlpGaussianPolicy = GaussianPolicyNetwork<MlpBody<S>, MlpGaussianPolicyConfig>;
template <class S>
using MlpValue = ValueNetwork<MlpBody<S>, MlpValueConfig>;

}  // namespace heed
