#include "heed/detail/lockstep.hpp"

#include <string>

#include "catch.hpp"

using heed::Axis, heed::Index;
using heed::detail::Direction, heed::detail::Lockstep;

namespace {

/// "sequence:column:now:after" of each place, step by step.
std::string places(std::initializer_list<Index> lengths, Direction direction) {
  heed::Layout layout;
  const Axis time = layout.axis();
  const Lockstep lockstep{heed::Scope(layout, time)};
  heed::Activations<float> a(layout);
  a.begin(time, lengths);
  lockstep.begin(a.view());
  std::string all;
  for (Index t = 0; t < a.sequences(lockstep.steps).count(); ++t) {
    all += t == 0 ? "" : "| ";
    lockstep.each(a.view(), t, direction, [&](Lockstep::Place at) {
      for (const Index i : {at.sequence, at.column, at.now}) all += std::to_string(i) + ":";
      all += std::to_string(at.after) + " ";
    });
  }
  CHECK(a.columns(lockstep.steps) == a.columns(time));
  return all;
}

}  // namespace

TEST_CASE("Lockstep: a block for each step, a column for each sequence that is so long") {
  CHECK(places({2, 0, 3, 1}, Direction::forward) == "0:0:0:3 2:2:1:4 3:5:2:-1 | 0:1:3:-1 2:3:4:5 | 2:4:5:-1 ");
  CHECK(places({2, 0, 3, 1}, Direction::reverse) == "0:1:0:3 2:4:1:4 3:5:2:-1 | 0:0:3:-1 2:3:4:5 | 2:2:5:-1 ");
  CHECK(places({1}, Direction::reverse) == "0:0:0:-1 ");
  CHECK(places({0, 0}, Direction::forward).empty());
}
