#include "heed/core/static_memory.hpp"

#include "support.hpp"

using namespace support;
using heed::Layout, heed::StaticMemory;

TEST_CASE("static memory remembers and forgets as the one on the heap") {
  Layout layout;
  const Axis time = layout.axis();
  const auto past = Scope(layout, time).remembered(2, 3);
  const auto state = Scope(layout, time).state(1);
  StaticMemory<double, 1, 2, 24, 1> fixed(layout);
  heed::Memory<double> on_heap(layout, 2);
  const auto one_each = heed::Sequences::uniform(2, 1);
  for (int step = 0; step < 7; ++step) {
    const Tokens<double> x = random<double>(2, 2, std::uint64_t(step));
    for (const auto& m : {heed::MemoryView<double>(fixed), heed::MemoryView<double>(on_heap)}) {
      m.begin(time, one_each);
      for (Index lane = 0; lane < 2; ++lane) m.write(past, lane, x.col(lane));
      m.next(state) = m[state] + x.topRows(1);
    }
    for (Index lane = 0; lane < 2; ++lane) CHECK(fixed.view()(past, lane) == on_heap.view()(past, lane));
    fixed.advance();
    on_heap.advance();
    CHECK(fixed.view()[state] == on_heap.view()[state]);
    CHECK(fixed.length(time, 1) == step + 1);
  }
  fixed.forget();
  CHECK(fixed.length(time, 0) == 0);
  CHECK(fixed.view()[state].isZero());
}

TEST_CASE("static memory says how much room is needed") {
  Layout layout;
  Scope(layout, layout.axis()).remembered(2);
  check_complaint("StaticMemory: made for 19 numbers, but 2 lanes need 20",
                  [&] { StaticMemory<float, 1, 2, 19> m(layout, [](Axis) { return heed::Capacity{.columns = 5}; }); });
  check_complaint("StaticMemory: made for 2 axes and 0 rows of state, but the layout has 1 and 0",
                  [&] { StaticMemory<float, 2, 1, 20> m(layout); });
  check_complaint("StaticMemory: made for 1 axes and 3 rows of state, but the layout has 1 and 0",
                  [&] { StaticMemory<float, 1, 1, 20, 3> m(layout); });
}
