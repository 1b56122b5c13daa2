#include <algorithm>
#include <limits>

#include "heed/pictures/attention_svg.hpp"
#include "heed/pictures/attention_text.hpp"
#include "heed/pictures/cart_pole_strip.hpp"
#include "heed/pictures/save_picture.hpp"
#include "pictures/xml.hpp"
#include "support/basics.hpp"
#include "support/complaints.hpp"
#include "support/files.hpp"

using namespace heed;
using support::check_complaint;
using support::count_of;
using support::xml_error;

namespace {

Tokens<float> example() {
  Tokens<float> w(3, 2);
  w << 0.5f, 0,  //
      0.25f, 0.125f, 0.0f, 0.4f;
  return w;
}

/// What is wrong with weights is said by each picture: picture(weights, names).
template <class Picture>
void check_weights(const std::string& who, Picture picture) {
  const double nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
  for (const double bad : {nan, -0.1, inf}) {
    Tokens<double> w = Tokens<double>::Constant(3, 2, 0.5);
    w(2, 1) = bad;
    check_complaint(who + ": the weight of key 2 for query 1 is ", [&] { picture(w, AttentionNames{}); });
  }
  check_complaint(who + ": weights are 0 x 2: there is nothing to show",
                  [&] { picture(Tokens<double>(0, 2), AttentionNames{}); });
  const Tokens<double> w = Tokens<double>::Constant(3, 2, 0.5);
  check_complaint(who + ": 2 names of 3 keys", [&] { picture(w, AttentionNames{.keys = {"a", "b"}}); });
  check_complaint(who + ": 3 names of 2 queries", [&] { picture(w, AttentionNames{.queries = {"a", "b", "c"}}); });
}

}  // namespace

TEST_CASE("attention as text is shades under names of letters") {
  CHECK(attention_text(example(), {.keys = {"a", "b", "c"}, .queries = {"x", "y"}, .title = "Looks"}) ==
        "Looks\n"
        "    a b c\n"
        "  x ██▒▒\n"
        "  y   ░░▓▓\n"
        "    █ 0.5\n");
  CHECK(attention_text(example(), {.keys = {"ab", "c", "déf"}, .queries = {"x", "yz"}}, Shades::ascii) ==
        "         d\n"
        "     a   é\n"
        "     b c f\n"
        "   x ##::\n"
        "  yz   ..**\n"
        "     # 0.5\n");
  CHECK(attention_text(Tokens<double>::Zero(2, 1).eval()) ==
        "    0 1\n"
        "  0\n"
        "    █ 0\n");
}

TEST_CASE("attention as text is narrow where there are many keys and one line a query whatever the names") {
  const std::string text =
      attention_text(Tokens<double>::Constant(41, 2, 1).eval(), {.queries = {"a\nb", "\x1b[31m\xff"}}, Shades::ascii);
  CHECK(count_of(text, std::string(41, '#')) == 2);
  CHECK(count_of(text, std::string(42, '#')) == 0);
  CHECK(count_of(text, "\n") == 5);  // two of names, two of queries, the scale
  CHECK(count_of(text, "\x1b") == 0);
  CHECK(count_of(text,
                 "a\xef\xbf\xbd"
                 "b") == 1);
}

TEST_CASE("attention as SVG is well-formed and has a cell a weight and all names") {
  const std::string svg = attention_svg(
      example(),
      {.keys = {"<a & \"b\">", "\x01\xff", "c"}, .queries = {"x'", "ü"}, .title = "a < b", .key_title = "&"});
  CHECK(xml_error(svg) == "");
  CHECK(count_of(svg, "&lt;a &amp; &quot;b&quot;&gt;") == 1);
  CHECK(count_of(svg, ">\xef\xbf\xbd\xef\xbf\xbd<") == 1);
  CHECK(count_of(svg, ">ü<") == 1);
  CHECK(count_of(svg, "a &lt; b") == 1);
  CHECK(count_of(svg, "<rect") == 1 + 4 + 1 + 8 + 1);  // ground, weights above 0, frame, scale
  CHECK(count_of(svg, "#08306b") == 1);                // the largest
  CHECK(count_of(svg, ">0.5<") == 1);
  const std::string large = attention_svg(Tokens<double>::Identity(300, 300).eval());
  CHECK(xml_error(large) == "");
  CHECK(count_of(large, "<text") == 2 * 100 + 2 + 2);  // every third is named, titles, scale
  CHECK(xml_error(attention_svg(Tokens<double>::Zero(1, 1).eval())) == "");
}

TEST_CASE("a strip of cart-pole has a frame a step and a bar a weight") {
  Tokens<float> x = Tokens<float>::Zero(4, 10);
  x(0, 3) = 2.4f, x(2, 3) = 0.5f;
  Tokens<float> w = Tokens<float>::Zero(10, 2);
  w(3, 0) = 1, w(9, 1) = 0.5f;
  const std::string svg = cart_pole_strip(x, w, {.queries = {"head 1", "head <2>"}, .title = "Falling"});
  CHECK(xml_error(svg) == "");
  CHECK(count_of(svg, "fill=\"none\"") == 10);
  CHECK(count_of(svg, "<line") == 20);              // ground and pole
  CHECK(count_of(svg, "<rect") == 1 + 2 + 10 * 4);  // ground, colours of two heads; frame, cart, two bars each
  CHECK(count_of(svg, "height=\"34\"") == 1);       // the longest bar
  CHECK(count_of(svg, "height=\"17\"") == 1);       // half of it
  CHECK(count_of(svg, "head &lt;2&gt;") == 1);
  // The pole of frame 3 leans to the right by 0.5 rad, from a cart at the right end of its track.
  const double cart = 8 + 96 * 3 + 48 + 33, top = 50 + 62;
  const auto two = [](double value) { return detail::number(std::round(value * 100) / 100, 10); };
  CHECK(count_of(svg, "x1=\"" + two(cart) + "\" y1=\"" + two(top) + "\" x2=\"" + two(cart + 40 * std::sin(0.5)) +
                          "\" y2=\"" + two(top - 40 * std::cos(0.5)) + "\"") == 1);
  check_complaint("cart_pole_strip: x is 4 x 10, but 4 x 9 is needed", [&] { cart_pole_strip(x, w.topRows(9)); });
  x(2, 1) = std::numeric_limits<float>::quiet_NaN();
  check_complaint("cart_pole_strip: frame 1 has the position 0 and the angle nan", [&] { cart_pole_strip(x, w); });
}

TEST_CASE("a strip of one frame has room for the names of all bars") {
  const std::vector<std::string> names{"the first of the heads", "the second of the heads", "rollout over all layers"};
  const std::string svg = cart_pole_strip(Tokens<double>::Zero(4, 1).eval(), Tokens<double>::Constant(1, 3, 0.5).eval(),
                                          {.queries = names});
  CHECK(xml_error(svg) == "");
  double right = 8;
  for (const std::string& name : names) {
    CHECK(count_of(svg, ">" + name + "<") == 1);
    right += 24 + detail::width_of(name);
  }
  CHECK(support::width_of_svg(svg) >= right);
}

TEST_CASE("what is no attention is refused by each picture") {
  check_weights("attention_text", [](const auto& w, const AttentionNames& names) { attention_text(w, names); });
  check_weights("attention_svg", [](const auto& w, const AttentionNames& names) { attention_svg(w, names); });
  check_weights("cart_pole_strip", [](const auto& w, const AttentionNames& names) {
    cart_pole_strip(Tokens<double>::Zero(4, w.rows()).eval(), w, names);
  });
}

TEST_CASE("texts are cut into characters and broken UTF-8 is replaced") {
  const std::string none = "\xef\xbf\xbd";
  const auto replaced = [&](const std::string& text) {
    const auto all = detail::characters(text);
    return !all.empty() && std::all_of(all.begin(), all.end(), [&](const std::string& c) { return c == none; });
  };
  CHECK(detail::characters("aé€😀") == std::vector<std::string>{"a", "é", "€", "😀"});
  CHECK(detail::characters("").empty());
  for (const char* bad : {"\x80", "\xc3", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff", "\xef\xbf\xbe", "\t",
                          "\x7f", "\xc2\x85", "\xe2\x82"})
    CHECK(replaced(bad));
  CHECK(replaced(std::string(1, '\0')));
  CHECK(detail::characters("\xc3"
                           "a") == std::vector<std::string>{none, "a"});
}

TEST_CASE("a picture is saved whole and an error names the file") {
  const support::Folder folder;
  save_picture(folder / "a.svg", attention_svg(example()));
  CHECK(support::read(folder / "a.svg") == attention_svg(example()));
  CHECK(folder.names() == std::vector<std::string>{"a.svg"});
  save_picture(folder / "new" / "directory" / "b.svg", "b");
  CHECK(support::read(folder / "new" / "directory" / "b.svg") == "b");
  support::require_file_error(folder / "a.svg" / "b.svg", "no file can be created beside it",
                              [&] { save_picture(folder / "a.svg" / "b.svg", ""); });
}
