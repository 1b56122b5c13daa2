#include "heed/core/static_layout.hpp"

#include "heed/core/static_parameters.hpp"
#include "support.hpp"

using namespace support;
using heed::Layout, heed::Shape, heed::StaticLayout;

namespace {

template <class L>
L layout_of(const char* name, const Shape& shape) {
  L layout;
  const Axis time = layout.axis();
  const Scope at(layout, time);
  at.weight<Dynamic, Dynamic>("first", {2, 3}, heed::zero());
  at.weight<Dynamic, Dynamic>(name, shape, heed::zero());
  at.along(at.child_axis()).columns(7);
  at.remembered(5, 2);
  at.state(3);
  return layout;
}

}  // namespace

TEST_CASE("a static layout counts what a layout counts") {
  const Layout named = layout_of<Layout>("second", {4});
  const StaticLayout counted = layout_of<StaticLayout>("second", {4});
  CHECK(counted.parameters() == 10);
  CHECK(counted.axes() == 2);
  CHECK(counted.state_rows() == 3);
  CHECK(counted[Axis{0}].remembered == 5);
  CHECK(counted[Axis{0}].lookback == 2);
  CHECK(counted[Axis{1}].rows == 7);
  CHECK(counted[Axis{1}].parent == Axis{0});
  CHECK(counted.parameters() == named.parameters());
  CHECK(counted.fingerprint() == named.fingerprint());
}

TEST_CASE("a copy of a layout goes on by itself") {
  Layout one = layout_of<Layout>("second", {4});
  Layout other = one;
  Scope(other, Axis{0}).weight<Dynamic>("third", {1}, heed::zero());
  CHECK(one.entries().size() == 2);
  CHECK(other.entries().size() == 3);
  CHECK(one.fingerprint() != other.fingerprint());
}

TEST_CASE("the fingerprint is of names and shapes, in their order") {
  const auto print = [](const char* name, const Shape& shape) { return layout_of<Layout>(name, shape).fingerprint(); };
  CHECK(print("second", {4}) == print("second", {4}));
  CHECK(print("second", {4}) != print("secone", {4}));
  CHECK(print("second", {4}) != print("second", {4, 1}));
  CHECK(print("second", {4, 1}) != print("second", {1, 4}));
  CHECK(print("second", {4, 1}) != print("second", {2, 2}));
}

TEST_CASE("static parameters are those of the network, or an error") {
  const StaticLayout layout = layout_of<StaticLayout>("second", {4});
  static constexpr float values[10] = {1, 2, 3}, few[9] = {};
  const heed::ParametersView<const float> p = heed::static_parameters(layout, values, layout.fingerprint());
  CHECK(p[heed::Weight<>{0, 2, 3}].sum() == 6);
  check_complaint("static_parameters: 9 numbers, but the network has 10",
                  [&] { heed::static_parameters(layout, few, layout.fingerprint()); });
  check_complaint("static_parameters: the weights have other names or shapes than those of the network",
                  [&] { heed::static_parameters(layout, values, layout.fingerprint() + 1); });
}
