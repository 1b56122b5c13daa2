#include "heed/layers/learned_positional_encoding.hpp"

#include "../support.hpp"

using namespace support;
using heed::LearnedPositionalEncoding;

namespace {

template <class S, int D = Dynamic>
auto encoding(Index length, Index dim) {
  using Layer = LearnedPositionalEncoding<S, D>;
  return Rig<S, Layer>({dim}, dim, [=](Subject<S>& s) { return Layer(s.at(), length, dim); });
}

auto formula(const auto& subject) {
  return [&](const auto& values) {
    auto y = values.x[0];
    Index column = 0;
    for (const Index n : subject.time_lengths)
      for (Index t = 0; t < n; ++t, ++column)
        for (Index i = 0; i < y.rows; ++i) y(i, column) += values(subject.layer.weight, t, i);
    return y;
  };
}

}  // namespace

TEST_CASE("LearnedPositionalEncoding adds a vector for each place in the sequence") {
  for (const Index dim : {1, 5}) {
    auto s = encoding<double>(9, dim);
    s.begin({0, 1, 9, 3});
    check_formula(s, formula(s));
    auto f = encoding<float>(9, dim);
    f.begin({9, 0, 2});
    check_formula(f, formula(f));
  }
}

TEST_CASE("LearnedPositionalEncoding: gradients") {
  auto s = encoding<double>(7, 5), narrow = encoding<double>(7, 1);
  auto fixed = encoding<double, 5>(7, 5);
  auto fixed_narrow = encoding<double, 1>(7, 1);
  for (Subject<double>* each :
       {(Subject<double>*)&s, (Subject<double>*)&narrow, (Subject<double>*)&fixed, (Subject<double>*)&fixed_narrow}) {
    each->begin({0, 1, 6, 2});
    check_gradients(*each);
    check_targets(*each);
    each->x[0].setZero();
    check_gradients(*each);
  }
  check_same(s, fixed);
  check_same(narrow, fixed_narrow);
}

TEST_CASE("LearnedPositionalEncoding: extend goes on from what a lane has seen, up to the end") {
  auto s = encoding<double>(40, 3);
  check_extend(s, {.columns = 40});
}

TEST_CASE("LearnedPositionalEncoding: each token alone") {
  auto s = encoding<float>(4, 3);
  s.begin({0, 1, 4});
  check_sight(s, window(1));
}

TEST_CASE("LearnedPositionalEncoding: its weight, and how it starts") {
  heed::Layout layout;
  const Scope at(layout, layout.axis());
  const LearnedPositionalEncoding<double> layer(at / "positions", 100, 100),
      waves(at / "waves", 5, 4, heed::sinusoidal());
  REQUIRE(layout.entries().size() == 2);
  CHECK(layout.entries()[0].name == "positions.weight");
  CHECK(layout.entries()[0].shape == heed::Shape{100, 100});
  const Parameters<double> p(layout, 1);
  CHECK(std::abs(p[layer.weight].norm() / 100 - 0.02) <= 0.001);
  CHECK(std::abs(p[waves.weight](3, 1) - std::cos(3.0)) <= 1e-14);
}

TEST_CASE("LearnedPositionalEncoding: a position beyond the end") {
  auto s = encoding<double>(4, 3);
  check_end(s, "LearnedPositionalEncoding", 4);
}

TEST_CASE("LearnedPositionalEncoding: wrong shapes") {
  auto s = encoding<double>(4, 3);
  s.begin({2, 3});
  heed::Memory<double> m(s.layout, 2);
  check_shapes(s, "LearnedPositionalEncoding", {"x"}, &m);
  heed::Memory<double> three(s.layout, 3);
  check_complaint("Memory: 2 sequences on axis 0, but there are 3 lanes", [&] { s.extend(three); });
  check_complaint("weight: size 0 of its shape is 0", [] { encoding<double>(0, 3); });
}
