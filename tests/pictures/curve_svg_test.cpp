#include "heed/pictures/curve_svg.hpp"

#include "pictures/xml.hpp"
#include "support/complaints.hpp"

using namespace heed;
using support::check_complaint;
using support::count_of;
using support::xml_error;

namespace {

constexpr double inf = std::numeric_limits<double>::infinity();

}  // namespace

TEST_CASE("a mean curve is mean and standard error where all seeds are") {
  const Curve c =
      mean_curve("three", {{{0, 10, 20, 30}, {-inf, 1, 2, 3}}, {{10, 30}, {3, 7}}, {{5, 10, 20, 40}, {0, 5, 2, 6}}});
  CHECK(c.name == "three");
  CHECK(c.x == std::vector<double>{10, 20, 30});
  // at 10: 1, 3, 5    at 20: 2, 5, 2    at 30: 3, 7, 4
  CHECK(c.mean[0] == Approx(3));
  CHECK(c.mean[1] == Approx(3));
  CHECK(c.mean[2] == Approx(14.0 / 3));
  CHECK(c.error[0] == Approx(std::sqrt(8.0 / 2 / 3)));
  CHECK(c.error[1] == Approx(std::sqrt(6.0 / 2 / 3)));
  const double m = 14.0 / 3;
  CHECK(c.error[2] == Approx(std::sqrt(((3 - m) * (3 - m) + (7 - m) * (7 - m) + (4 - m) * (4 - m)) / 2 / 3)));
  const Curve one = mean_curve("one", {{{1, 2}, {3, 4}}});
  CHECK(one.mean == std::vector<double>{3, 4});
  CHECK(one.error == std::vector<double>{0, 0});
}

TEST_CASE("seeds that make no curve are refused") {
  check_complaint("mean_curve: the 0 seeds of a have no x in common", [] { mean_curve("a", {}); });
  check_complaint("mean_curve: the 2 seeds of a have no x in common", [] {
    mean_curve("a", {{{1}, {1}}, {{2}, {1}}});
  });
  check_complaint("mean_curve: seed 1 of a has 2 x and 1 y", [] { mean_curve("a", {{{1}, {1}}, {{1, 2}, {1}}}); });
  check_complaint("mean_curve: seed 0 of a has no points", [] { mean_curve("a", {{{1}, {-inf}}}); });
  check_complaint("mean_curve: x of seed 0 of a does not rise: 2 after 2", [] { mean_curve("a", {{{2, 2}, {1, 1}}}); });
}

TEST_CASE("curves as SVG have a line and a band where the numbers say") {
  const Curve c{"a < b", {0, 100}, {0, 10}, {0, 0}}, d{"with a band", {0, 50, 100}, {2, 4, 4}, {1, 2, 0}};
  const std::string svg = curve_svg({c, d}, {.title = "Title", .x = "steps", .y = "return"});
  CHECK(xml_error(svg) == "");
  // The axes go from 0 to 100 and from 0 to 10: (64, 294) to (544, 34).
  CHECK(count_of(svg, "points=\"64,294 544,34\"") == 1);
  CHECK(count_of(svg, "points=\"64,242 304,190 544,190\"") == 1);
  CHECK(count_of(svg, "points=\"64,216 304,138 544,190 544,190 304,242 64,268\"") == 1);
  for (const char* text : {">a &lt; b<", ">with a band<", ">Title<", ">steps<", ">return<", ">20<", ">100<", ">8<"})
    CHECK(count_of(svg, text) == 1);
}

TEST_CASE("curves as SVG have room for long titles and names") {
  const std::string text(120, 'x');
  const double ordinary = support::width_of_svg(curve_svg({{"a", {1, 2}, {3, 3}, {0, 0}}}, {.title = "b"}));
  CHECK(ordinary == 64 + 480 + 24);
  CHECK(support::width_of_svg(curve_svg({{text, {1, 2}, {3, 3}, {0, 0}}})) >= 64 + 26 + 120 * 6);
  CHECK(support::width_of_svg(curve_svg({{"a", {1, 2}, {3, 3}, {0, 0}}}, {.title = text})) >= 64 + 120 * 6);
}

TEST_CASE("well-formed XML is told from what is not") {
  CHECK(xml_error("<a x=\"1\"><b/>text &amp; &lt;</a>\n") == "");
  CHECK(xml_error("") == "empty");
  CHECK(xml_error("<a><b></a>") == "</a> closes nothing");
  CHECK(xml_error("<a>") == "a is not closed");
  CHECK(xml_error("<a>b & c</a>") == "unescaped text");
  CHECK(xml_error("<a x=\"b & c\"/>") == "an unescaped attribute");
  CHECK(xml_error("<a x=1/>") == "a bad attribute: x=1");
  CHECK(xml_error("<a/><b/>") == "a second root");
  CHECK(xml_error("<a/>text") == "text outside");
  CHECK(xml_error("<a") == "a tag without an end");
  CHECK(xml_error("</>") == "</> closes nothing");
  CHECK(xml_error("< a/>") == "a tag without a name");
}

TEST_CASE("curves of one point, of equal and of large numbers have axes") {
  for (const Curve& c :
       {Curve{"a", {5}, {0}, {0}}, Curve{"b", {1, 2}, {3, 3}, {0, 0}},
        Curve{"c", {1e6, 2e6}, {-1e-9, 1e-9}, {0, 1e-10}}, Curve{"d", {-3, 1}, {1e30, -1e30}, {0, 0}}}) {
    const std::string svg = curve_svg({c});
    CHECK(xml_error(svg) == "");
    CHECK(count_of(svg, "nan") + count_of(svg, "inf") == 0);
    CHECK(count_of(svg, "#ddd") >= 6);
    CHECK(count_of(svg, "#ddd") < 30);
  }
}

TEST_CASE("what is no curve is refused") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  check_complaint("curve_svg: no curves", [] { curve_svg({}); });
  check_complaint("curve_svg: a has 2 x, 1 means and 2 errors", [] { curve_svg({{"a", {1, 2}, {1}, {0, 0}}}); });
  check_complaint("curve_svg: point 1 of a is 2, nan +- 0", [&] { curve_svg({{"a", {1, 2}, {1, nan}, {0, 0}}}); });
  check_complaint("curve_svg: point 0 of a is 1, 1 +- -1", [] { curve_svg({{"a", {1, 2}, {1, 1}, {-1, 0}}}); });
}
