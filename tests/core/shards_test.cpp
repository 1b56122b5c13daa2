#include "heed/core/shards.hpp"

#include "heed/core/agent.hpp"
#include "heed/core/threads.hpp"
#include "heed/layers/transformer_decoder_block.hpp"
#include "heed/networks/entity_policy.hpp"
#include "support.hpp"
#include "support/executors.hpp"

using namespace support;
using heed::Activations;
using heed::Layout;
using heed::Range;
using heed::Sequences;
using heed::Shards;

namespace {

/// Time, entities of each time step, and a source beside time; so many weights that columns alone decide.
struct Axes {
  Layout layout;
  Axis time = layout.axis(), entities = layout.axis(time), source = layout.axis();
  heed::Weight<> w = Scope(layout, time).weight<Dynamic, Dynamic>("w", {128, 128}, heed::constant(1));
  heed::Columns<> x = Scope(layout, time).columns(1);
};
constexpr Index enough = Shards<float>::least_columns;  // columns of a shard
static_assert(Shards<float>::least_work <= 128 * 128 * enough);

Sequences ragged(Index count, Index below, std::uint64_t seed) {
  heed::Random random(seed, "lengths");
  Sequences s;
  for (Index i = 0; i < count; ++i) s.append(random.below(below));
  return s;
}

Index end(Range r) { return r.first + r.count; }

/// The shards' ranges of an axis follow each other from 0 to the end, and their activations have the same sequences.
void check_whole(Shards<float>& shards, Axis axis, const Sequences& all) {
  Index sequence = 0, column = 0;
  for (Index i = 0; i < shards.count(); ++i) {
    const auto shard = shards[i];
    CHECK(shard.number == i);
    CHECK(shard.sequences(axis).first == sequence);
    CHECK(shard.columns(axis).first == column);
    const heed::SequencesView of = shard.a.sequences(axis);
    REQUIRE(of.count() == shard.sequences(axis).count);
    CHECK(of.columns() == shard.columns(axis).count);
    for (Index s = 0; s < of.count(); ++s) REQUIRE(of.length(s) == all.length(sequence + s));
    sequence = end(shard.sequences(axis));
    column = end(shard.columns(axis));
  }
  CHECK(sequence == all.count());
  CHECK(column == all.columns());
}

template <class S>
Index count_of(Shards<S>& shards, Axis time, const Sequences& s) {
  shards.begin({{time, s}});
  return shards.count();
}

}  // namespace

TEST_CASE_METHOD(Axes, "Shards: each sequence once and in order, entities with their step, sources with their target") {
  Shards<float> shards(layout);
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    const Sequences steps = ragged(1 + Index(seed) * 3, 40, seed), sources = ragged(steps.count(), 30, seed + 100);
    const Sequences seen = ragged(steps.columns(), 5, seed + 200);
    shards.begin({{time, steps}, {entities, seen}, {source, sources}});
    check_whole(shards, time, steps);
    check_whole(shards, entities, seen);
    check_whole(shards, source, sources);
    for (Index i = 0; i < shards.count(); ++i) {
      const auto shard = shards[i];
      CHECK(shard.sequences(entities) == shard.columns(time));
      CHECK(shard.sequences(source) == shard.sequences(time));
    }
  }
  CHECK(shards.count() == 8);
  const Sequences few{3, 1};
  shards.begin({{time, few}});  // what the others were is forgotten
  CHECK(shards[0].columns(time) == Range{0, 4});
  CHECK(shards[0].columns(source) == Range{});
  CHECK(shards[0].sequences(entities) == Range{});
}

TEST_CASE_METHOD(Axes, "Shards: equally many columns of all axes, but for a sequence") {
  Shards<float> shards(layout);
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    const Sequences steps = ragged(100 + 5 * Index(seed), 20, seed), seen = ragged(steps.columns(), 9, seed + 100);
    shards.begin({{time, steps}, {entities, seen}});
    REQUIRE(shards.count() == 8);
    Index longest = 0;
    for (Index s = 0; s < steps.count(); ++s) {
      Index columns = steps.length(s);
      for (Index t = 0; t < steps.length(s); ++t) columns += seen.length(steps.first(s) + t);
      longest = std::max(longest, columns);
    }
    const Index mean = (steps.columns() + seen.columns()) / 8;
    for (Index i = 0; i < 8; ++i)
      CHECK(std::abs(shards[i].columns(time).count + shards[i].columns(entities).count - mean) <= longest + 1);
  }
}

TEST_CASE_METHOD(Axes, "Shards: their number depends on the columns, the weights and the most that are wanted") {
  Shards<float> shards(layout);
  const auto ones = [](Index columns) { return Sequences::uniform(columns, 1); };
  const Index of_columns[] = {1, 1, 2, 2, 4, 4, 4, 4, 8, 8};
  for (Index n = 0; n < 10; ++n) {
    if (n > 0) CHECK(count_of(shards, time, ones(n * enough)) == of_columns[n]);
    CHECK(count_of(shards, time, ones(n * enough + enough - 1)) == of_columns[n]);
  }
  CHECK(count_of(shards, time, ones(100 * enough)) == 8);
  for (const auto& [most, number] : std::vector<std::pair<Index, Index>>{{1, 1}, {2, 2}, {3, 2}, {7, 4}, {16, 16}}) {
    Shards<float> others(layout, most);
    CHECK(count_of(others, time, ones(100 * enough)) == number);
  }

  // Few weights: so many columns that it is work.
  Layout small;
  const Axis along = small.axis();
  Scope(small, along).weight<Dynamic>("w", {64}, heed::zero());
  Shards<float> of_small(small);
  const Index columns = Shards<float>::least_work / 64;
  CHECK(count_of(of_small, along, Sequences::uniform(4, columns / 2 - 1)) == 1);
  CHECK(count_of(of_small, along, Sequences::uniform(4, columns / 2)) == 2);
}

TEST_CASE_METHOD(Axes, "Shards: long and empty sequences, and batches without a column") {
  Shards<float> shards(layout);
  const auto check = [&](const Sequences& s, Index number) {
    CHECK(count_of(shards, time, s) == number);
    check_whole(shards, time, s);
    for (Index i = 0; i < number; ++i) CHECK(shards[i].columns(time).count >= s.columns() / 16);
  };
  check({100 * enough}, 1);
  check({0, 0, 0}, 1);
  check({0, 100 * enough, 0}, 1);
  check({0, 50 * enough, 0, 50 * enough, 0, 0}, 2);
  check({1, 100 * enough, 1}, 1);
  check({enough, 100 * enough, 8 * enough}, 2);
  Sequences many = Sequences::uniform(1000, 0);
  many.append(5 * enough), many.append(0), many.append(5 * enough);
  for (int i = 0; i < 1000; ++i) many.append(0);
  check(many, 2);
}

namespace {

/// A block that attends to a source: two axes that belong to none, dropout in training.
struct Pass {
  using Layer = heed::TransformerDecoderBlock<float>;
  static constexpr Index width = 32;
  Layout layout;
  Axis time = layout.axis(), source = layout.axis();
  Layer layer;
  Parameters<float> p;
  Sequences targets = ragged(60, 40, 1), sources = ragged(60, 40, 2);
  Tokens<float> x = random<float>(width, targets.columns(), 3), key = random<float>(width, sources.columns(), 4);
  Tokens<float> dy = random<float>(width, targets.columns(), 5), y = x, dx = x, dkey = key;

  explicit Pass(double dropout = 0)
      : layer(Scope(layout, time, "block"), source, {.dim = width, .heads = 4, .inner = 64, .dropout = dropout}),
        p(layout, 1) {}

  /// Into y, dx, dkey; returns the gradient of the weights.
  Eigen::VectorXf sharded(Shards<float>& shards, heed::Executor executor) {
    shards.begin({{time, targets}, {source, sources}});
    const auto of = [](auto& m, Range r) { return m.middleCols(r.first, r.count); };
    shards.each(executor, [&](const auto& shard) {
      const Range t = shard.columns(time), s = shard.columns(source);
      layer.forward(p, of(x, t), of(key, s), of(y, t), shard.a);
    });
    shards.each(executor, [&](const auto& shard) {
      const Range t = shard.columns(time), s = shard.columns(source);
      layer.backward(p, of(x, t), of(key, s), of(dy, t), shard.a, shard.g, of(dx, t), of(dkey, s));
    });
    return shards.sum(executor).flat;
  }
  Eigen::VectorXf whole(Activations<float>& a) {
    Parameters<float> g(layout);
    a.begin(time, targets);
    a.begin(source, sources);
    layer.forward(p, x, key, y, a);
    layer.backward(p, x, key, dy, a, g, dx, dkey);
    return g.flat;
  }
};

}  // namespace

TEST_CASE("Shards: what the whole batch gives, but for rounding") {
  Pass pass;
  Activations<float> a(pass.layout);
  const auto g = pass.whole(a);
  const auto y = pass.y, dx = pass.dx, dkey = pass.dkey;
  pass.y.setZero(), pass.dx.setZero(), pass.dkey.setZero();
  Shards<float> shards(pass.layout);
  CHECK(distance(pass.sharded(shards, {}), g) <= 1e-5);
  CHECK(shards.count() == 8);
  CHECK(distance(pass.y, y) <= 1e-6);
  CHECK(distance(pass.dx, dx) <= 1e-6);
  CHECK(distance(pass.dkey, dkey) <= 1e-6);
  CHECK(same_bits(shards.gradient().flat, pass.sharded(shards, {})));  // and the same again
}

TEST_CASE("Shards: a batch that is one shard gives the bits of Activations") {
  Pass pass;
  Activations<float> a(pass.layout);
  const auto g = pass.whole(a);
  const auto y = pass.y, dx = pass.dx;
  Shards<float> shards(pass.layout, 1);
  CHECK(same_bits(pass.sharded(shards, {}), g));
  CHECK(same_bits(pass.y, y));
  CHECK(same_bits(pass.dx, dx));
}

TEST_CASE("Shards: the same bits whoever runs them") {
  for (const double dropout : {0.0, 0.2}) {
    Pass pass(dropout);
    Shards<float> of_serial(pass.layout);
    of_serial.mode = {.training = dropout > 0, .seed = 4};
    const auto g = pass.sharded(of_serial, {});
    const auto y = pass.y, dx = pass.dx, dkey = pass.dkey;
    const auto check = [&](heed::Executor executor) {
      Shards<float> shards(pass.layout);
      shards.mode = of_serial.mode;
      for (int again = 0; again < 3; ++again) {
        CHECK(same_bits(pass.sharded(shards, executor), g));
        CHECK(same_bits(pass.y, y));
        CHECK(same_bits(pass.dx, dx));
        CHECK(same_bits(pass.dkey, dkey));
      }
    };
    Reverse reverse;
    check(reverse);
    for (const Index n : {1, 2, 7}) {
      heed::Threads threads(n);
      check(threads);
    }
  }
}

TEST_CASE("Shards: each draws other random numbers, the first those of the whole batch") {
  Pass pass(0.5);
  Activations<float> a(pass.layout);
  a.mode = {.training = true, .seed = 4};
  pass.targets = pass.sources = Sequences::uniform(64, 8);
  for (Tokens<float>* m : {&pass.x, &pass.key, &pass.dy, &pass.y, &pass.dx, &pass.dkey})
    *m = random<float>(32, 8, 5).replicate(1, 64);
  pass.whole(a);
  const auto y = pass.y;
  Shards<float> shards(pass.layout);
  shards.mode = a.mode;
  pass.sharded(shards, {});
  REQUIRE(shards.count() == 8);
  CHECK(distance(pass.y.leftCols(64), y.leftCols(64)) <= 1e-6);
  for (Index i = 0; i < 8; ++i)
    for (Index j = 0; j < i; ++j) CHECK(distance(pass.y.middleCols(i * 64, 64), pass.y.middleCols(j * 64, 64)) > 0.1);
  const auto first = pass.y;
  shards.mode.seed = 5;
  pass.sharded(shards, {});
  for (Index i = 0; i < 8; ++i)
    for (Index j = 0; j < 8; ++j) CHECK(distance(pass.y.middleCols(i * 64, 64), first.middleCols(j * 64, 64)) > 0.1);
  shards.mode.training = false;
  pass.sharded(shards, {});
  CHECK(distance(pass.y.leftCols(64), pass.y.rightCols(64)) <= 1e-6);
}

TEST_CASE("Shards: entities of a step stay with it") {
  heed::Agent<heed::EntityPolicy<double>> agent({.observation = 3, .actions = 2, .width = 16, .heads = 2}, 1);
  const Sequences steps = ragged(90, 20, 1), seen = ragged(steps.columns(), 5, 2);
  const Tokens<double> x = random<double>(3, seen.columns(), 3), dlogits = random<double>(2, steps.columns(), 4);
  Activations<double> a(agent.layout);
  a.begin(agent.net.time, steps);
  a.begin(agent.net.input, seen);
  agent.net.forward(agent.p, x, a);
  a.d(agent.net.logits) = dlogits;
  Parameters<double> g(agent.layout);
  agent.net.backward(agent.p, x, a, g, heed::no_gradient);

  Shards<double> shards(agent.layout);
  shards.begin({{agent.net.time, steps}, {agent.net.input, seen}});
  REQUIRE(shards.count() >= 4);
  shards.each({}, [&](const auto& shard) {
    const Range t = shard.columns(agent.net.time), e = shard.columns(agent.net.input);
    const auto mine = x.middleCols(e.first, e.count);
    agent.net.forward(agent.p, mine, shard.a);
    CHECK(distance(shard.a[agent.net.logits], a[agent.net.logits].middleCols(t.first, t.count)) <= 1e-12);
    shard.a.d(agent.net.logits) = dlogits.middleCols(t.first, t.count);
    agent.net.backward(agent.p, mine, shard.a, shard.g, heed::no_gradient);
  });
  CHECK(distance(shards.sum().flat, g.flat) <= 1e-12);
}

TEST_CASE_METHOD(Axes, "Shards: gradients add up until they are summed, then start from zero") {
  Layout large;
  const Axis along = large.axis();
  const auto weight = Scope(large, along).weight<Dynamic, Dynamic>("w", {300, 300}, heed::zero());
  Shards<double> shards(large);
  shards.begin({{along, Sequences::uniform(8 * enough, 1)}});
  const auto add = [&](const auto& shard) { shard.g[weight].array() += double(shard.number + 1); };
  heed::Threads threads(2);
  for (int batch = 0; batch < 3; ++batch) {
    shards.each(threads, add);
    shards.each(threads, add);
    CHECK((shards.sum(threads).flat.array() == 72).all());
    shards.each(threads, add);
    CHECK((shards.sum().flat.array() == 36).all());
    shards.each(threads, add);
    shards.begin({{along, Sequences::uniform(2 * enough, 1)}});  // what was not summed is lost
    shards.each(threads, add);
    CHECK((shards.sum().flat.array() == 3).all());
    shards.begin({{along, Sequences::uniform(8 * enough, 1)}});
  }
}

TEST_CASE("Shards: what does not learn has no gradient in the sum") {
  Layout layout;
  const Axis along = layout.axis();
  const Scope at(layout, along);
  const auto learned = at.weight<Dynamic>("learned", {3}, heed::zero());
  const auto frozen = at.weight<Dynamic>("frozen", {4}, heed::zero());
  const auto counted = at.weight<Dynamic>("counted", {2}, heed::zero(), {.trained = false});
  layout.freeze("frozen");
  Shards<double> shards(layout);
  shards.begin({{along, Sequences::uniform(2, 1)}});
  for (int batch = 0; batch < 2; ++batch) {
    shards.each({}, [&](const auto& shard) {
      for (const auto& weight : {learned, frozen, counted}) shard.g[weight].array() += 1;
    });
    shards.sum();
    CHECK((shards.gradient()[learned].array() == 1).all());
    CHECK((shards.gradient()[frozen].array() == 0).all());
    CHECK((shards.gradient()[counted].array() == 0).all());
  }
}

TEST_CASE_METHOD(Axes, "Shards: a task's error comes out, and the next batch is whole") {
  heed::Threads threads(2);
  Shards<float> shards(layout);
  const Sequences s = Sequences::uniform(8, enough);
  shards.begin({{time, s}});
  check_complaint("Columns: 3", [&] {
    shards.each(threads, [&](const auto& shard) {
      shard.g[w].setOnes();
      if (shard.number >= 3) heed::detail::fail("Columns: %ld", long(shard.number));
    });
  });
  shards.begin({{time, s}});
  shards.each(threads, [&](const auto& shard) { shard.g[w].array() += 1; });
  CHECK((shards.sum(threads).flat.array() == 8).all());
}

TEST_CASE_METHOD(Axes, "Shards: errors") {
  check_complaint("at most 0 shards", [&] { Shards<float>(layout, 0); });
  Shards<float> shards(layout);
  CHECK(shards.count() == 0);
  const Sequences two{3, 2}, three{1, 1, 1}, five{1, 0, 0, 2, 4}, none;
  check_complaint("Shards: an empty batch", [&] { shards.begin({{time, none}}); });
  check_complaint("Shards: an empty batch", [&] { shards.begin({}); });
  check_complaint("axis 2 has 3 sequences, but 2 are needed", [&] { shards.begin({{time, two}, {source, three}}); });
  check_complaint("axis 1 has 3 sequences, but 5 are needed", [&] { shards.begin({{time, two}, {entities, three}}); });
  check_complaint("axis 1 comes without its parent axis 0, or before it", [&] { shards.begin({{entities, five}}); });
  check_complaint("axis 1 comes without its parent axis 0, or before it", [&] {
    shards.begin({{source, two}, {entities, five}, {time, two}});
  });
  check_complaint("axis 0 comes twice", [&] { shards.begin({{time, two}, {entities, five}, {time, two}}); });
  check_complaint("axis 3 is not one of its 3", [&] { shards.begin({{{3}, two}}); });
  check_complaint("axis -1 is not one of its 3", [&] { shards.begin({{{}, two}}); });
}
