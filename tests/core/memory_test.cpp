#include "heed/core/memory.hpp"

#include "catch.hpp"
#include "heed/core/activations.hpp"
#include "heed/core/scope.hpp"

using heed::Axis;
using heed::Capacity;
using heed::Index;
using heed::Layout;
using heed::Memory;
using heed::MemoryView;
using heed::Random;
using heed::Remembered;
using heed::Scope;
using heed::Sequences;
using heed::unlimited;

namespace {

/// What is to be remembered at a position: a column of numbers that no other place has.
Eigen::MatrixXd columns_at(Index first, Index count, Index lane, double who, Index rows) {
  Eigen::MatrixXd x(rows, count);
  for (Index j = 0; j < count; ++j)
    for (Index i = 0; i < rows; ++i) x(i, j) = double(first + j) + 1e5 * double(lane) + 1e-3 * double(i) + 1e7 * who;
  return x;
}

struct Fixture {
  Layout layout;
  Axis time = layout.axis(), source = layout.axis();
  Scope at{layout, time};

  static void extend(Memory<double>& memory, Axis axis, const Sequences& s) {
    MemoryView<double>(memory).begin(axis, s);
  }
  /// Extends the lanes and writes what belongs there; `who` tells repeated attempts apart.
  static void write(Memory<double>& memory, Remembered<> h, const Sequences& s, double who) {
    const MemoryView<double> m = memory;
    m.begin(h.axis, s);
    for (Index lane = 0; lane < m.lanes(); ++lane)
      m.write(h, lane, columns_at(m.length(h.axis, lane), s.length(lane), lane, who, h.rows));
  }
};

}  // namespace

TEST_CASE_METHOD(Fixture, "Memory: columns are seen at once and committed by advance") {
  const Remembered<> k = at.remembered(2);
  Memory<double> memory(layout, 1, 10);
  const MemoryView<double> m = memory;
  CHECK(m.lanes() == 1);
  CHECK(m.window(time) == unlimited);

  write(memory, k, {3}, 1);
  CHECK(m.length(time, 0) == 0);
  CHECK(m.pending(time, 0) == 3);
  CHECK(m(k, 0) == columns_at(0, 3, 0, 1, 2));

  write(memory, k, {2}, 2);  // not committed, so it starts again
  CHECK(m(k, 0) == columns_at(0, 2, 0, 2, 2));
  memory.advance(0);
  CHECK(memory.length(time, 0) == 2);
  CHECK(m.pending(time, 0) == 0);
  memory.advance(0);  // nothing is pending any more
  CHECK(memory.length(time, 0) == 2);

  write(memory, k, {4}, 2);
  CHECK(m.first(time, 0) == 0);
  CHECK(m(k, 0) == columns_at(0, 6, 0, 2, 2));
}

TEST_CASE_METHOD(Fixture, "Memory: saying twice what is coming does no harm") {
  const Remembered<> k = at.remembered(1), v = at.remembered(3);
  Memory<double> memory(layout, 2, 4);
  write(memory, k, {1, 2}, 1);
  write(memory, v, {1, 2}, 5);
  const MemoryView<double> m = memory;
  CHECK(m.pending(time, 1) == 2);
  memory.advance();
  CHECK(memory.length(time, 0) == 1);
  CHECK(memory.length(time, 1) == 2);
  for (Index lane : {0, 1}) {
    CHECK(m(k, lane) == columns_at(0, lane + 1, lane, 1, 1));
    CHECK(m(v, lane) == columns_at(0, lane + 1, lane, 5, 3));
  }
}

TEST_CASE_METHOD(Fixture, "Memory: lanes wait, start late and forget without disturbing others") {
  const Remembered<> k = at.remembered(2);
  Memory<double> memory(layout, 3, 20);
  const MemoryView<double> m = memory;
  write(memory, k, {2, 0, 1}, 1);
  memory.advance();
  write(memory, k, {1, 3, 0}, 1);
  memory.advance(0);
  memory.advance(1);  // lane 2 has nothing to commit
  CHECK(m(k, 0) == columns_at(0, 3, 0, 1, 2));
  CHECK(m(k, 1) == columns_at(0, 3, 1, 1, 2));
  CHECK(m(k, 2) == columns_at(0, 1, 2, 1, 2));

  memory.forget(1);
  CHECK(memory.length(time, 1) == 0);
  CHECK(m(k, 1).cols() == 0);
  CHECK(m(k, 0) == columns_at(0, 3, 0, 1, 2));
  write(memory, k, {1, 1, 1}, 1);
  CHECK(m(k, 1) == columns_at(0, 1, 1, 1, 2));
  CHECK(m(k, 2) == columns_at(0, 2, 2, 1, 2));
  memory.forget();
  for (Index lane = 0; lane < 3; ++lane) {
    CHECK(memory.length(time, lane) == 0);
    CHECK(m.pending(time, lane) == 0);
  }
}

TEST_CASE_METHOD(Fixture, "Memory: a ring shows its window, in order and contiguous, after many rounds") {
  const Index window = GENERATE(1, 2, 5, 8), chunk = GENERATE(1, 3, 7);
  const bool by_lookback = GENERATE(false, true);
  CAPTURE(window, chunk, by_lookback);
  const Remembered<> k = by_lookback ? at.remembered(2, window) : at.remembered(2);
  const Remembered<> v = by_lookback ? at.remembered(3, window) : at.remembered(3);
  const Index lanes = 3;
  Memory<double> memory(layout, lanes,
                        Capacity{.columns = by_lookback ? 0 : window, .ring = !by_lookback, .chunk = chunk});
  const MemoryView<double> m = memory;
  CHECK(m.window(time) == window);

  Random random(std::uint64_t(window * 100 + chunk));
  Index length[lanes] = {}, longest = 0;
  for (int round = 0; round < 300; ++round) {
    // A first attempt that is thrown away, then the real one.
    for (double who : {9.0, 1.0}) {
      Sequences s;
      for (Index lane = 0; lane < lanes; ++lane) s.append(random.below(chunk + 1));
      write(memory, k, s, who);
      write(memory, v, s, who + 1);
      for (Index lane = 0; lane < lanes; ++lane) {
        // The first of the pending columns sees the window that ends with it; where none is pending, all is in sight.
        const Index n = s.length(lane), first = std::max(Index(0), length[lane] + (n > 0) - window);
        const Index old = length[lane] - first;
        REQUIRE(m.length(time, lane) == length[lane]);
        REQUIRE(m.first(time, lane) == first);
        REQUIRE(m(k, lane).cols() == old + n);
        if (by_lookback && n == 0) continue;  // nobody looks, and the oldest may be gone
        REQUIRE(m(k, lane).leftCols(old) == columns_at(first, old, lane, 1, 2));
        REQUIRE(m(k, lane).rightCols(n) == columns_at(length[lane], n, lane, who, 2));
        REQUIRE(m(v, lane).leftCols(old) == columns_at(first, old, lane, 2, 3));
        REQUIRE(m(v, lane).rightCols(n) == columns_at(length[lane], n, lane, who + 1, 3));
      }
    }
    for (Index lane = 0; lane < lanes; ++lane) {
      if (random.below(3) == 0) continue;
      length[lane] += m.pending(time, lane);
      memory.advance(lane);
      longest = std::max(longest, length[lane]);
    }
    if (random.below(40) == 0) {
      const Index lane = random.below(lanes);
      memory.forget(lane);
      length[lane] = 0;
    }
  }
  CHECK(longest > 3 * (window + chunk));
}

TEST_CASE_METHOD(Fixture, "Memory: where every layer looks back a bounded number, that is what is kept") {
  at.remembered(1, 4);
  at.remembered(1, 6);
  CHECK(MemoryView<double>(*std::make_unique<Memory<double>>(layout, 1)).window(time) == 6);
  Memory<double> memory(layout, 1, Capacity{.columns = 100, .ring = true});
  CHECK(MemoryView<double>(memory).window(time) == 6);
}

TEST_CASE_METHOD(Fixture, "Memory: each axis has its own length and capacity") {
  const Remembered<> k = at.remembered(2), s = at.along(source).remembered(3);
  Memory<double> memory(layout, 2, {{time, {.columns = 2, .ring = true}}, {source, {.columns = 5}}});
  const MemoryView<double> m = memory;
  CHECK(m.window(time) == 2);
  CHECK(m.window(source) == unlimited);
  write(memory, s, {5, 3}, 2);
  for (int step = 0; step < 9; ++step) {
    write(memory, k, {1, 1}, 1);
    memory.advance();
  }
  CHECK(memory.length(time, 1) == 9);
  CHECK(memory.length(source, 1) == 3);
  CHECK(m(s, 0) == columns_at(0, 5, 0, 2, 3));
  CHECK(m(s, 1) == columns_at(0, 3, 1, 2, 3));
  CHECK(m(k, 1) == columns_at(7, 2, 1, 1, 2));
  write(memory, k, {1, 1}, 1);
  CHECK(m(k, 1) == columns_at(8, 2, 1, 1, 2));
  CHECK_THROWS_WITH(extend(memory, source, {1, 0}),
                    ContainsSubstring("lane 0 holds 5 columns on axis 1 and cannot take 1 more"));
}

TEST_CASE_METHOD(Fixture, "Memory: an axis along which nothing is remembered still counts") {
  at.along(source).columns(2);
  Memory<double> memory(layout, 1);
  for (int i = 0; i < 1000; ++i) {
    extend(memory, source, {100});
    memory.advance();
  }
  CHECK(memory.length(source, 0) == 100000);
  CHECK(memory.length(time, 0) == 0);
}

TEST_CASE_METHOD(Fixture, "Memory: states are replaced by advance and cleared by forget") {
  const auto h = at.state(2);
  const auto c = at.state<3>();
  Memory<double> memory(layout, 3);
  const MemoryView<double> m = memory;
  static_assert(decltype(m[c])::RowsAtCompileTime == 3);
  CHECK((m[h].rows() == 2 && m[h].cols() == 3));
  CHECK(m[h].isZero(0));
  m.next(h).setConstant(1);
  m.next(c).setConstant(2);
  CHECK(m[h].isZero(0));  // not before advance
  CHECK(m[c].isZero(0));
  memory.advance(1);
  CHECK(m[h] == Eigen::Matrix<double, 2, 3>{{0, 1, 0}, {0, 1, 0}});
  CHECK(m[c].col(1) == Eigen::Vector3d::Constant(2));
  CHECK(m[c].col(2).isZero(0));
  memory.advance();
  CHECK(m[h] == Eigen::MatrixXd::Constant(2, 3, 1));
  memory.forget(0);
  CHECK(m[h].col(0).isZero(0));
  CHECK(m[c].col(0).isZero(0));
  CHECK(m[h].col(1) == Eigen::Vector2d::Constant(1));
  memory.advance(0);  // what was prepared before is forgotten, too
  CHECK(m[h].col(0).isZero(0));
  memory.forget();
  CHECK(m[c].isZero(0));
}

TEST_CASE_METHOD(Fixture, "Memory: errors of making it") {
  CHECK_THROWS_WITH(Memory<double>(layout, 0), ContainsSubstring("Memory: 0 lanes, but at least 1 is needed"));
  CHECK_THROWS_WITH(Memory<double>(layout, -2), ContainsSubstring("Memory: -2 lanes"));
  at.remembered(2);
  CHECK_THROWS_WITH(Memory<double>(layout, 1), ContainsSubstring("axis 0 needs a capacity"));
  CHECK_THROWS_WITH(Memory<double>(layout, 1, -3), ContainsSubstring("capacity -3 and chunk 1 of axis 0"));
  CHECK_THROWS_WITH(Memory<double>(layout, 1, Capacity{.columns = 4, .chunk = 0}), ContainsSubstring("chunk 0"));
  CHECK_THROWS_WITH((Memory<double>(layout, 1, {{source, {.columns = 3}}})),
                    ContainsSubstring("axis 0 needs a capacity"));
  CHECK_THROWS_WITH((Memory<double>(layout, 1, {{time, {.columns = 3}}, {Axis{2}, {.columns = 3}}})),
                    ContainsSubstring("a capacity for axis 2, which is not one of 2"));
}

TEST_CASE_METHOD(Fixture, "Memory: errors of extending it change nothing") {
  const Remembered<> k = at.remembered(1);
  Memory<double> full(layout, 2, 4);
  write(full, k, {1, 3}, 1);
  full.advance();
  CHECK_THROWS_WITH(
      extend(full, time, {1, 2}),
      ContainsSubstring(
          "lane 1 holds 3 columns on axis 0 and cannot take 2 more: its capacity is 4 and it is not a ring"));
  CHECK(MemoryView<double>(full).pending(time, 0) == 0);
  CHECK_THROWS_WITH(extend(full, time, {1}), ContainsSubstring("1 sequences on axis 0, but there are 2 lanes"));
  CHECK_THROWS_WITH(full.advance(2), ContainsSubstring("lane 2 is not one of its 2"));
  CHECK_THROWS_WITH(full.length(time, 2), ContainsSubstring("lane 2 is not one of its 2"));
  CHECK_THROWS_WITH(full.length(Axis{5}, 0), ContainsSubstring("axis 5 is not one of its 2"));
  CHECK_THROWS_WITH(full.forget(-1), ContainsSubstring("lane -1 is not one of its 2"));
  extend(full, time, {3, 1});

  Memory<double> ring(layout, 1, Capacity{.columns = 4, .ring = true, .chunk = 2});
  CHECK_THROWS_WITH(extend(ring, time, {3}),
                    ContainsSubstring("3 columns at once on axis 0, but its ring was made for chunks of at most 2"));
  extend(ring, time, {2});
}

TEST_CASE("Memory: over static arrays of one's own, as on the heap") {
  Layout layout(false);
  const Axis time = layout.axis(), source = layout.axis();
  const Remembered<> k = Scope(layout, time).remembered(2, 3), s = Scope(layout, source).remembered(1);
  const auto h = Scope(layout, time).state(2);
  constexpr Index lanes = 2;
  static Index lengths[2 * lanes], pending[2 * lanes];
  static double columns[lanes * (2 * 6 + 1 * 4)], state[2 * lanes], next[2 * lanes];
  heed::AxisMemory axes[] = {axis_memory(time, layout[time], {}), axis_memory(source, layout[source], {.columns = 4})};
  axes[1].offset = lanes * axes[0].rows * axes[0].width;
  REQUIRE(axes[1].offset + lanes * axes[1].rows * axes[1].width == std::ssize(columns));
  const MemoryView<double> m(axes, 2, lanes, layout.state_rows(), lengths, pending, columns, state, next);

  Memory<double> memory(layout, lanes, 4);
  const MemoryView<double> heap = memory;
  for (Index step = 0; step < 20; ++step) {
    for (const auto& each : {m, heap}) {
      if (step == 9) each.forget(1);
      each.begin(time, Sequences{1, step % 2});
      each.begin(source, Sequences{step < 4, 0});
      for (Index lane = 0; lane < lanes; ++lane) {
        each.write(k, lane, columns_at(each.length(time, lane), each.pending(time, lane), lane, 1, 2));
        each.write(s, lane, columns_at(each.length(source, lane), each.pending(source, lane), lane, 2, 1));
      }
      each.next(h).setConstant(double(step));
    }
    for (Index lane = 0; lane < lanes; ++lane) {
      CHECK(m(k, lane) == heap(k, lane));
      CHECK(m(s, lane) == heap(s, lane));
    }
    CHECK(m[h] == heap[h]);
    for (const auto& each : {m, heap})
      for (Index lane = 0; lane < lanes; ++lane) each.advance(lane);
  }
  CHECK(m(s, 0).cols() == 4);
  CHECK_THROWS_WITH(m.advance(2), ContainsSubstring("lane 2 is not one of its 2"));
}

TEST_CASE("Memory: an extend that failed leaves nothing to commit") {
  Layout layout;
  const Axis time = layout.axis(), source = layout.axis();
  const auto past = heed::Scope(layout, source).remembered(2);
  heed::Memory<double> m(layout, 1, 4);
  heed::Activations<double> a(layout);
  a.begin(time, {3});
  a.begin(source, {5});
  const heed::MemoryView<double> view = m;
  view.begin(time, a.sequences(time));
  CHECK_THROWS(view.begin(source, a.sequences(source)));
  m.advance();
  CHECK(m.length(time, 0) == 0);
  CHECK(view(past, 0).cols() == 0);
}
