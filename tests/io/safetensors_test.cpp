#include "heed/io/safetensors.hpp"

#include <memory>

#include "support/files.hpp"
#if !defined(_WIN32)
#include <sys/resource.h>
#include <sys/wait.h>

#include <csignal>
#endif

namespace {

namespace fs = std::filesystem;
using namespace std::string_literals;
using heed::Index;
using heed::Layout;
using heed::Parameters;
using heed::Scope;
using heed::Shape;
using support::bytes;
using support::file_error;
using support::file_of;
using support::Folder;
using support::read;
using support::require_file_error;
using support::write;

template <class S>
std::string bits(const Parameters<S>& p) {
  return {reinterpret_cast<const char*>(p.flat.data()), std::size_t(p.flat.size()) * sizeof(S)};
}

struct Named {
  std::string name;
  Shape shape;
};
Layout layout_of(const std::vector<Named>& weights) {
  Layout layout;
  const Scope at(layout, layout.axis());
  for (const auto& [name, shape] : weights) at.weight<heed::Dynamic, heed::Dynamic>(name, shape, heed::normal(1));
  return layout;
}

/// a [2] and b [1, 2]: what the broken files are meant for.
Layout small_layout() { return layout_of({{"a", {2}}, {"b", {1, 2}}}); }
const std::string small_a = R"("a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]})";
const std::string small_b = R"("b":{"dtype":"F32","shape":[1,2],"data_offsets":[8,16]})";
const std::string small_header = "{" + small_a + "," + small_b + "}";
const std::string small_body = bytes<float>({1, -2, 3.5f, 4});
/// The header with one part of it replaced.
std::string with(const std::string& part, const std::string& other) {
  const std::size_t at = small_header.find(part);
  REQUIRE(at != std::string::npos);
  return std::string(small_header).replace(at, part.size(), other);
}

struct Tiny {
  using Scalar = double;
  struct Config {
    Index width = 3;
  };
  heed::Weight<> weight, bias;
  Tiny(Scope at, const Config& config)
      : weight(at.weight<heed::Dynamic, heed::Dynamic>("weight", {2, config.width}, heed::normal(1))),
        bias(at.weight<heed::Dynamic, heed::Dynamic>("bias", {2}, heed::normal(1))) {}
};

/// The file gives this error and changes nothing.
void require_refused(const std::string& file, const std::string& fragment, const Layout& layout = small_layout()) {
  const Folder folder;
  const fs::path path = folder / "broken.safetensors";
  write(path, file);
  Parameters<float> p(layout, 1);
  const std::string before = bits(p);
  require_file_error(path, fragment, [&] { heed::load(path, layout, p); });
  REQUIRE((bits(p) == before));
}

}  // namespace

TEMPLATE_TEST_CASE("safetensors: a round trip gives the same bits", "[safetensors]", float, double) {
  const Folder folder;
  const fs::path path = folder / "weights.safetensors";
  const Layout layout = layout_of(
      {{"vector", {5}}, {"one", {1}}, {"net.0.matrix", {3, 4}}, {"convolution", {2, 3, 5, 7}}, {"cube", {2, 1, 3}}});
  Parameters<TestType> p(layout, 3);
  p.flat[0] = std::numeric_limits<TestType>::denorm_min();
  p.flat[1] = std::numeric_limits<TestType>::lowest();
  p.flat[2] = -TestType(0);
  heed::save(path, layout, p);
  REQUIRE(folder.names() == std::vector{"weights.safetensors"s});

  Parameters<TestType> q(layout, 4);
  const TestType* const place = q.flat.data();
  heed::load(path, layout, q);
  REQUIRE(bits(q) == bits(p));
  REQUIRE(q.flat.data() == place);  // views of it stay valid

  heed::save(path, layout, Parameters<TestType>(layout));  // over a file that is there
  heed::load(path, layout, q);
  REQUIRE(q.flat.isZero(0));
}

TEST_CASE("safetensors: the bytes of a small file", "[safetensors]") {
  const Folder folder;
  const fs::path path = folder / "weights.safetensors";
  const Layout layout = layout_of({{"é\"", {2}}, {"a.b", {1, 2}}});
  Parameters<float> p(layout);
  p.flat << 1, -2, 0.5f, 4;
  heed::save(path, layout, p);
  REQUIRE(read(path) ==
          "\x78\0\0\0\0\0\0\0"s
          R"({"é\"":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
          R"("a.b":{"dtype":"F32","shape":[1,2],"data_offsets":[8,16]}})"
          "     \0\0\x80\x3f\0\0\0\xc0\0\0\0\x3f\0\0\x80\x40"s);

  const Layout one = layout_of({{"x", {1}}});
  Parameters<double> q(one);
  q.flat << 1;
  heed::save(path, one, q);
  REQUIRE(read(path) ==
          "\x38\0\0\0\0\0\0\0"s
          R"({"x":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}})"
          "  \0\0\0\0\0\0\xf0\x3f"s);

  const Layout nothing;
  Parameters<float> none(nothing);
  heed::save(path, nothing, none);
  REQUIRE(read(path) == "\x08\0\0\0\0\0\0\0{}      "s);
  heed::load(path, nothing, none);
}

TEST_CASE("safetensors: float and double files are read as either", "[safetensors]") {
  const Folder folder;
  const fs::path path = folder / "weights.safetensors";
  const Layout layout = layout_of({{"a", {7}}, {"b", {3, 5}}});
  const Parameters<float> p(layout, 1);
  Parameters<double> wide(layout);
  heed::save(path, layout, p);
  heed::load(path, layout, wide);
  REQUIRE(wide.flat == p.flat.cast<double>());

  const Parameters<double> q(layout, 2);
  Parameters<float> narrow(layout);
  heed::save(path, layout, q);
  heed::load(path, layout, narrow);
  REQUIRE(narrow.flat == q.flat.cast<float>());
}

TEST_CASE("safetensors: files of other writers", "[safetensors]") {
  const Folder folder;
  const fs::path path = folder / "weights.safetensors";
  const Layout layout = small_layout();
  Parameters<float> p(layout);

  SECTION("another order, other dtypes, unaligned, metadata, spaces") {
    write(path, file_of("{ \"__metadata__\": {\"format\": \"pt\", \"shape\": \"[[\"},\n"
                        R"("b": {"shape": [1, 2], "data_offsets": [0, 8], "dtype": "F32"},)"
                        R"("\u0061": {"data_offsets": [8, 24], "dtype": "F64", "shape": [2]}})",
                        bytes<float>({1, 2}) + bytes<double>({3, 4})));
    heed::load(path, layout, p);
    REQUIRE(p.flat == Eigen::Vector4f(3, 4, 1, 2));
  }
  SECTION("half precision") {
    // F16: 1.5, -65504 (the largest); BF16: 2^-126 / 128 (the least), -1.0078125
    write(path, file_of(R"({"a":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},)"
                        R"("b":{"dtype":"BF16","shape":[1,2],"data_offsets":[4,8]}})",
                        bytes<std::uint16_t>({0x3e00, 0xfbff, 0x0001, 0xbf81})));
    heed::load(path, layout, p);
    REQUIRE(p.flat == Eigen::Vector4f(1.5f, -65504, 0x1p-133f, -1.0078125f));
    Parameters<double> q(layout);
    heed::load(path, layout, q);
    REQUIRE(q.flat == Eigen::Vector4d(1.5, -65504, 0x1p-133, -1.0078125));
  }
  SECTION("half precision below the normal numbers") {
    write(path, file_of(R"({"a":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},)"
                        R"("b":{"dtype":"F16","shape":[1,2],"data_offsets":[4,8]}})",
                        bytes<std::uint16_t>({0x0001, 0x83ff, 0x8000, 0x0400})));
    heed::load(path, layout, p);
    REQUIRE(p.flat == Eigen::Vector4f(0x1p-24f, -1023 * 0x1p-24f, 0, 0x1p-14f));
  }
  SECTION("half precision that is not finite") {
    for (const auto& [dtype, infinity, nan] : {std::tuple("F16", 0x7c00, 0xfe01), std::tuple("BF16", 0xff80, 0x7fc0)})
      for (const int bad : {infinity, nan}) {
        const std::string header = R"({"b":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},"a":{"dtype":")"s +
                                   dtype + R"(","shape":[2],"data_offsets":[8,12]}})";
        require_refused(file_of(header, bytes<float>({1, 2}) + bytes<std::uint16_t>({0, std::uint16_t(bad)})),
                        "a has a value that is not finite, number 1");
      }
  }
  SECTION("no metadata, no padding") {
    write(path, file_of(small_header, small_body));
    heed::load(path, layout, p);
    REQUIRE(p.flat == Eigen::Vector4f(1, -2, 3.5f, 4));
  }
}

TEST_CASE("safetensors: an agent", "[safetensors]") {
  const Folder folder;
  const fs::path path = folder / "agent.safetensors";
  const heed::Agent<Tiny> agent({.width = 4}, 1);
  heed::Agent<Tiny> other({.width = 4}, 2), wider({.width = 5}, 3);
  REQUIRE(bits(other.p) != bits(agent.p));
  heed::save(path, agent);
  heed::load(path, other);
  REQUIRE(bits(other.p) == bits(agent.p));

  const std::string before = bits(wider.p);
  require_file_error(path, "weight is [2, 4], expected [2, 5]", [&] { heed::load(path, wider); });
  REQUIRE(bits(wider.p) == before);
}

TEST_CASE("safetensors: metadata", "[safetensors]") {
  const Folder folder;
  const fs::path path = folder / "agent.safetensors";
  const heed::Agent<Tiny> agent({.width = 4}, 1);
  heed::Agent<Tiny> other({.width = 4}, 2);
  const heed::Metadata metadata{{"", "empty"}, {"format", "pt"}, {"world", "\"cart\"\n\u00e9"}, {"weight", "{}"}};
  heed::save(path, agent, metadata);
  REQUIRE(heed::load_metadata(path) == metadata);
  REQUIRE(read(path).size() % 8 == 0);
  heed::load(path, other);
  REQUIRE(bits(other.p) == bits(agent.p));
  heed::save(path, agent);
  REQUIRE(heed::load_metadata(path).empty());
  write(path, file_of(R"({"__metadata__":{"a":"1","a":"2"}})"));
  require_file_error(path, "__metadata__ has a twice", [&] { heed::load_metadata(path); });
}

TEST_CASE("safetensors: all that does not fit is one error", "[safetensors]") {
  const Folder folder;
  const fs::path path = folder / "policy.safetensors";
  const Layout saved =
      layout_of({{"foo", {3}}, {"head.weight", {2, 64}}, {"same", {4}}, {"gone", {1, 2, 3, 4}}, {"turned", {6}}});
  heed::save(path, saved, Parameters<float>(saved));
  const Layout layout = layout_of({{"head.weight", {2, 32}}, {"head.bias", {2}}, {"same", {4}}, {"turned", {6, 1}}});
  Parameters<float> p(layout, 1);
  const std::string before = bits(p);
  REQUIRE_THROWS_WITH(heed::load(path, layout, p),
                      path.string() +
                          ": head.weight is [2, 64], expected [2, 32]; missing head.bias [2]; "
                          "turned is [6], expected [6, 1]; unexpected foo [3]; unexpected gone [1, 2, 3, 4]");
  REQUIRE(bits(p) == before);

  // Many long names: nothing is cut off.
  std::vector<Named> many;
  for (int i = 0; i < 100; ++i) many.push_back({"blocks." + std::to_string(i) + ".attention.in_proj_weight", {1}});
  const Layout large = layout_of(many);
  Parameters<float> q(large);
  require_file_error(path, "missing blocks.0.attention.in_proj_weight [1]; missing blocks.1.",
                     [&] { heed::load(path, large, q); });
  require_file_error(path, "missing blocks.99.attention.in_proj_weight [1]; unexpected foo",
                     [&] { heed::load(path, large, q); });
}

TEST_CASE("safetensors: some of the weights, by their names", "[safetensors]") {
  const Folder folder;
  const fs::path path = folder / "policy.safetensors";
  const Layout saved = layout_of({{"body.0.weight", {2, 3}}, {"body.0.bias", {2}}, {"head.weight", {4, 2}}});
  const Parameters<float> from(saved, 1);
  heed::save(path, saved, from);
  const Layout layout =
      layout_of({{"embed", {5}}, {"body.0.weight", {2, 3}}, {"body.0.bias", {2}}, {"head.weight", {7, 2}}});
  const Parameters<float> before(layout, 2);
  Parameters<float> p = before;
  REQUIRE(heed::load(path, layout, p, "body.*") == 2);
  REQUIRE(p.flat.segment(5, 8) == from.flat.head(8));
  REQUIRE(p.flat.head(5) == before.flat.head(5));
  REQUIRE(p.flat.tail(14) == before.flat.tail(14));
  p = before;
  REQUIRE(heed::load(path, layout, p, "*.?.b*s") == 1);
  REQUIRE(p.flat.segment(11, 2) == from.flat.segment(6, 2));
  REQUIRE(p.flat.segment(5, 6) == before.flat.segment(5, 6));

  p = before;
  require_file_error(path, "head.weight is [4, 2], expected [7, 2]", [&] { heed::load(path, layout, p, "h*"); });
  require_file_error(path, "missing embed [5]", [&] { heed::load(path, layout, p, "e*"); });
  for (const char* none : {"", "body", "body.0.bias?", "*x"})
    REQUIRE_THROWS_WITH(heed::load(path, layout, p, none),
                        "load: no weight of the network is named as in '"s + none + "'");
  REQUIRE(bits(p) == bits(before));
}

TEST_CASE("safetensors: shapes and dtypes that are not read", "[safetensors]") {
  require_refused(file_of(with("[1,2]", "[]"), small_body), "has bytes 8 to 16, but F32 [] takes 4");
  require_refused(
      file_of(with("[1,2],\"data_offsets\":[8,16]", "[],\"data_offsets\":[8,12]"), small_body.substr(0, 12)),
      "b is [], expected [1, 2]");
  require_refused(file_of(with("[1,2]", "[1,2,1,1,1]"), small_body), "b is [1, 2, 1, 1, 1], expected [1, 2]");
  require_refused(
      file_of(with("[1,2],\"data_offsets\":[8,16]", "[1,0],\"data_offsets\":[8,8]"), small_body.substr(0, 8)),
      "b is [1, 0], expected [1, 2]");
  require_refused(file_of(with("[1,2]", "[2]"), small_body), "b is [2], expected [1, 2]");
  require_refused(file_of("{" + small_a + "," + small_b + R"(,"c":{"dtype":"I64","shape":[],"data_offsets":[16,24]}})",
                          small_body + small_body.substr(0, 8)),
                  "unexpected c []");
  for (const char* dtype : {"F8_E4M3", "I32", "f32", "", "F32 "})
    require_refused(file_of(with("\"F32\"", '"' + std::string(dtype) + '"'), small_body),
                    "a is "s + dtype + ", but only F64, F32, F16 and BF16 are read");
}

TEST_CASE("safetensors: broken lengths", "[safetensors]") {
  const std::string whole = file_of(small_header, small_body);
  require_refused("", "has only 0 bytes");
  require_refused(whole.substr(0, 7), "has only 7 bytes");
  require_refused(whole.substr(0, 8), "is truncated: its header has");
  require_refused(whole.substr(0, 50), "is truncated: its header has");
  require_refused(whole.substr(0, whole.size() - 1), "b has bytes 8 to 16, but the file has only 15");
  require_refused(whole + '\0', "goes on for 1 bytes after its last entry");
  require_refused(bytes<std::uint64_t>({0}), "not a JSON object");
  require_refused(bytes<std::uint64_t>({100'000'000}) + small_header, "is truncated");
  for (const std::uint64_t length : {100'000'001ull, 1ull << 63, ~0ull, ~0ull - 7})
    require_refused(bytes<std::uint64_t>({length}) + small_header, "its header would have " + std::to_string(length));
}

TEST_CASE("safetensors: headers that are not JSON or not the format's", "[safetensors]") {
  const auto entry = [](const std::string& json) { return "{" + small_b + ",\"a\":" + json + "}"; };
  struct Broken {
    std::string header, error;
  };
  const std::vector<Broken> all = {
      {"hello", "not a JSON object"},
      {"[]", "not a JSON object"},
      {" " + small_header, "not a JSON object"},
      {"\xEF\xBB\xBF" + small_header, "not a JSON object"},
      {"{", "not JSON at its byte 2"},
      {small_header + "}", "not JSON at its byte"},
      {small_header.substr(0, 30), "not JSON at its byte"},
      {small_header + "\0"s, "has a zero byte"},
      {with("\"a\"", "\"a\xff\""), "not JSON at its byte"},
      {with("\"a\"", "\"a\xc0\x80\""), "not JSON at its byte"},
      {with("\"a\"", "\"a\n\""), "not JSON at its byte"},
      {with("[0,8]", "[0,08]"), "not JSON at its byte"},
      {with("[0,8]", "[0,8,]"), "not JSON at its byte"},
      {with("[0,8]", "[0,NaN]"), "not JSON at its byte"},
      {with("[0,8]", "[0,1e999]"), "not JSON at its byte"},

      {entry("3"), "a: a number does not belong there"},
      {entry("-3"), "a: a negative number does not belong there"},
      {entry("null"), "a: null does not belong there"},
      {entry("true"), "a: a boolean does not belong there"},
      {entry("\"F32\""), "a: text does not belong there"},
      {entry("[]"), "a: an array does not belong there"},
      {entry("{}"), "a must have dtype, shape and data_offsets"},
      {with("\"dtype\":\"F32\",", ""), "a must have dtype, shape and data_offsets"},
      {with("\"shape\":[2],", ""), "a must have dtype, shape and data_offsets"},
      {with(",\"data_offsets\":[0,8]", ""), "a must have dtype, shape and data_offsets"},
      {with("\"shape\"", "\"stride\":[1],\"shape\""), "a has an unknown stride"},
      {with("\"shape\"", "\"dtype\":\"F32\",\"shape\""), "a.dtype is there twice"},
      {with("\"shape\"", "\"shape\":[2],\"shape\""), "a.shape is there twice"},
      {with("\"F32\"", "32"), "a.dtype: a number does not belong there"},
      {with("\"F32\"", "[32]"), "a.dtype: an array does not belong there"},
      {with("[2]", "2"), "a.shape: a number does not belong there"},
      {with("[2]", "\"2\""), "a.shape: text does not belong there"},
      {with("[2]", "{}"), "a.shape: an object does not belong there"},
      {with("[2]", "[\"2\"]"), "a.shape: text does not belong there"},
      {with("[2]", "[[2]]"), "a.shape: an array does not belong there"},
      {with("[2]", "[{}]"), "a.shape: an object does not belong there"},
      {with("[2]", "[null]"), "a.shape: null does not belong there"},
      {with("[2]", "[true]"), "a.shape: a boolean does not belong there"},
      {with("[2]", "[-2]"), "a.shape: a negative number does not belong there"},
      {with("[2]", "[2.0]"), "a.shape: a number that is fractional or too large"},
      {with("[2]", "[2e0]"), "a.shape: a number that is fractional or too large"},
      {with("[2]", "[18446744073709551616]"), "a.shape: a number that is fractional or too large"},
      {with("[0,8]", "[-0,8]"), "a.data_offsets: a negative number"},
      {with("[0,8]", "[0,8.5]"), "a.data_offsets: a number that is fractional"},
      {with("[0,8]", "[8]"), "a.data_offsets must be two numbers"},
      {with("[0,8]", "[0,4,8]"), "a.data_offsets must be two numbers"},
      {"{" + small_a + "," + small_b + "," + small_a + "}", "two entries are named a"},
      {"{" + small_a + R"(,"\u0061":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}})", "two entries are named a"},

      {with("{\"a\"", R"({"__metadata__":{},"__metadata__":{},"a")"), "two __metadata__"},
      {with("{\"a\"", R"({"__metadata__":"text","a")"), "__metadata__: text does not belong there"},
      {with("{\"a\"", R"({"__metadata__":{"x":1},"a")"), "__metadata__: a number does not belong there"},
      {with("{\"a\"", R"({"__metadata__":{"x":[]},"a")"), "__metadata__: an array does not belong there"},
      {with("{\"a\"", R"({"__metadata__":{"x":{}},"a")"), "__metadata__: an object does not belong there"},

      {with("[8,16]", "[16,8]"), "b has bytes 16 to 8: it ends before it begins"},
      {with("[8,16]", "[8,17]"), "b has bytes 8 to 17, but the file has only 16"},
      {with("[8,16]", "[18446744073709551608,18446744073709551615]"), "but the file has only 16"},
      {with("[8,16]", "[8,12]"), "b has bytes 8 to 12, but F32 [1, 2] takes 8"},
      {with("\"F32\"", "\"F64\""), "a has bytes 0 to 8, but F64 [2] takes 16"},
      {with("[1,2]", "[1,3]"), "b has bytes 8 to 16, but F32 [1, 3] takes 12"},
      {with("[1,2]", "[4294967296,4294967296]"), "takes too many"},
      {with("[1,2]", "[4611686018427387904,2]"), "takes too many"},
      {with("[1,2]", "[4611686018427387906]"), "takes too many"},  // times 4 it would be 8 again
      {with("[8,16]", "[0,8]"), "the bytes of b overlap those of another entry"},
      {with("[8,16]", "[4,12]"), "the bytes of b overlap those of another entry"},
      {with("[2],\"data_offsets\":[0,8]", "[1],\"data_offsets\":[0,4]"), "a hole before the bytes of b"},
      {with("[2],\"data_offsets\":[0,8]", "[1],\"data_offsets\":[4,8]"), "a hole before the bytes of a"},
      {with("[1,2],\"data_offsets\":[8,16]", "[1],\"data_offsets\":[8,12]"), "goes on for 4 bytes after"},
  };
  for (const auto& [header, error] : all) {
    INFO(header);
    require_refused(file_of(header, small_body), error);
  }
}

TEST_CASE("safetensors: large and deep headers", "[safetensors]") {
  const std::string deep(10'000'000, '[');
  require_refused(file_of(deep), "not a JSON object");
  require_refused(file_of("{\"a\":" + deep), "a: an array does not belong there");
  require_refused(file_of(with("[2]", deep)), "a.shape: an array does not belong there");
  std::string objects;
  for (int i = 0; i < 1'000'000; ++i) objects += "{\"a\":";
  require_refused(file_of(with("[2]", objects)), "a.shape: an object does not belong there");
  require_refused(file_of(objects), "a has an unknown a");

  std::string sizes = "1";
  for (int i = 0; i < 1'000'000; ++i) sizes += ",1";
  require_refused(file_of(with("[2]", "[" + sizes + "]")), "a.shape has more than 64 numbers");

  // A name of megabytes is not repeated in full, nor are control characters.
  const std::string name = "\\n" + std::string(5'000'000, 'x');
  require_refused(file_of("{\"" + name + "\":" + small_a.substr(4) + "," + small_b + "}", small_body),
                  "missing a [2]; unexpected ?" + std::string(127, 'x') + "... [2]");
  require_refused(file_of("{\"" + name), "not JSON at its byte");
}

TEST_CASE("safetensors: values that are not finite", "[safetensors]") {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  constexpr float nan = std::numeric_limits<float>::quiet_NaN();
  for (const float bad : {infinity, -infinity, nan}) {
    require_refused(file_of(small_header, bytes<float>({1, 2, 3, bad})), "b has a value that is not finite, number 1");

    const Folder folder;
    const fs::path path = folder / "weights.safetensors";
    const Layout layout = small_layout();
    Parameters<float> p(layout, 1);
    heed::save(path, layout, p);
    const std::string before = read(path);
    p.flat[1] = bad;
    require_file_error(path, "a has a value that is not finite, number 1", [&] { heed::save(path, layout, p); });
    REQUIRE(read(path) == before);
    REQUIRE(folder.names().size() == 1);
  }
  const std::string doubles = R"({"a":{"dtype":"F64","shape":[2],"data_offsets":[0,16]},)"
                              R"("b":{"dtype":"F64","shape":[1,2],"data_offsets":[16,32]}})";
  require_refused(file_of(doubles, bytes<double>({1, 2, 1e39, 4})), "b has a value that is not finite, number 0");
  require_refused(file_of(doubles, bytes<double>({1, double(nan), 1, 4})),
                  "a has a value that is not finite, number 1");

  const Folder folder;
  write(folder / "large", file_of(doubles, bytes<double>({1, 2, 1e39, 4})));
  const Layout layout = small_layout();
  Parameters<double> p(layout);
  heed::load(folder / "large", layout, p);
  REQUIRE(p.flat[2] == 1e39);
}

TEST_CASE("safetensors: weights of many blocks are all checked before any is changed", "[safetensors]") {
  const Folder folder;
  const fs::path path = folder / "weights.safetensors";
  const Layout layout = layout_of({{"first", {3, 4001}}, {"second", {9001}}});
  Parameters<double> saved(layout, 3);
  heed::save(path, layout, saved);
  Parameters<float> narrow(layout);
  heed::load(path, layout, narrow);
  REQUIRE(narrow.flat == saved.flat.cast<float>());
  Parameters<double> p(layout, 2);
  heed::load(path, layout, p);
  REQUIRE(bits(p) == bits(saved));

  std::string file = read(path);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  file.replace(file.size() - 2 * sizeof nan, sizeof nan, bytes<double>({nan}));
  require_refused(file, "second has a value that is not finite, number 8999", layout);
  file.replace(file.size() - 2 * sizeof nan, sizeof nan, bytes<double>({1e39}));
  require_refused(file, "second has a value that is not finite, number 8999", layout);
}

TEST_CASE("safetensors: a file that is cut off while it is read", "[safetensors]") {
  const Folder folder;
  const fs::path path = folder / "weights.safetensors";
  const Layout layout = layout_of({{"a", {100'000}}});
  heed::save(path, layout, Parameters<float>(layout, 1));
  heed::detail::EntryFile file(path);
  fs::resize_file(path, 200'000);
  std::vector<float> numbers(100'000);
  require_file_error(path, "bytes could be read", [&] { file.read(file.tensors()[0], numbers.data()); });
  require_file_error(path, "bytes could be read", [&] {
    file.each_block(file.tensors()[0], [](std::uint64_t, const char*, std::uint64_t) { return true; });
  });
}

TEST_CASE("safetensors: paths that are no files", "[safetensors]") {
  const Folder folder;
  const Layout layout = small_layout();
  Parameters<float> p(layout, 1);
  const std::string before = bits(p);
  require_file_error(folder.path, "is a directory", [&] { heed::load(folder.path, layout, p); });
  require_file_error(folder / "nothing", "there is no such file", [&] { heed::load(folder / "nothing", layout, p); });
  require_file_error("", "there is no such file", [&] { heed::load("", layout, p); });
#if !defined(_WIN32)
  require_file_error("/dev/zero", "is not a regular file", [&] { heed::load("/dev/zero", layout, p); });
#endif
  REQUIRE(bits(p) == before);
}

TEST_CASE("safetensors: wrong use", "[safetensors]") {
  const Folder folder;
  const fs::path path = folder / "weights.safetensors";
  const Layout layout = small_layout(), other = layout_of({{"a", {2}}});
  Parameters<float> p(other);
  REQUIRE_THROWS_WITH(heed::save(path, layout, p), "save: 2 parameters, but the layout has 4");
  write(path, file_of(small_header, small_body));
  REQUIRE_THROWS_WITH(heed::load(path, layout, p), "load: 2 parameters, but the layout has 4");

  Layout unnamed(false);
  Scope(unnamed, unnamed.axis()).weight<heed::Dynamic>("a", {2}, heed::zero());
  REQUIRE_THROWS_WITH(heed::save(path, unnamed, p), "save: the layout was made without names");
  REQUIRE_THROWS_WITH(heed::load(path, unnamed, p), "load: the layout was made without names");
  REQUIRE(read(path) == file_of(small_header, small_body));

  // Names that could not be read again.
  const Layout latin = layout_of({{"caf\xe9", {2}}}), reserved = layout_of({{"__metadata__", {2}}});
  require_file_error(path, "missing caf\xe9 [2]", [&] { heed::save(path, latin, p); });
  require_file_error(path, "__metadata__: ", [&] { heed::save(path, reserved, p); });
  REQUIRE(read(path) == file_of(small_header, small_body));
}

TEST_CASE("safetensors: saving that fails leaves everything as it was", "[safetensors]") {
  const Folder folder;
  const Layout layout = small_layout();
  const Parameters<float> p(layout, 1);
  SECTION("no such directory") {
    const fs::path path = folder / "missing" / "weights.safetensors";
    require_file_error(path, "No such file or directory", [&] { heed::save(path, layout, p); });
    REQUIRE(folder.names().empty());
  }
  SECTION("the target is a directory") {
    const fs::path path = folder / "weights.safetensors";
    fs::create_directory(path);
    write(path / "inside", "x");
    require_file_error(path, "cannot be replaced", [&] { heed::save(path, layout, p); });
    REQUIRE(folder.names() == std::vector{"weights.safetensors"s});
    REQUIRE(read(path / "inside") == "x");
  }
  SECTION("the target is an empty directory") {
    const fs::path path = folder / "weights.safetensors";
    fs::create_directory(path);
    require_file_error(path, "cannot be replaced", [&] { heed::save(path, layout, p); });
    REQUIRE(fs::is_directory(path));
    REQUIRE(folder.names() == std::vector{"weights.safetensors"s});
  }
#if !defined(_WIN32)
  SECTION("no more room") {
    const fs::path path = folder / "weights.safetensors";
    heed::save(path, layout, p);
    const std::string before = read(path);
    const Index size = GENERATE(200, 100'000);  // found when flushed, found when written
    const Layout large = layout_of({{"a", {size}}});
    const Parameters<float> q(large);
    rlimit old{};
    getrlimit(RLIMIT_FSIZE, &old);
    const auto handler = std::signal(SIGXFSZ, SIG_IGN);
    rlimit limit = old;
    limit.rlim_cur = 512;
    setrlimit(RLIMIT_FSIZE, &limit);
    const std::string error = file_error([&] { heed::save(path, large, q); });
    setrlimit(RLIMIT_FSIZE, &old);
    std::signal(SIGXFSZ, handler);
    REQUIRE(error.starts_with(path.string() + ": cannot be written: "));
    REQUIRE(read(path) == before);
    REQUIRE(folder.names().size() == 1);
  }
#endif
}

#if !defined(_WIN32)
TEST_CASE("safetensors: saving that is killed at any moment leaves a whole file", "[safetensors]") {
  const Folder folder;
  const fs::path path = folder / "weights.safetensors";
  const Layout layout = layout_of({{"a", {500, 300}}, {"b", {150'000}}});
  const Parameters<float> p(layout, 1), q(layout, 2);
  heed::save(path, layout, p);
  std::mt19937 random(1);
  for (int i = 0; i < 40; ++i) {
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) try {
        while (true) heed::save(path, layout, q), heed::save(path, layout, p);
      } catch (...) { _exit(1); }
    usleep(useconds_t(1000 + random() % 20'000));
    kill(child, SIGKILL);
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    REQUIRE(WIFSIGNALED(status));
    Parameters<float> loaded(layout);
    heed::load(path, layout, loaded);
    REQUIRE((bits(loaded) == bits(p) || bits(loaded) == bits(q)));
  }
  const std::vector<std::string> names = folder.names();
  CHECK(names.size() > 1);  // some were killed in the middle
  for (const std::string& name : names) CHECK((name == "weights.safetensors" || name.starts_with(".heed-")));
}
#endif

TEST_CASE("safetensors: a file of one's own with the name of a temporary is not touched", "[safetensors]") {
  const Folder folder;
  const Layout layout = small_layout();
  const Parameters<float> p(layout, 1);
  const fs::path temporary = [&] {  // the name that comes next, told by the name of one that exists
    const heed::detail::AtomicFile file(folder / "x");
    return folder.path / folder.names().at(0);
  }();
  REQUIRE(folder.names().empty());
  std::string name = temporary.filename().string();
  const std::size_t number = name.rfind('-') + 1;
  const std::string next = std::to_string(std::stoul(name.substr(number)) + 1);
  name = name.substr(0, number) + next + ".tmp";
  write(folder / name.c_str(), "mine");
  heed::save(folder / "x", layout, p);
  REQUIRE(read(folder / name.c_str()) == "mine");
  REQUIRE(folder.names().size() == 2);
}

TEST_CASE("safetensors: damaged files are refused or hold finite numbers", "[safetensors]") {
  const Folder folder;
  const fs::path path = folder / "weights.safetensors";
  const Layout layout = layout_of({{"a.weight", {3, 2}}, {"a.bias", {3}}, {"b", {1, 2, 2, 1}}});
  const Parameters<double> saved(layout, 1);
  heed::save(path, layout, saved);
  const std::string whole = read(path);
  const std::size_t header = whole.size() - std::size_t(layout.parameters()) * sizeof(double);
  Parameters<float> p(layout);
  const auto loads = [&](const std::string& file) {
    write(path, file);
    p = Parameters<float>(layout, 2);
    const std::string before = bits(p);
    try {
      heed::load(path, layout, p);
    } catch (const std::runtime_error& e) {
      REQUIRE(std::string_view(e.what()).starts_with(path.string()));
      REQUIRE(bits(p) == before);
      return false;
    }
    REQUIRE(p.flat.size() == layout.parameters());
    REQUIRE(p.flat.allFinite());
    return true;
  };
  REQUIRE(loads(whole));
  for (std::size_t size = 0; size < whole.size(); ++size) REQUIRE_FALSE(loads(whole.substr(0, size)));

  std::mt19937 random(1);
  int loaded = 0;
  for (int i = 0; i < 4000; ++i) {
    std::string damaged = whole;
    const std::size_t range = i % 4 == 0 ? whole.size() : header;  // mostly where it is read as text
    for (auto flips = 1 + random() % 3; flips > 0; --flips)
      damaged[random() % range] ^= char(i % 2 ? 1u << random() % 8 : 1 + random() % 255);
    loaded += loads(damaged);
  }
  CHECK(loaded > 0);
  CHECK(loaded < 2000);
}
