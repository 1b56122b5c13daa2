#include "heed/core/scope.hpp"

#include "catch.hpp"

using heed::Axis;
using heed::Dynamic;
using heed::Index;
using heed::Layout;
using heed::Scope;

TEST_CASE("Scope: names are joined by dots, numbers as PyTorch's lists have them") {
  Layout layout;
  const Scope at(layout, layout.axis());
  CHECK(at.name().empty());
  CHECK((at / "encoder").name() == "encoder");
  CHECK((at / "encoder" / "layers" / 0 / "norm1").name() == "encoder.layers.0.norm1");
  CHECK((at / Index(12)).name() == "12");
  CHECK((at / "").name().empty());
  CHECK((at / "a" / "").name() == "a");
  CHECK(Scope(layout, at.axis(), "net").name() == "net");
}

TEST_CASE("Scope: a child leaves its parent as it was") {
  Layout layout;
  const Scope at(layout, layout.axis(), "net");
  const Scope a = at / "a", b = at / "b";
  CHECK(at.name() == "net");
  CHECK(a.name() == "net.a");
  CHECK(b.name() == "net.b");
}

TEST_CASE("Scope: the same place along another axis, a child axis and a sibling") {
  Layout layout;
  const Axis time = layout.axis(), other = layout.axis();
  const Scope at(layout, time, "net");
  CHECK(at.axis() == time);
  CHECK(at.along(other).axis() == other);
  CHECK(at.along(other).name() == "net");
  CHECK((at.along(other) / "x").axis() == other);
  const Axis child = at.child_axis();
  CHECK(child == Axis{2});
  CHECK(layout[child].parent == time);
  CHECK(at.along(child).sibling_axis() == Axis{3});
  CHECK(layout[Axis{3}].parent == time);
  CHECK(layout[at.sibling_axis()].parent == Axis{});
  CHECK(layout[at.along(child).new_axis()].parent == Axis{});
  CHECK(at.along(child).nested());
  CHECK(!at.nested());
}

TEST_CASE("Scope: handles know their place") {
  Layout layout;
  const Axis time = layout.axis();
  const Scope at(layout, time);
  const auto w = at.weight<3, Dynamic>("w", {3, 4}, heed::zero());
  static_assert(std::is_same_v<decltype(w), const heed::Weight<3, Dynamic>>);
  CHECK((w.rows == 3 && w.cols == 4));
  const auto c = at.columns<5>();
  static_assert(std::is_same_v<decltype(c), const heed::Columns<5>>);
  CHECK((c.axis == time && c.rows == 5));
  const auto m = at.remembered<2>();
  CHECK((m.axis == time && m.rows == 2));
  const auto s = at.state<7>();
  CHECK(s.rows == 7);
}

TEST_CASE("Handles: made by default they are of nothing") {
  CHECK_FALSE(heed::Weight<>{});
  CHECK_FALSE(heed::Columns<>{});
  Layout layout;
  const Scope at(layout, layout.axis());
  CHECK(at.weight<Dynamic>("first", {1}, heed::zero()));
  CHECK(at.columns(1));
}

TEST_CASE("Scope: errors") {
  Layout layout;
  const Scope at(layout, layout.axis(), "net");
  CHECK_THROWS_WITH((at.weight<3, 4>("w", {3, 5}, heed::zero())),
                    ContainsSubstring("net.w: shape 3 x 5, but the type says 3 x 4"));
  CHECK_THROWS_WITH((at.weight<2>("b", {3}, heed::zero())), ContainsSubstring("net.b: shape 3 x 1"));
  const std::string longest(128 - 4, 'x');  // with "net." exactly the room there is
  CHECK((at / longest).name() == "net." + longest);
  CHECK_THROWS_WITH(at / (longest + "y"), ContainsSubstring("is longer than 128 characters"));
  CHECK_THROWS_WITH(at / longest / "w", ContainsSubstring("xxx.w is longer"));
  CHECK(layout.parameters() == 0);
}
