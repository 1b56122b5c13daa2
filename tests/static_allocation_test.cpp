// What acts over static arrays needs no heap from the start: its network is made without it, too.
#include "allocation.hpp"

#include "heed/core/agent.hpp"
#include "heed/core/static_activations.hpp"
#include "heed/core/static_layout.hpp"
#include "heed/core/static_memory.hpp"
#include "heed/core/static_parameters.hpp"
#include "heed/networks/attention_policy.hpp"
#include "heed/networks/mlp_policy.hpp"
#include "heed/networks/transformer_policy.hpp"

using namespace support;

namespace {

/// Net over static arrays has the logits of Desktop on the heap.
template <class Net, int axes, class Desktop = Net>
void check_acting(const typename Net::Config& config, const typename Desktop::Config& desktop_config) {
  const Tokens<float> x = random<float>(4, 9, 1);
  const heed::Agent<Desktop> agent(desktop_config, 1);
  REQUIRE(agent.p.flat.size() <= 20000);
  static float values[20000];
  std::copy_n(agent.p.flat.data(), agent.p.flat.size(), values);

  const long before = allocations::count();
  heed::StaticLayout layout;
  const Net net(Scope(layout, layout.axis()), config);
  static heed::StaticActivations<float, axes, 1, 9, 20000, 0> buffers(layout);
  static heed::StaticMemory<float, axes, 1, 4000> memory(layout);
  const heed::ActivationsView<float> a = buffers;
  const heed::ParametersView<const float> p(values);
  float seen[9];
  a.begin(net.time, 1, [](Index) { return Index(1); });
  for (Index t = 0; t < 9; ++t) {
    net.extend(p, x.col(t), memory, a);
    memory.advance();
    seen[t] = a[net.logits](1, 0);
  }
  const long made = allocations::count() - before;
  CHECK(made == 0);

  heed::Activations<float> on_heap(agent.layout);
  heed::Memory<float> remembered(agent.layout, 1);
  on_heap.begin(agent.time, {1});
  for (Index t = 0; t < 9; ++t) {
    INFO("step " << t);
    agent.net.extend(agent.p, x.col(t), remembered, on_heap);
    remembered.advance();
    CHECK(std::abs(seen[t] - on_heap[agent.net.logits](1, 0)) <= 1e-6f);
  }
}

}  // namespace

TEST_CASE("policies of fixed size are made and act without the heap") {
  if (!counted()) return;
  using heed::AttentionPolicy, heed::MlpPolicy, heed::TransformerPolicy;
  const heed::AttentionPolicyConfig attention{.observation = 4, .actions = 2};
  check_acting<AttentionPolicy<float>, 3>(attention, attention);
  const heed::TransformerPolicyConfig transformer{.observation = 4, .actions = 2, .window = 8};
  check_acting<heed::StaticTransformerPolicy<float, 1>, 1, TransformerPolicy<float>>(transformer, transformer);
  check_acting<heed::StaticMlpPolicy<float, 4, 2, 64, 64>, 1, MlpPolicy<float>>(
      {}, {.observation = 4, .actions = 2, .hidden = {64, 64}});
  check_acting<heed::StaticMlpPolicy<float, 4, 2, 7>, 1, MlpPolicy<float>>(
      {}, {.observation = 4, .actions = 2, .hidden = {7}});
}
