#include "attention_weights.hpp"
#include "device.hpp"
#include "policies.hpp"

namespace weights = attention_weights;

int main() {
  heed::StaticLayout layout;
  const heed::Axis time = layout.axis();
  const heed::AttentionPolicy<float> net(heed::Scope(layout, time), attention);
  const auto p = heed::static_parameters(layout, weights::values, weights::fingerprint);
  constexpr heed::Index columns = attention.window + 1;  // of the windows and their table; time has one
  constexpr heed::Index numbers = weights::rows[0] + (weights::rows[1] + weights::rows[2]) * columns;
  static heed::StaticActivations<float, weights::axes, 1, columns, numbers, 0> a(
      layout, [&](heed::Axis axis) { return axis == time ? 1 : columns; });
  static heed::StaticMemory<float, weights::axes, 1, weights::memory> m(layout);
  return act(net, p, m, a);
}
