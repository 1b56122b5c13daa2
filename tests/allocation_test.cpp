// After the largest batch was seen, nothing is allocated.
#include "allocation.hpp"

#include <cstdlib>

#include "heed/core/static_activations.hpp"
#include "heed/core/static_memory.hpp"
#include "heed/environments/cart_pole.hpp"
#include "heed/layers/additive_attention.hpp"
#include "heed/layers/additive_pooling.hpp"
#include "heed/layers/cross_attention.hpp"
#include "heed/layers/pooling.hpp"
#include "heed/layers/positional_encoding.hpp"
#include "heed/layers/transformer_block.hpp"
#include "heed/layers/window_pooling.hpp"
#include "heed/networks/attention_policy.hpp"
#include "heed/networks/mlp_policy.hpp"
#include "heed/networks/transformer_policy.hpp"
#include "heed/optimizers/adam.hpp"
#include "heed/optimizers/clip.hpp"
#include "heed/optimizers/sgd.hpp"
#include "heed/rl/reinforce.hpp"

using namespace support;

namespace {

template <class S>
void check_layers(Index width, const Lengths& time, const Lengths& source) {
  const auto axes = [](Subject<S>& s, std::size_t n) {
    s.axes.assign(n, s.source);
    s.axes[0] = s.time;
  };
  {
    using Layer = heed::Linear<S>;
    Rig<S, Layer> s({width}, width, [=](Subject<S>& at) { return Layer(at.at(), width, width); });
    check_layer("Linear", s, time, {}, Acts::no);
  }
  for (const auto kind : {heed::Nonlinearity::tanh, heed::Nonlinearity::gelu, heed::Nonlinearity::gelu_tanh,
                          heed::Nonlinearity::silu, heed::Nonlinearity::softplus}) {
    using Layer = heed::Activation<S>;
    Rig<S, Layer> s({width}, width, [=](Subject<S>&) { return Layer(kind); });
    check_layer("Activation", s, time, {}, Acts::no);
  }
  {
    using Layer = heed::SinusoidalPositionalEncoding<S>;
    Rig<S, Layer> s({width}, width, [](Subject<S>& at) { return Layer(at.at()); });
    check_layer("SinusoidalPositionalEncoding", s, time);
  }
  for (const bool norm_first : {true, false}) {
    if (width > 100 && !norm_first) continue;  // for the time it takes
    using Layer = heed::TransformerBlock<S>;
    Rig<S, Layer> s({width}, width, [=](Subject<S>& at) {
      return Layer(at.at(),
                   {.dim = width, .heads = 4, .inner = width, .mask = heed::Causal(), .norm_first = norm_first});
    });
    check_layer("TransformerBlock", s, time);
  }
  {
    using Layer = heed::MultiHeadAttention<S>;
    Rig<S, Layer> s({width}, width, [=](Subject<S>& at) { return Layer(at.at(), width, 2, heed::Window(3)); });
    check_layer("MultiHeadAttention", s, time);
  }
  {
    using Layer = heed::CrossAttention<S>;
    Rig<S, Layer, 3> s({width, 3, width}, width, [=](Subject<S>& at) {
      axes(at, 3);
      return Layer(at.at(), at.source, {.dim = width, .heads = 2}, 3);
    });
    check_layer("CrossAttention", s, time, source);
  }
  {
    using Layer = heed::AdditiveAttention<S>;
    Rig<S, Layer, 2> s({width, width}, width, [=](Subject<S>& at) {
      axes(at, 2);
      return Layer(at.at(), at.source,
                   {.query_dim = width, .key_dim = width, .width = width / 4, .mask = heed::Window(8)});
    });
    check_layer("AdditiveAttention", s, time, source);
  }
  Lengths pooled = source;
  pooled.resize(std::size_t(sum(time)), 0);
  const auto pool = [=](Subject<S>& at) { return at.at().along(at.source); };
  {
    using Layer = heed::AdditivePooling<S>;
    Rig<S, Layer> s(
        {width}, width, [=](Subject<S>& at) { return Layer(pool(at), width, width); }, {}, true);
    check_layer("AdditivePooling", s, time, pooled, Acts::no);
  }
  for (const Index observation : {width / 2, width + 1}) {
    using Layer = heed::WindowPooling<S>;
    Rig<S, Layer> s({observation}, width, [=](Subject<S>& at) { return Layer(at.at(), observation, 8, width); });
    check_layer("WindowPooling", s, time, {}, Acts::growing);
    Rig<S, Layer> given({observation}, width, [=](Subject<S>& at) {
      const Layer layer(at.at(), observation, sum(source), width, heed::Windows::given);
      at.axes[0] = at.source = layer.windows;
      return layer;
    });
    check_layer("WindowPooling, given", given, time, pooled, Acts::no);
  }
  for (const auto kind : {heed::PoolingKind::mean, heed::PoolingKind::max, heed::PoolingKind::last}) {
    using Layer = heed::Pooling<S>;
    Rig<S, Layer> s(
        {width}, width, [=](Subject<S>& at) { return Layer(pool(at), kind); }, {}, true);
    check_layer("Pooling", s, time, pooled, Acts::no);
  }
}

template <class S>
void check_optimizers(Index width) {
  heed::Layout layout;
  const heed::Linear<S> layer(Scope(layout, layout.axis()), width, width);
  Parameters<S> p(layout, 1), g(layout, 2);
  heed::Adam<S> adam(layout, {.weight_decay = 0.1});
  heed::Sgd<S> sgd(layout, {.momentum = 0.9, .weight_decay = 0.1, .nesterov = true});
  check_quiet("Adam", [&] { adam.step(p.flat, g.flat); });
  check_quiet("Sgd", [&] { sgd.step(p.flat, g.flat); });
  check_quiet("clip_norm", [&] { heed::clip_norm(g.flat, 1e-3); });
}

/// A policy that acts, learns and is trained. No pole falls within five steps, so all batches are equally large.
template <class Net>
void check_policy(typename Net::Config config) {
  config.observation = 4;
  config.actions = 2;
  config.value = true;
  heed::Agent<Net> agent(config, 1);
  const heed::CartPole world(5);
  heed::Reinforce trainer(agent, world, {.batch = 4, .baseline = heed::Baseline::value, .recent = 4});
  trainer.iterate();
  check_quiet("Reinforce", [&] { trainer.iterate(); });

  heed::Activations<float> a(agent.layout);
  heed::Memory<float> m(agent.layout, 2, 40);
  a.begin(agent.time, {1, 1});
  const Tokens<float> x = random<float>(4, 2, 1);
  const auto act = [&] {
    agent.net.extend(agent.p, x, m, a);
    m.advance();
  };
  for (int i = 0; i < 16; ++i) act();  // until its windows are full
  check_quiet("extend", act);
}

const Lengths few{3, 0, 5}, few_keys{4, 2, 0};
// With 384 features, more than the 128 KiB that Eigen would put on the stack.
// HEED_SHORT: the sanitizers make it ten times slower
const Lengths many = std::getenv("HEED_SHORT") ? Lengths{80, 0, 80} : Lengths{140, 0, 160};
const Lengths many_keys = std::getenv("HEED_SHORT") ? Lengths{70, 10, 80} : Lengths{150, 50, 100};

}  // namespace

TEST_CASE("allocations are counted") {
  if (!counted()) return;
  const long before = allocations::count();
  volatile Index size = 100;
  const Eigen::VectorXd eigen(size);
  const std::vector<double> standard(std::size_t(size), 1.0);
  void* volatile plain = std::calloc(std::size_t(size), 1);
  std::free(plain);
  CHECK(allocations::count() - before >= 3);
  CHECK(eigen.size() + Index(standard.size()) == 200);
}

TEST_CASE("no layer allocates, of few features") {
  if (!counted()) return;
  check_layers<float>(8, few, few_keys);
  check_layers<double>(8, few, few_keys);
}

TEST_CASE("no layer allocates, of many features and tokens") {
  if (!counted()) return;
  check_layers<float>(384, many, many_keys);
  check_layers<double>(384, many, many_keys);
}

TEST_CASE("no layer of fixed size allocates") {
  if (!counted()) return;
  using Layer = heed::TransformerBlock<float, 8>;
  Rig<float, Layer> s({8}, 8, [=](Subject<float>& at) {
    return Layer(at.at(), {.dim = 8, .heads = 2, .mask = heed::Window(4), .activation = heed::Nonlinearity::gelu});
  });
  check_layer("TransformerBlock", s, few);
}

TEST_CASE("no policy allocates, nor its trainer") {
  if (!counted()) return;
  check_policy<heed::MlpPolicy<float>>({});
  check_policy<heed::AttentionPolicy<float>>({});
  check_policy<heed::TransformerPolicy<float>>({});
}

TEST_CASE("a policy acts over static arrays, without the heap from the first call on") {
  if (!counted()) return;
  using Net = heed::AttentionPolicy<float>;
  const Net::Config config{.observation = 4, .actions = 2, .window = 3, .width = 8, .hidden = 8};
  const heed::Agent<Net> agent(config, 1);
  const Tokens<float> x = random<float>(4, 9, 1);
  heed::Activations<float> on_heap(agent.layout);
  heed::Memory<float> memory(agent.layout, 1);
  on_heap.begin(agent.time, {1});

  static float weights[400];
  REQUIRE(agent.p.flat.size() <= 400);
  std::copy_n(agent.p.flat.data(), agent.p.flat.size(), weights);
  const long before = allocations::count();

  heed::Layout layout(false);
  const Axis time = layout.axis();
  const Net net(Scope(layout, time), config);
  const heed::ParametersView<const float> p(weights);
  static heed::StaticActivations<float, 3, 1, 4, 300> buffers(layout);
  static heed::StaticMemory<float, 3, 1, 96> remembered(layout);
  const heed::ActivationsView<float> a = buffers;
  const heed::MemoryView<float> m = remembered;
  float seen[9];
  a.begin(time, 1, [](Index) { return Index(1); });
  for (Index t = 0; t < 9; ++t) {
    net.extend(p, x.col(t), m, a);
    m.advance(0);
    seen[t] = a[net.logits](1, 0);
  }
  const long made = allocations::count() - before;
  CHECK(made == 0);
  for (Index t = 0; t < 9; ++t) {
    agent.net.extend(agent.p, x.col(t), memory, on_heap);
    memory.advance();
    CHECK(seen[t] == on_heap[agent.net.logits](1, 0));
  }
}

TEST_CASE("no optimizer allocates") {
  if (!counted()) return;
  for (const Index width : {8, 384}) {
    check_optimizers<float>(width);
    check_optimizers<double>(width);
  }
}
