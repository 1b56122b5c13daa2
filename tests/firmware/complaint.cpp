// Weights of another network are refused, in words.
#include "attention_weights.hpp"
#include "device.hpp"
#include "policies.hpp"

int main() {
  heed::error_handler() = board::die;
  heed::StaticLayout layout;
  heed::AttentionPolicyConfig narrow = attention;
  narrow.width = 16;
  const heed::AttentionPolicy<float> net(heed::Scope(layout, layout.axis()), narrow);
  heed::static_parameters(layout, attention_weights::values, attention_weights::fingerprint);
  return 0;
}
