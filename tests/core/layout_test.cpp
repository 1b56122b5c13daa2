#include "heed/core/layout.hpp"

#include "catch.hpp"
#include "heed/core/scope.hpp"

using heed::Axis;
using heed::Dynamic;
using heed::Index;
using heed::Layout;
using heed::Scope;
using heed::Shape;
using heed::Use;

TEST_CASE("Shape: one to four sizes, of which rows is the first, cols the product of the others") {
  CHECK(Shape{5}.rank() == 1);
  CHECK(Shape{5}.rows() == 5);
  CHECK(Shape{5}.cols() == 1);
  CHECK(Shape{3, 4}.cols() == 4);
  const Shape convolution{8, 3, 5, 2};
  CHECK(convolution.rank() == 4);
  CHECK(convolution.rows() == 8);
  CHECK(convolution.cols() == 30);
  CHECK(convolution[2] == 5);
}

TEST_CASE("Shape: a vector is not a matrix of one column") {
  CHECK(Shape{5} == Shape{5});
  CHECK_FALSE(Shape{5} == Shape{5, 1});
  CHECK_FALSE(Shape{5} == Shape{6});
}

TEST_CASE("Shape: errors") {
  CHECK_THROWS_WITH((Shape{}), ContainsSubstring("Shape: 0 sizes, but 1 to 4 are needed"));
  CHECK_THROWS_WITH((Shape{1, 2, 3, 4, 5}), ContainsSubstring("Shape: 5 sizes"));
}

TEST_CASE("Layout: entries in the order of their making, one after the other") {
  Layout layout;
  const Scope at(layout, layout.axis());
  const auto w = at.weight<Dynamic, Dynamic>("weight", {3, 4}, heed::zero());
  const auto b = at.weight<Dynamic>("bias", {3}, heed::constant(2));
  const auto c = (at / "conv").weight<Dynamic, Dynamic>("weight", {2, 3, 5, 5}, heed::zero());
  CHECK(layout.parameters() == 12 + 3 + 150);
  CHECK(w.offset == 0);
  CHECK(b.offset == 12);
  CHECK(c.offset == 15);
  CHECK((c.rows == 2 && c.cols == 75));

  REQUIRE(layout.entries().size() == 3);
  const auto& bias = layout.entries()[1];
  CHECK(bias.name == "bias");
  CHECK(bias.shape == Shape{3});
  CHECK(bias.offset == 12);
  CHECK(bias.size() == 3);
  CHECK(bias.initialiser.parameter == 2);
  CHECK(layout.entries()[2].name == "conv.weight");
  CHECK(layout.entries()[2].shape == Shape{2, 3, 5, 5});
}

TEST_CASE("Layout: matrices decay and vectors do not, unless said otherwise") {
  Layout layout;
  const Scope at(layout, layout.axis());
  at.weight<Dynamic, Dynamic>("matrix", {2, 2}, heed::zero());
  at.weight<Dynamic>("vector", {2}, heed::zero());
  at.weight<Dynamic>("statistics", {2}, heed::zero(), Use{.trained = false, .decays = false});
  CHECK(layout.entries()[0].use == Use{.trained = true, .decays = true});
  CHECK(layout.entries()[1].use == Use{.trained = true, .decays = false});
  CHECK(layout.entries()[2].use == Use{.trained = false, .decays = false});
}

TEST_CASE("Layout: segments cut the flat vector where the use changes") {
  Layout layout;
  CHECK(layout.segments().empty());
  const Scope at(layout, layout.axis());
  at.weight<Dynamic, Dynamic>("a", {2, 3}, heed::zero());
  at.weight<Dynamic, Dynamic>("b", {2, 2}, heed::zero());
  at.weight<Dynamic>("c", {5}, heed::zero());
  at.weight<Dynamic>("d", {4}, heed::zero(), Use{.trained = false, .decays = false});
  at.weight<Dynamic>("e", {1}, heed::zero());
  const auto s = layout.segments();
  REQUIRE(s.size() == 4);
  const Index offset[] = {0, 10, 15, 19}, size[] = {10, 5, 4, 1};
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(s[i].offset == offset[i]);
    CHECK(s[i].size == size[i]);
  }
  CHECK(s[0].use.decays);
  CHECK_FALSE(s[1].use.decays);
  CHECK_FALSE(s[2].use.trained);
  CHECK(s[3].use.trained);
}

TEST_CASE("Layout: what is frozen does not learn until it is unfrozen, and what is never trained stays so") {
  Layout layout;
  const Scope at(layout, layout.axis());
  for (const char* name : {"body.0.w", "body.1.w", "body.10.w", "head.w"})
    at.weight<Dynamic, Dynamic>(name, {2, 3}, heed::zero());
  at.weight<Dynamic>("body.statistics", {4}, heed::zero(), Use{.trained = false});
  const auto learning = [&] {
    std::string names;
    for (const heed::Entry& e : layout.entries())
      if (e.use.learns()) names += e.name + " ";
    return names;
  };
  CHECK(layout.freeze("body.?.w") == 2);
  CHECK(learning() == "body.10.w head.w ");
  REQUIRE(layout.segments().size() == 3);
  CHECK(layout.segments()[0].size == 12);
  CHECK(layout.freeze("body.*") == 4);
  CHECK(learning() == "head.w ");
  CHECK(layout.unfreeze("*1*") == 2);
  CHECK(learning() == "body.1.w body.10.w head.w ");
  CHECK(layout.freeze("!head.*|*.0.w") == 3);
  CHECK(learning() == "head.w ");
  CHECK(layout.unfreeze("head.*|*.0.w") == 2);
  CHECK(learning() == "body.0.w head.w ");
  CHECK(layout.unfreeze("*") == 5);
  CHECK(learning() == "body.0.w body.1.w body.10.w head.w ");
  CHECK_THROWS_WITH(layout.freeze("tail.*"), ContainsSubstring("Layout: freeze: no weight is named as in 'tail.*'"));
  CHECK_THROWS_WITH(layout.unfreeze(""), ContainsSubstring("Layout: unfreeze: no weight is named as in ''"));
}

TEST_CASE("Layout: rows of activations, memory and state are counted axis by axis") {
  Layout layout;
  const Axis time = layout.axis(), entities = layout.axis(time);
  CHECK(layout.axes() == 2);
  CHECK(layout[time].parent == Axis{});
  CHECK(layout[entities].parent == time);
  const Scope at(layout, time);
  const auto a = at.columns(3);
  const auto b = at.columns(4);
  const auto c = at.along(entities).columns(5);
  CHECK((a.row == 0 && b.row == 3 && c.row == 0));
  CHECK(layout[time].rows == 7);
  CHECK(layout[entities].rows == 5);

  const auto k = at.remembered(2);
  const auto v = at.remembered(6);
  CHECK((k.row == 0 && v.row == 2));
  CHECK(layout[time].remembered == 8);
  CHECK(layout[entities].remembered == 0);

  const auto h = at.state(3);
  const auto s = at.along(entities).state(4);
  CHECK((h.row == 0 && s.row == 3));
  CHECK(layout.state_rows() == 7);
}

TEST_CASE("Layout: an axis looks back as far as any of its layers") {
  Layout layout;
  const Axis time = layout.axis(), other = layout.axis();
  const Scope at(layout, time);
  CHECK(layout[time].lookback == 0);
  at.remembered(1, 4);
  at.remembered(1, 9);
  at.remembered(1, 2);
  CHECK(layout[time].lookback == 9);
  at.remembered(1);
  CHECK(layout[time].lookback == heed::unlimited);
  CHECK(layout[other].lookback == 0);
}

TEST_CASE("Layout: without names only sizes are counted") {
  Layout layout(false);
  const Scope at(layout, layout.axis());
  const auto w = at.weight<Dynamic, Dynamic>("w", {3, 4}, heed::zero());
  const auto same_name = at.weight<Dynamic, Dynamic>("w", {3, 4}, heed::zero());
  CHECK((w.offset == 0 && same_name.offset == 12));
  CHECK(layout.parameters() == 24);
  CHECK(layout.entries().empty());
}

TEST_CASE("Layout: errors") {
  Layout layout;
  const Axis time = layout.axis();
  const Scope at(layout, time);
  at.weight<Dynamic>("bias", {3}, heed::zero());
  CHECK_THROWS_WITH(at.weight<Dynamic>("bias", {3}, heed::zero()), ContainsSubstring("two weights are named bias"));
  CHECK_THROWS_WITH((at / "layer").weight<Dynamic>("bias", {0}, heed::zero()),
                    ContainsSubstring("layer.bias: size 0 of its shape is 0, but must be at least 1"));
  CHECK_THROWS_WITH((at.weight<Dynamic, Dynamic>("w", {3, -2}, heed::zero())),
                    ContainsSubstring("w: size 1 of its shape is -2"));
  CHECK_THROWS_WITH(at.columns(0), ContainsSubstring("Columns: 0 rows, but at least 1 is needed"));
  CHECK_THROWS_WITH(at.columns(), ContainsSubstring("Columns: -1 rows"));
  CHECK_THROWS_WITH(at.remembered(-2), ContainsSubstring("Remembered: -2 rows"));
  CHECK_THROWS_WITH(at.remembered(2, 0), ContainsSubstring("a lookback of 0, but at least 1"));
  CHECK_THROWS_WITH(at.state(0), ContainsSubstring("State: 0 rows"));
  CHECK_THROWS_WITH(layout.axis(Axis{4}), ContainsSubstring("axis 4 is not one of its 1"));
  CHECK_THROWS_WITH(at.along(Axis{}).columns(2), ContainsSubstring("axis -1 is not one of its 1"));
  CHECK_THROWS_WITH(at.along(Axis{1}).remembered(2), ContainsSubstring("axis 1 is not one of its 1"));
  while (layout.axes() < Layout::max_axes) layout.axis();
  CHECK_THROWS_WITH(layout.axis(), ContainsSubstring("Layout: more than 64 axes"));
  CHECK(layout.parameters() == 3);
}
