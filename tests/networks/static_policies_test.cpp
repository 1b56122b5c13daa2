// Policies of constant sizes are those of any size, without the heap.
#include "heed/core/agent.hpp"
#include "heed/core/static_layout.hpp"
#include "heed/networks/mlp_policy.hpp"
#include "heed/networks/transformer_policy.hpp"
#include "support.hpp"

using namespace support;

namespace {

/// Constant forward and backward has the numbers that Net has.
template <class Constant, class Net>
void check_same_policy(const typename Constant::Config& constant_config, const typename Net::Config& config) {
  const heed::Agent<Net> agent(config, 1);
  heed::StaticLayout layout;
  const Constant net(Scope(layout, layout.axis()), constant_config);
  REQUIRE(layout.fingerprint() == agent.layout.fingerprint());
  const Tokens<double> x = random<double>(4, 9, 1);
  heed::Activations<double> a(agent.layout), b(agent.layout);
  Parameters<double> of_a(agent.layout), of_b(agent.layout);
  const auto run = [&](const auto& policy, auto& buffers, auto& g) {
    Tokens<double> dx(4, 9);
    buffers.begin(agent.time, {4, 0, 5});
    policy.forward(agent.p, x, buffers);
    buffers.d(policy.logits) = random<double>(2, 9, 2);
    if (policy.value) buffers.d(policy.value) = random<double>(1, 9, 3);
    policy.backward(agent.p, x, buffers, g, dx);
    return dx;
  };
  CHECK(run(agent.net, a, of_a) == run(net, b, of_b));
  CHECK(of_a.flat == of_b.flat);
  CHECK(a[agent.net.logits] == b[net.logits]);
  if (net.value) CHECK(a[agent.net.value] == b[net.value]);
}

/// Acting, its logits have the bits of those of the policy whose sizes are not constants.
template <class Constant>
void check_same_steps(const heed::MlpPolicyConfig& config) {
  const heed::Agent<heed::MlpPolicy<float>> agent(config, 1);
  const heed::Agent<Constant> constant({}, 1);
  heed::Activations<float> a(agent.layout), b(constant.layout);
  heed::Memory<float> m(agent.layout, 1), n(constant.layout, 1);
  a.begin(agent.time, {1}), b.begin(constant.time, {1});
  for (std::uint64_t step = 0; step < 3; ++step) {
    const Tokens<float> x = random<float>(config.observation, 1, step);
    agent.net.extend(agent.p, x, m, a), m.advance();
    constant.net.extend(constant.p, x, n, b), n.advance();
    CHECK(same_bits(Tokens<float>(a[agent.net.logits]), Tokens<float>(b[constant.net.logits])));
  }
}

}  // namespace

TEST_CASE("a policy of constant sizes acts with the bits of the other") {
  check_same_steps<heed::StaticMlpPolicy<float, 4, 2, 64, 64>>({.observation = 4, .actions = 2, .hidden = {64, 64}});
  check_same_steps<heed::StaticMlpPolicy<float, 3, 5, 7, 9>>({.observation = 3, .actions = 5, .hidden = {7, 9}});
}

TEST_CASE("policies of constant sizes compute what the others do") {
  for (const Index layers : {1, 2, 3}) {
    const heed::TransformerPolicyConfig config{
        .observation = 4, .actions = 2, .width = 8, .heads = 2, .layers = layers, .window = 3, .value = true};
    check_same_policy<heed::StaticTransformerPolicy<double, 3>, heed::TransformerPolicy<double>>(config, config);
  }
  for (const bool value : {false, true}) {
    check_same_policy<heed::StaticMlpPolicy<double, 4, 2, 5, 7>, heed::MlpPolicy<double>>(
        {.value = value}, {.observation = 4, .actions = 2, .hidden = {5, 7}, .value = value});
    check_same_policy<heed::StaticMlpPolicy<double, 4, 2, 16>, heed::MlpPolicy<double>>(
        {.value = value, .activation = heed::Nonlinearity::relu},
        {.observation = 4, .actions = 2, .hidden = {16}, .value = value, .activation = heed::Nonlinearity::relu});
  }
}

TEST_CASE("a policy of constant sizes is trained as any other") {
  using Net = heed::StaticMlpPolicy<float, 4, 2, 6, 6>;
  heed::Agent<Net> agent({}, 1);
  heed::Agent<heed::MlpPolicy<float>> other({.observation = 4, .actions = 2, .hidden = {6, 6}}, 1);
  CHECK(agent.p.flat == other.p.flat);
  CHECK(agent.net.observation == 4);
  CHECK(heed::past_of(agent.net, agent.layout) == 0);
  static_assert(heed::Policy<Net>);
}

TEST_CASE("the blocks of at most so many are gone through as a list") {
  heed::StaticLayout layout;
  const heed::StaticTransformerPolicy<float, 3> net(
      Scope(layout, layout.axis()), {.observation = 4, .actions = 2, .width = 8, .heads = 2, .layers = 2});
  Index widths = 0;
  for (const auto& block : net.body.encoder.blocks) widths += block.feed_forward.linear1.in();
  CHECK(widths == 2 * 8);
}

TEST_CASE("a policy of at most so many layers has no more") {
  heed::StaticLayout layout;
  check_complaint("StaticList: there is room for 2 of them and no more", [&] {
    heed::StaticTransformerPolicy<float, 2>(Scope(layout, layout.axis()),
                                            {.observation = 4, .actions = 2, .width = 8, .heads = 2, .layers = 3});
  });
}
