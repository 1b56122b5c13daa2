// Shards in threads: a layer forward and backward, and a whole iteration of REINFORCE. Threads 0: without shards.
//   sh benchmarks/run.sh threads [--benchmark_filter=...]
#include <benchmark/benchmark.h>

#include <heed/core/threads.hpp>
#include <heed/heed.hpp>

namespace {

using namespace heed;
using S = float;

/// B sequences of T tokens, width D, H heads, in so many threads. Time is that on the clock.
void self_attention(benchmark::State& state) {
  const Index count = state.range(0), length = state.range(1), dim = state.range(2);
  Layout layout;
  const Axis time = layout.axis();
  const MultiHeadAttention<S> layer(Scope(layout, time, "layer"), dim, Index(state.range(3)));
  const Parameters<S> p(layout, 1);
  const Sequences batch = Sequences::uniform(count, length);
  const Tokens<S> x = Tokens<S>::Random(dim, count * length), dy = x;
  Tokens<S> y = x, dx = x;
  if (state.range(4) == 0) {
    Parameters<S> g(layout);
    Activations<S> a(layout);
    for (auto _ : state) {
      a.begin(time, batch);
      layer.forward(p, x, y, a);
      g.flat.setZero();
      layer.backward(p, x, dy, a, g, dx);
      benchmark::DoNotOptimize(g.flat.data());
    }
    return;
  }
  Threads threads{Index(state.range(4))};
  Shards<S> shards(layout);
  for (auto _ : state) {
    shards.begin({{time, batch}});
    shards.each(threads, [&](const auto& shard) {
      const Range c = shard.columns(time);
      const auto mine = [c](auto& m) { return m.middleCols(c.first, c.count); };
      layer.forward(p, mine(x), mine(y), shard.a);
      layer.backward(p, mine(x), mine(dy), shard.a, shard.g, mine(dx));
    });
    benchmark::DoNotOptimize(shards.sum(threads).flat.data());
  }
  state.counters["shards"] = double(shards.count());
}
BENCHMARK(self_attention)
    ->ArgNames({"B", "T", "D", "H", "threads"})
    ->ArgsProduct({{64}, {64}, {64}, {4}, {0, 1, 2}})
    ->ArgsProduct({{16}, {128}, {128}, {8}, {0, 1, 2}})
    ->ArgsProduct({{4}, {512}, {256}, {8}, {0, 1, 2}})
    ->ArgsProduct({{1}, {2048}, {64}, {4}, {0, 1, 2}})
    ->ArgsProduct({{1}, {16}, {32}, {4}, {0, 1, 2}})
    ->ArgsProduct({{8}, {16}, {32}, {4}, {0, 1, 2}})
    ->ArgsProduct({{32}, {16}, {32}, {4}, {0, 1, 2}})
    ->UseRealTime();

/// Acting and learning, episodes of 64 steps.
template <class Net>
void reinforce(benchmark::State& state) {
  Agent<Net> agent({.observation = 4, .actions = 2}, 1);
  const CartPole world(64);
  Threads threads{Index(state.range(1))};
  Reinforce trainer(agent, world, {.learning_rate = 0, .batch = Index(state.range(0))}, threads);
  double steps = 0;
  for (auto _ : state) {
    const ReinforceStatistics done = trainer.iterate();
    steps += done.mean_length * double(done.returns.episodes);
  }
  state.counters["steps"] = benchmark::Counter(steps, benchmark::Counter::kIsRate);
}
void batches(benchmark::internal::Benchmark* b) {
  b->ArgNames({"batch", "threads"})->ArgsProduct({{8, 64, 256}, {1, 2}})->UseRealTime();
}
BENCHMARK(reinforce<MlpPolicy<S>>)->Apply(batches);
BENCHMARK(reinforce<AttentionPolicy<S>>)->Apply(batches);
BENCHMARK(reinforce<TransformerPolicy<S>>)->Apply(batches);

}  // namespace
