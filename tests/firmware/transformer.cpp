#include "device.hpp"
#include "policies.hpp"
#include "transformer_weights.hpp"

namespace weights = transformer_weights;

int main() {
  heed::StaticLayout layout;
  const heed::StaticTransformerPolicy<float, 1> net(heed::Scope(layout, layout.axis()), transformer);
  const auto p = heed::static_parameters(layout, weights::values, weights::fingerprint);
  static heed::StaticActivations<float, weights::axes, 1, 1, weights::rows[0], 0> a(layout);
  static heed::StaticMemory<float, weights::axes, 1, weights::memory> m(layout);
  return act(net, p, m, a);
}
