#include "heed/layers/patch_embedding.hpp"

#include "../support.hpp"

using namespace support;
using heed::Grid, heed::PatchEmbedding;

namespace {

/// y lies along the layer's own axis, for which time, with as many columns, stands in.
template <class S>
auto patches(Index in, Index dim, Grid image, Grid patch) {
  return Rig<S, PatchEmbedding<S>>({in}, dim, [=](Subject<S>& s) {
    s.axes = {s.source};
    return PatchEmbedding<S>(s.at().along(s.source), {.in = in, .dim = dim, .image = image, .patch = patch});
  });
}

/// Each patch as one vector, the channel slowest, through a linear map.
auto formula(const auto& subject) {
  return [&subject](const auto& values) {
    const auto& layer = subject.layer;
    const auto& c = layer.proj.config;
    const Grid grid = layer.grid();
    auto flat = rows_of(values.x[0], 0, 0);
    flat = decltype(flat)(c.in * c.kernel.cells(), subject.y.cols());
    for (Index pixel = 0; pixel < values.x[0].cols; ++pixel) {
      const Index image = pixel / c.image.cells(), row = pixel % c.image.cells() / c.image.cols,
                  col = pixel % c.image.cols;
      const Index token = image * grid.cells() + row / c.kernel.rows * grid.cols + col / c.kernel.cols;
      for (Index i = 0; i < c.in; ++i)
        flat((i * c.kernel.rows + row % c.kernel.rows) * c.kernel.cols + col % c.kernel.cols, token) =
            values.x[0](i, pixel);
    }
    return plain_linear(values, layer.proj.linear, flat);
  };
}

}  // namespace

TEST_CASE("PatchEmbedding is a linear map of each patch") {
  auto s = patches<double>(3, 5, {4, 6}, {2, 3});
  s.begin({4, 0, 4}, {24, 0, 24});
  check_formula(s, formula(s));
  auto f = patches<float>(1, 2, {3, 3}, {1});
  f.begin({9, 9}, {9, 9});
  check_formula(f, formula(f));
  auto whole = patches<float>(2, 4, {3, 5}, {3, 5});
  whole.begin({1, 1}, {15, 15});
  check_formula(whole, formula(whole));
}

TEST_CASE("PatchEmbedding: gradients") {
  auto s = patches<double>(2, 3, {4, 6}, {2, 3});
  s.begin({4, 0, 4}, {24, 0, 24});
  check_gradients(s);
  check_targets(s);
}

TEST_CASE("PatchEmbedding: its tokens, its names") {
  auto s = patches<float>(3, 5, {8, 6}, {2, 3});
  CHECK(s.layer.grid() == Grid{4, 2});
  REQUIRE(s.layout.entries().size() == 2);
  CHECK(s.layout.entries()[0].name == "proj.weight");
  CHECK(s.layout.entries()[0].shape == heed::Shape{5, 3, 2, 3});
  CHECK(s.layout.entries()[1].name == "proj.bias");
  s.begin({8, 0}, {48, 0});
  s.layer.begin(s.a);
  CHECK(s.a.columns(s.layer.tokens()) == 8);
}

TEST_CASE("PatchEmbedding: images that are not divided") {
  check_complaint("PatchEmbedding: image 8 x 6 is not divided by patches of 3 x 3", [] {
    patches<float>(1, 4, {8, 6}, {3});
  });
  check_complaint("PatchEmbedding: image 8 x 6 is not divided by patches of 4 x 4", [] {
    patches<float>(1, 4, {8, 6}, {4});
  });
  check_complaint("PatchEmbedding: image 8 x 6 is not divided by patches of 16 x 6", [] {
    patches<float>(1, 4, {8, 6}, {16, 6});
  });
  check_complaint("PatchEmbedding: patch 0 x 6, but at least 1 x 1 is needed", [] {
    patches<float>(1, 4, {8, 6}, {0, 6});
  });
  check_complaint("Convolution: image 0 x 6, but", [] { patches<float>(1, 4, {0, 6}, {2}); });
  auto s = patches<double>(2, 3, {4, 6}, {2, 3});
  s.begin({4, 4}, {24, 24});
  check_shapes(s, "Convolution", {"x"});
}
