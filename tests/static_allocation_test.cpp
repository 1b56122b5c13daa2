// What acts over static arrays needs no heap from the start: its network is made without it, too.
#include "allocation.hpp"

#include "heed/core/static_activations.hpp"
#include "heed/core/static_layout.hpp"
#include "heed/core/static_memory.hpp"
#include "heed/core/static_parameters.hpp"
#include "heed/networks/attention_policy.hpp"
#include "heed/networks/mlp_policy.hpp"
#include "heed/networks/transformer_policy.hpp"

using namespace support;

namespace {

template <class Net, int axes>
void check_acting(const typename Net::Config& config) {
  const Tokens<float> x = random<float>(4, 9, 1);
  static constexpr float values[20000] = {};
  static volatile float seen;
  const long before = allocations::count();
  heed::StaticLayout layout;
  const Net net(Scope(layout, layout.axis()), config);
  static heed::StaticActivations<float, axes, 1, 9, 20000, 0> buffers(layout);
  static heed::StaticMemory<float, axes, 1, 4000> memory(layout);
  const heed::ActivationsView<float> a = buffers;
  const heed::ParametersView<const float> p(values);
  a.begin(net.time, 1, [](Index) { return Index(1); });
  for (Index t = 0; t < 9; ++t) {
    net.extend(p, x.col(t), memory, a);
    memory.advance();
    seen = a[net.logits](0, 0);
  }
  CHECK(layout.parameters() <= 20000);
  const long made = allocations::count() - before;
  CHECK(made == 0);
  CHECK(seen == 0);
}

}  // namespace

TEST_CASE("policies of fixed size are made and act without the heap") {
  if (!counted()) return;
  check_acting<heed::AttentionPolicy<float>, 3>({.observation = 4, .actions = 2});
  check_acting<heed::StaticTransformerPolicy<float, 1>, 1>({.observation = 4, .actions = 2, .window = 8});
  check_acting<heed::StaticMlpPolicy<float, 2>, 1>({.observation = 4, .actions = 2, .hidden = {64, 64}});
}
