#include "heed/layers/learned_grid_encoding.hpp"

#include "../support.hpp"

using namespace support;
using heed::Grid, heed::LearnedGridEncoding;

namespace {

template <class S, int D = Dynamic>
auto encoding(Grid grid, Index dim) {
  using Layer = LearnedGridEncoding<S, D>;
  return Rig<S, Layer>({dim}, dim, [=](Subject<S>& s) { return Layer(s.at(), grid, dim); });
}

auto formula(const auto& subject) {
  return [&](const auto& values) {
    auto y = values.x[0];
    const auto& layer = subject.layer;
    Index column = 0;
    for (const Index n : subject.time_lengths)
      for (Index t = 0; t < n; ++t, ++column)
        for (Index i = 0; i < y.rows; ++i)
          y(i, column) += values(layer.row, t / layer.grid.cols, i) + values(layer.col, t % layer.grid.cols, i);
    return y;
  };
}

}  // namespace

TEST_CASE("LearnedGridEncoding adds a vector for the row and one for the column") {
  for (const Grid grid : {Grid{5, 7}, Grid{1, 4}, Grid{4, 1}})
    for (const Index dim : {1, 6}) {
      INFO(grid.rows << " x " << grid.cols << ", dim " << dim);
      auto s = encoding<double>(grid, dim);
      s.begin({0, 1, grid.cells(), 3, grid.cells() - 1});
      check_formula(s, formula(s));
      auto f = encoding<float>(grid, dim);
      f.begin({grid.cells(), 0, 2});
      check_formula(f, formula(f));
    }
}

TEST_CASE("LearnedGridEncoding: gradients") {
  auto s = encoding<double>({2, 3}, 5), narrow = encoding<double>({3, 2}, 1);
  auto fixed = encoding<double, 5>({2, 3}, 5);
  auto fixed_narrow = encoding<double, 1>({3, 2}, 1);
  for (Subject<double>* each :
       {(Subject<double>*)&s, (Subject<double>*)&narrow, (Subject<double>*)&fixed, (Subject<double>*)&fixed_narrow}) {
    each->begin({0, 1, 6, 4});
    check_gradients(*each);
    check_targets(*each);
    each->x[0].setZero();
    check_gradients(*each);
  }
  check_same(s, fixed);
  check_same(narrow, fixed_narrow);
}

TEST_CASE("LearnedGridEncoding: extend goes on from the cell that a lane has reached") {
  auto s = encoding<double>({8, 5}, 3);
  check_extend(s, {.columns = 40});
}

TEST_CASE("LearnedGridEncoding: each token alone") {
  auto s = encoding<float>({2, 2}, 3);
  s.begin({0, 1, 4});
  check_sight(s, window(1));
}

TEST_CASE("LearnedGridEncoding: its weights, and how they start") {
  heed::Layout layout;
  const LearnedGridEncoding<double> layer(Scope(layout, layout.axis(), "cells"), {100, 50}, 80);
  REQUIRE(layout.entries().size() == 2);
  CHECK(layout.entries()[0].name == "cells.row.weight");
  CHECK(layout.entries()[0].shape == heed::Shape{100, 80});
  CHECK(layout.entries()[1].name == "cells.col.weight");
  CHECK(layout.entries()[1].shape == heed::Shape{50, 80});
  const Parameters<double> p(layout, 1);
  CHECK(std::abs(p.flat.norm() / std::sqrt(12000.0) - 0.02) <= 0.001);
}

TEST_CASE("LearnedGridEncoding: more tokens than cells") {
  auto s = encoding<double>({2, 3}, 4);
  check_end(s, "LearnedGridEncoding", 6);
}

TEST_CASE("LearnedGridEncoding: wrong shapes and grid") {
  auto s = encoding<double>({2, 3}, 4);
  s.begin({2, 3});
  heed::Memory<double> m(s.layout, 2);
  check_shapes(s, "LearnedGridEncoding", {"x"}, &m);
  check_complaint("LearnedGridEncoding: grid 0 x 2, but at least 1 x 1 is needed", [] { encoding<double>({0, 2}, 4); });
}
