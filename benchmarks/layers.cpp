// Forward, and forward with backward, of the layers and of the networks that stand on them.
//   sh benchmarks/run.sh layers [--benchmark_filter=...]
#include <benchmark/benchmark.h>

#include <heed/heed.hpp>

namespace {

using namespace heed;
using S = float;

void sizes(benchmark::internal::Benchmark* b) {
  b->ArgNames({"B", "T", "D", "H"})
      ->Args({1, 16, 32, 4})
      ->Args({32, 16, 32, 4})
      ->Args({64, 64, 64, 4})
      ->Args({16, 128, 128, 8});
}

/// Forward, or forward with backward, of a layer with `forward(p, x, y, a)`.
template <class Layer, class Make>
void run(benchmark::State& state, bool backward, Make make) {
  const Index count = state.range(0), length = state.range(1), dim = state.range(2);
  Layout layout;
  const Axis time = layout.axis();
  const Layer layer = make(Scope(layout, time, "layer"), dim, Index(state.range(3)));
  const Parameters<S> p(layout, 1);
  Parameters<S> g(layout);
  Activations<S> a(layout);
  a.begin(time, Sequences::uniform(count, length));
  const Tokens<S> x = Tokens<S>::Random(dim, count * length), dy = x;
  Tokens<S> y = x, dx = x;
  for (auto _ : state) {
    layer.forward(p, x, y, a);
    if (backward) layer.backward(p, x, dy, a, g, dx);
    benchmark::DoNotOptimize(y.data());
    benchmark::DoNotOptimize(dx.data());
  }
  state.counters["tokens"] = benchmark::Counter(double(count * length), benchmark::Counter::kIsIterationInvariantRate);
}

void self_attention(benchmark::State& state, bool backward) {
  run<MultiHeadAttention<S>>(state, backward,
                             [](Scope at, Index dim, Index heads) { return MultiHeadAttention<S>(at, dim, heads); });
}
/// Self-attention that is told something, or that is of another kind: with backward.
template <class Attention>
void attention_of(benchmark::State& state, typename Attention::Config c) {
  using Layer = MultiHeadAttention<S, Dynamic, Attention>;
  run<Layer>(state, true, [&](Scope at, Index dim, Index heads) {
    c.dim = dim, c.heads = heads;
    return Layer(at, c);
  });
}
void softmax_attention(benchmark::State& state, const AttentionConfig& c) {
  attention_of<DotProductAttention<S>>(state, c);
}
void linear_attention(benchmark::State& state, const LinearAttention<S>::Config& c) {
  attention_of<LinearAttention<S>>(state, c);
}
void selective_attention(benchmark::State& state, const SelectiveAttention<S>::Config& c) {
  attention_of<SelectiveAttention<S>>(state, c);
}
void gru(benchmark::State& state, bool backward) {
  run<Gru<S>>(state, backward, [](Scope at, Index dim, Index) { return Gru<S>(at, {.in = dim, .hidden = dim}); });
}
void transformer_block(benchmark::State& state, bool backward) {
  run<TransformerBlock<S>>(state, backward, [](Scope at, Index dim, Index heads) {
    return TransformerBlock<S>(at, {.dim = dim, .heads = heads, .activation = Nonlinearity::gelu});
  });
}
BENCHMARK_CAPTURE(self_attention, forward, false)->Apply(sizes);
BENCHMARK_CAPTURE(self_attention, forward_backward, true)->Apply(sizes);
BENCHMARK_CAPTURE(softmax_attention, causal, {.mask = Causal()})->Apply(sizes);
BENCHMARK_CAPTURE(softmax_attention, rotary, {.position = rotary()})->Apply(sizes);
BENCHMARK_CAPTURE(softmax_attention, alibi, {.position = alibi()})->Apply(sizes);
BENCHMARK_CAPTURE(softmax_attention, relative, {.position = relative()})->Apply(sizes);
BENCHMARK_CAPTURE(linear_attention, causal, {.mask = Causal()})->Apply(sizes);
BENCHMARK_CAPTURE(selective_attention, top_8, {.k = 8})->Apply(sizes);
BENCHMARK_CAPTURE(gru, forward, false)->Apply(sizes);
BENCHMARK_CAPTURE(gru, forward_backward, true)->Apply(sizes);
BENCHMARK_CAPTURE(transformer_block, forward, false)->Apply(sizes);
BENCHMARK_CAPTURE(transformer_block, forward_backward, true)->Apply(sizes);

/// Acts step by step in some lanes.
template <class Net>
void acting(benchmark::State& state) {
  const Index lanes = state.range(0), steps = 64;
  const Agent<Net> agent({.observation = 4, .actions = 2}, 1);
  Memory<S> m(agent.layout, lanes, steps);
  Activations<S> a(agent.layout);
  a.begin(agent.time, Sequences::uniform(lanes, 1));
  const Tokens<S> x = Tokens<S>::Random(4, lanes);
  for (auto _ : state) {
    if (m.length(agent.time, 0) == steps) m.forget();
    agent.net.extend(agent.p, x, m, a);
    m.advance();
  }
  state.counters["steps"] = benchmark::Counter(double(lanes), benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(acting<MlpPolicy<S>>)->ArgName("lanes")->Arg(1)->Arg(16);
BENCHMARK(acting<AttentionPolicy<S>>)->ArgName("lanes")->Arg(1)->Arg(16);
BENCHMARK(acting<TransformerPolicy<S>>)->ArgName("lanes")->Arg(1)->Arg(16);

/// Learns from a batch of whole episodes.
template <class Net>
void learning(benchmark::State& state) {
  Agent<Net> agent({.observation = 4, .actions = 2}, 1);
  const Axis time = agent.time;
  Parameters<S> g(agent.layout);
  Activations<S> a(agent.layout);
  a.begin(time, Sequences::uniform(8, state.range(0)));
  const Tokens<S> x = Tokens<S>::Random(4, 8 * state.range(0));
  Adam<S> adam(agent.layout);
  for (auto _ : state) {
    agent.net.forward(agent.p, x, a);
    a.d(agent.net.logits).setConstant(1e-3f);
    g.flat.setZero();
    agent.net.backward(agent.p, x, a, g, no_gradient);
    adam.step(agent.p.flat, g.flat);
  }
  state.counters["steps"] = benchmark::Counter(double(x.cols()), benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(learning<MlpPolicy<S>>)->ArgName("T")->Arg(32)->Arg(256);
BENCHMARK(learning<AttentionPolicy<S>>)->ArgName("T")->Arg(32)->Arg(256);
BENCHMARK(learning<TransformerPolicy<S>>)->ArgName("T")->Arg(32)->Arg(256);

}  // namespace
