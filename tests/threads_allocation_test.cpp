// What threads and shards do allocates nothing once the largest batch was seen.
#include <latch>

#include "allocation.hpp"
#include "heed/core/shards.hpp"
#include "heed/core/threads.hpp"
#include "heed/environments/cart_pole.hpp"
#include "heed/layers/multi_head_attention.hpp"
#include "heed/networks/transformer_policy.hpp"
#include "heed/rl/ppo.hpp"
#include "heed/rl/reinforce.hpp"

using namespace support;

/// Returns once all threads are at work: what a thread allocates when it begins (sanitizers do) is not counted.
static void gather(heed::Threads& threads) {
  std::latch all(threads.count());
  heed::Executor(threads).run(threads.count(), [&](Index) { all.arrive_and_wait(); });
}

TEST_CASE("Threads: a run does not allocate, nor does one within another") {
  if (!counted()) return;
  for (const Index n : {1, 2, 7}) {
    heed::Threads threads(n);
    gather(threads);
    std::atomic<Index> sum{0};
    const auto run = [&] {
      heed::Executor(threads).run(20, [&](Index i) { heed::Executor(threads).run(3, [&](Index j) { sum += i * j; }); });
    };
    run();
    check_quiet("run", [&] {
      for (int i = 0; i < 100; ++i) run();
    });
    CHECK(sum == 101 * 190 * 3);
  }
}

TEST_CASE("Shards: after the largest batch nothing is allocated") {
  if (!counted()) return;
  heed::Threads threads(2);
  gather(threads);
  heed::Layout layout;
  const Axis time = layout.axis();
  const heed::MultiHeadAttention<float> layer(Scope(layout, time, "layer"), 64, 4);
  const Parameters<float> p(layout, 1);
  heed::Shards<float> shards(layout);
  const Index columns = 64 * 16;
  const Tokens<float> x = random<float>(64, columns, 1), dy = random<float>(64, columns, 2);
  Tokens<float> y = x, dx = x;
  const auto pass = [&](const heed::Sequences& s) {
    shards.begin({{time, s}});
    shards.each(threads, [&](const auto& shard) {
      const heed::Range c = shard.columns(time);
      layer.forward(p, x.middleCols(c.first, c.count), y.middleCols(c.first, c.count), shard.a);
      layer.backward(p, x.middleCols(c.first, c.count), dy.middleCols(c.first, c.count), shard.a, shard.g,
                     dx.middleCols(c.first, c.count));
    });
    shards.sum(threads);
  };
  const auto large = heed::Sequences::uniform(64, 16), shorter = heed::Sequences::uniform(64, 9),
             fewer = heed::Sequences::uniform(40, 16);
  pass(large);
  REQUIRE(shards.count() == 8);
  check_quiet("again", [&] { pass(large); });
  check_quiet("shorter sequences", [&] { pass(shorter); });
  check_quiet("fewer sequences", [&] { pass(fewer); });
}

TEST_CASE("Reinforce in threads does not allocate") {
  if (!counted()) return;
  heed::Agent<heed::TransformerPolicy<float>> agent({.observation = 4, .actions = 2, .value = true}, 1);
  const heed::CartPole world(5);  // no pole falls within five steps, so all batches are equally large
  heed::Threads threads(2);
  gather(threads);
  heed::Reinforce trainer(agent, world, {.batch = 64, .baseline = heed::Baseline::value, .recent = 4}, threads);
  trainer.iterate();
  check_quiet("iterate", [&] { trainer.iterate(); });
}

TEST_CASE("Ppo in threads does not allocate, also where episodes straddle iterations") {
  if (!counted()) return;
  heed::Agent<heed::TransformerPolicy<float>> agent({.observation = 4, .actions = 2, .value = true}, 1);
  const heed::CartPole world(5);  // no pole falls within five steps, so parts of episodes come again and again alike
  heed::Threads threads(2);
  gather(threads);
  heed::Ppo trainer(agent, world, {.lanes = 16, .steps = 7, .epochs = 2, .minibatches = 1, .recent = 4}, threads);
  // How a shuffled batch falls into shards differs: after some, the largest were seen.
  for (int i = 0; i < 60; ++i) trainer.iterate();
  check_quiet("iterate", [&] {
    for (int i = 0; i < 10; ++i) trainer.iterate();
  });
}
