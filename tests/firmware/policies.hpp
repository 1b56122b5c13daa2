#pragma once
// What the desktop and the device must agree on.
#include "heed/networks/attention_policy.hpp"
#include "heed/networks/mlp_policy.hpp"
#include "heed/networks/transformer_policy.hpp"

inline constexpr heed::AttentionPolicyConfig attention{.observation = 4, .actions = 2};
inline const heed::TransformerPolicyConfig transformer{
    .observation = 4, .actions = 2, .window = 8, .sinusoidal = false, .position = heed::alibi()};
using DeviceMlp = heed::StaticMlpPolicy<float, 4, 2, 64, 64>;
