// Policies of a fixed number of layers are those of any number, without the heap.
#include "heed/core/agent.hpp"
#include "heed/core/static_layout.hpp"
#include "heed/networks/mlp_policy.hpp"
#include "heed/networks/transformer_policy.hpp"
#include "support.hpp"

using namespace support;

namespace {

template <class Fixed, class Net>
void check_same_policy(const typename Fixed::Config& fixed_config, const typename Net::Config& config) {
  const heed::Agent<Net> agent(config, 1);
  heed::StaticLayout layout;
  const Fixed net(Scope(layout, layout.axis()), fixed_config);
  REQUIRE(layout.fingerprint() == agent.layout.fingerprint());
  const Tokens<double> x = random<double>(4, 9, 1);
  heed::Activations<double> a(agent.layout), b(agent.layout);
  for (auto* each : {&a, &b}) each->begin(agent.time, {4, 0, 5});
  agent.net.forward(agent.p, x, a);
  net.forward(agent.p, x, b);
  CHECK(a[agent.net.logits] == b[net.logits]);
  CHECK(a[agent.net.value] == b[net.value]);
}

}  // namespace

TEST_CASE("policies of a fixed number of layers compute what the others do") {
  for (const Index layers : {1, 2, 3}) {
    const heed::TransformerPolicyConfig config{
        .observation = 4, .actions = 2, .width = 8, .heads = 2, .layers = layers, .window = 3, .value = true};
    check_same_policy<heed::StaticTransformerPolicy<double, 3>, heed::TransformerPolicy<double>>(config, config);
  }
  check_same_policy<heed::StaticMlpPolicy<double, 2>, heed::MlpPolicy<double>>(
      {.observation = 4, .actions = 2, .hidden = {5, 7}, .value = true},
      {.observation = 4, .actions = 2, .hidden = {5, 7}, .value = true});
}

TEST_CASE("the layers of a fixed number are gone through as a list") {
  heed::StaticLayout layout;
  const heed::StaticMlpPolicy<double, 2> net(Scope(layout, layout.axis()),
                                             {.observation = 4, .actions = 2, .hidden = {5, 7}});
  std::vector<Index> widths;
  for (const auto& layer : net.body.layers) widths.push_back(layer.linear.out());
  CHECK(widths == std::vector<Index>{5, 7});
  CHECK(net.body.layers.size() == 2);
  CHECK(net.body.layers.front().linear.in() == 4);
}

TEST_CASE("a policy of a fixed number of layers has no more") {
  heed::StaticLayout layout;
  check_complaint("StaticList: there is room for 2 of them and no more", [&] {
    heed::StaticTransformerPolicy<float, 2>(Scope(layout, layout.axis()),
                                            {.observation = 4, .actions = 2, .width = 8, .heads = 2, .layers = 3});
  });
}
