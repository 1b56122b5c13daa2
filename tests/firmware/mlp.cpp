#include "device.hpp"
#include "mlp_weights.hpp"
#include "policies.hpp"

namespace weights = mlp_weights;

int main() {
  heed::StaticLayout layout;
  const DeviceMlp net(heed::Scope(layout, layout.axis()), {});
  const auto p = heed::static_parameters(layout, weights::values, weights::fingerprint);
  static heed::StaticActivations<float, weights::axes, 1, 1, weights::rows[0], 0> a(layout);
  static heed::StaticMemory<float, weights::axes, 1, weights::memory> m(layout);
  return act(net, p, m, a);
}
