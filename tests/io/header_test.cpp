#include "heed/io/header.hpp"

#include <bit>
#include <charconv>
#include <cstring>
#include <limits>

#include "heed/networks/attention_policy.hpp"
#include "support/files.hpp"

namespace {

using heed::Dynamic, heed::Index, heed::Layout, heed::Parameters, heed::Scope, heed::Shape;
using support::Folder, support::read, support::require_file_error;

/// a [1, n]
Layout row(Index n, const char* name = "a") {
  Layout layout;
  const Scope at(layout, layout.axis());
  at.weight<Dynamic, Dynamic>(name, {1, n}, heed::normal(1));
  at.columns(3);
  return layout;
}

std::string between(const std::string& text, const std::string& before, const std::string& after) {
  const std::size_t from = text.find(before);
  REQUIRE(from != text.npos);
  const std::size_t start = from + before.size();
  return text.substr(start, text.find(after, start) - start);
}

/// The numbers of `values`, read as C++ reads them.
template <class S>
std::vector<S> values_in(const std::string& text) {
  const char* scalar = sizeof(S) == 4 ? "float" : "double";
  std::string body = between(text, std::string("inline constexpr ") + scalar + " values[] = {", "};");
  std::vector<S> values;
  for (std::size_t at = 0; at < body.size();) {
    const std::size_t end = std::min(body.find('\n', at), body.size());
    std::string line = body.substr(at, end - at);
    at = end + 1;
    if (line.find("//") != line.npos) continue;
    for (const char* from = line.data(); *(from += std::strspn(from, " ,"));) {
      const char* stop = from + std::strcspn(from, ",");
      if (sizeof(S) == 4) { REQUIRE(stop[-1] == 'f'); }
      S value = 0;
      const auto [read_to, error] = std::from_chars(from, stop, value);
      REQUIRE(error == std::errc());
      REQUIRE(read_to == stop - (sizeof(S) == 4));
      // A whole number would be one of another type.
      REQUIRE(std::string(from, read_to).find_first_of(".e") != std::string::npos);
      values.push_back(value);
      from = stop;
    }
  }
  return values;
}

template <class S>
void check_bits() {
  using Limits = std::numeric_limits<S>;
  const std::vector<S> numbers{0,
                               -S(0),
                               1,
                               -2,
                               S(1) / 3,
                               S(0.1),
                               1e30f,
                               S(1e-30),
                               S(123456789),
                               Limits::max(),
                               Limits::lowest(),
                               Limits::min(),
                               Limits::denorm_min(),
                               1 + Limits::epsilon()};
  const Folder folder;
  heed::Random random(1);
  Layout layout = row(1000);
  Parameters<S> p(layout);
  for (S& x : p.flat) x = S(random.normal() * std::exp(random.uniform(-30, 30)));
  std::copy(numbers.begin(), numbers.end(), p.flat.data());
  heed::to_header(layout, p, folder / "a.hpp", "a_policy");
  const std::vector<S> values = values_in<S>(read(folder / "a.hpp"));
  REQUIRE(Index(values.size()) == p.flat.size());
  CHECK(std::memcmp(values.data(), p.flat.data(), values.size() * sizeof(S)) == 0);
  CHECK(folder.names() == std::vector<std::string>{"a.hpp"});
}

}  // namespace

TEST_CASE("the numbers of a header read back bit for bit") {
  check_bits<float>();
  check_bits<double>();
}

TEST_CASE("a header has names, shapes, and what static buffers ask for") {
  const Folder folder;
  const heed::Agent<heed::AttentionPolicy<float>> agent(
      {.observation = 4, .actions = 2, .window = 3, .width = 8, .hidden = 6}, 1);
  heed::to_header(agent, folder / "cart_pole_policy.hpp");
  const std::string text = read(folder / "cart_pole_policy.hpp");
  CHECK(text.find("namespace cart_pole_policy {\n") != text.npos);
  const auto constant = [&](const std::string& name) { return between(text, " " + name + " = ", ";"); };
  CHECK(constant("fingerprint") == std::to_string(agent.layout.fingerprint()) + "u");
  CHECK(constant("parameters") == std::to_string(agent.p.flat.size()));
  CHECK(constant("axes") == "3");
  CHECK(constant("state_rows") == "0");
  const auto rows = [&](int axis) { return std::to_string(agent.layout[heed::Axis{axis}].rows); };
  CHECK(constant("rows[axes]") == "{" + rows(0) + ", " + rows(1) + ", " + rows(2) + "}");
  // Keys and values of 8 numbers in a ring of 3, written twice.
  CHECK(constant("memory") == std::to_string(2 * 8 * 3 * 2));
  for (const heed::Entry& e : agent.layout.entries()) {
    const Index cols = e.shape.rank() > 1 ? e.shape[1] : 1;
    CHECK(text.find("    {\"" + e.name + "\", " + std::to_string(e.shape.rank()) + ", {" + std::to_string(e.shape[0]) +
                    ", " + std::to_string(cols) + ", 1, 1}, " + std::to_string(e.offset) + "},\n") != text.npos);
  }
  CHECK(Index(values_in<float>(text).size()) == agent.p.flat.size());
}

TEST_CASE("whatever a weight is called, its header is C++") {
  const Folder folder;
  const Layout layout = row(1, "a\"b\\c\nd\?\?/\xc3\xa9\x01");
  heed::to_header(layout, Parameters<float>(layout), folder / "a.hpp", "a");
  const std::string text = read(folder / "a.hpp");
  CHECK(text.find("{\"a\\042b\\134c\\012d\\077\\077/\\303\\251\\001\", 2, {1, 1, 1, 1}, 0},") != text.npos);
  CHECK(values_in<float>(text) == std::vector<float>{0});
}

TEST_CASE("what looks back without limit needs a memory that the header cannot know") {
  const Folder folder;
  Layout layout = row(1);
  const Scope at(layout, heed::Axis{0});
  at.remembered(4);
  const Scope other(layout, layout.axis());
  other.remembered(2, 5);
  heed::to_header(layout, Parameters<float>(layout), folder / "a.hpp", "a");
  CHECK(between(read(folder / "a.hpp"), " memory = ", ";") == "20");
}

TEST_CASE("a header's namespace has a name that C++ takes") {
  const Folder folder;
  const Layout layout = row(2);
  const Parameters<float> p(layout, 1);
  for (const char* name :
       {"", "1a", "a-b", "a b", "a::b", "class", "requires", "std", "heed", "a__b", "_Policy", "\xc3\xa9"})
    CHECK_THROWS_WITH(heed::to_header(layout, p, folder / "a.hpp", name),
                      "to_header: '" + std::string(name) + "' is no name for a namespace");
  CHECK(folder.names().empty());
  for (const char* name : {"a", "_a", "Policy_2", "classes"}) heed::to_header(layout, p, folder / "a.hpp", name);
}

TEST_CASE("a header that cannot be written leaves what was there") {
  const Folder folder;
  const Layout layout = row(3);
  Parameters<float> p(layout, 1);
  heed::to_header(layout, p, folder / "a.hpp", "a");
  const std::string before = read(folder / "a.hpp");
  for (const float wrong : {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
    p.flat[2] = wrong;
    require_file_error(folder / "a.hpp", "a has a value that is not finite, number 2",
                       [&] { heed::to_header(layout, p, folder / "a.hpp", "a"); });
  }
  CHECK(read(folder / "a.hpp") == before);
  CHECK(folder.names() == std::vector<std::string>{"a.hpp"});
  p.flat.resize(2);
  p.flat.setZero();
  CHECK_THROWS_WITH(heed::to_header(layout, p, folder / "a.hpp", "a"),
                    "to_header: 2 parameters, but the layout has 3 in 1 weights");
  Layout nameless(false);
  Scope(nameless, nameless.axis()).weight<Dynamic>("a", {3}, heed::zero());
  CHECK_THROWS_WITH(heed::to_header(nameless, Parameters<float>(nameless), folder / "a.hpp", "a"),
                    "to_header: 3 parameters, but the layout has 3 in 0 weights");
  const auto path = folder / "nowhere" / "a.hpp";
  require_file_error(path, "no file can be created beside it",
                     [&] { heed::to_header(layout, Parameters<float>(layout), path, "a"); });
}
