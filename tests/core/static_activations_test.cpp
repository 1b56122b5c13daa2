#include "heed/core/static_activations.hpp"

#include "support.hpp"

using namespace support;
using heed::Layout, heed::StaticActivations;

TEST_CASE("static activations hold what those on the heap hold") {
  Layout layout;
  const Axis time = layout.axis(), entities = layout.axis(time);
  const auto of_time = Scope(layout, time).columns(3);
  const auto of_entities = Scope(layout, entities).columns(2);
  StaticActivations<double, 2, 2, 5, 25> fixed(layout);
  heed::Activations<double> on_heap(layout);
  const auto begin = [&](heed::ActivationsView<double> a) {
    a.begin(time, 2, [](Index i) { return Index(1) + i; });
    a.begin(entities, 3, [](Index i) { return i; });
  };
  CHECK_THROWS(begin(fixed));  // three sequences of entities, and room for two
  StaticActivations<double, 2, 3, 5, 25> enough(layout);
  begin(enough);
  begin(on_heap);
  CHECK(enough.view().columns(entities) == 3);
  for (const auto& a : {heed::ActivationsView<double>(enough), heed::ActivationsView<double>(on_heap)}) {
    a[of_time].setConstant(1);
    a[of_entities].setConstant(2);
    a.d(of_time).setConstant(3);
    a.d(of_entities).setConstant(4);
  }
  CHECK(enough[of_time] == on_heap[of_time]);
  CHECK(enough[of_entities] == on_heap[of_entities]);
  CHECK(enough.d(of_time) == on_heap.d(of_time));
  CHECK(enough.d(of_entities) == on_heap.d(of_entities));
}

TEST_CASE("static activations without gradients, of fewer columns along some axes") {
  Layout layout;
  const Axis time = layout.axis(), entities = layout.axis(time);
  const auto of_time = Scope(layout, time).columns(30);
  const auto of_entities = Scope(layout, entities).columns(2);
  const auto columns = [&](Axis axis) { return Index(axis == time ? 1 : 5); };
  using Acting = StaticActivations<double, 2, 1, 5, 40, 0>;
  static_assert(sizeof(Acting) + 39 * sizeof(double) - 64 <= sizeof(StaticActivations<double, 2, 1, 5, 40>));
  Acting a(layout, columns);
  const heed::ActivationsView<double> view = a;
  view.begin(time, 1, [](Index) { return Index(1); });
  view.begin(entities, 1, [](Index) { return Index(5); });
  a[of_time].setConstant(1);
  a[of_entities].setConstant(2);
  CHECK(a[of_time] == Tokens<double>::Constant(30, 1, 1));
  CHECK(a[of_entities] == Tokens<double>::Constant(2, 5, 2));
  check_complaint("Activations: 1 sequences of 2 columns on axis 0, but there is room for 1 of 1",
                  [&] { view.begin(time, 1, [](Index) { return Index(2); }); });
  check_complaint("StaticActivations: made for 2 axes and 39 numbers, but the layout has 2 and needs 40",
                  [&] { StaticActivations<double, 2, 1, 5, 39, 0> few(layout, columns); });
}

TEST_CASE("static activations say how much room is needed") {
  Layout layout;
  Scope(layout, layout.axis()).columns(3);
  check_complaint("StaticActivations: made for 1 axes and 11 numbers, but the layout has 1 and needs 12",
                  [&] { StaticActivations<float, 1, 1, 4, 11> a(layout); });
  check_complaint("StaticActivations: made for 2 axes and 12 numbers, but the layout has 1 and needs 12",
                  [&] { StaticActivations<float, 2, 1, 4, 12> a(layout); });
  StaticActivations<float, 1, 1, 4, 12> a(layout);
  check_complaint("Activations: 1 sequences of 5 columns on axis 0, but there is room for 1 of 4",
                  [&] { a.view().begin(Axis{0}, 1, [](Index) { return Index(5); }); });
}
