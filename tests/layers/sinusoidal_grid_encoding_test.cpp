#include "heed/layers/sinusoidal_grid_encoding.hpp"

#include "../support.hpp"

using namespace support;
using heed::Grid, heed::SinusoidalGridEncoding;

namespace {

template <class S, int D = Dynamic>
auto encoding(Grid grid, Index dim) {
  using Layer = SinusoidalGridEncoding<S, D>;
  return Rig<S, Layer>({dim}, dim, [=](Subject<S>& s) { return Layer(s.at(), grid, dim); });
}

auto formula(const auto& subject) {
  return [&](const auto& values) {
    auto y = values.x[0];
    const Index half = y.rows / 2;
    Index column = 0;
    for (const Index n : subject.time_lengths)
      for (Index t = 0; t < n; ++t, ++column)
        for (Index i = 0; i < y.rows; ++i) {
          const Index place = i < half ? t / subject.layer.grid.cols : t % subject.layer.grid.cols, k = i % half;
          const long double angle =
              (long double)place * std::pow(10000.0L, -(long double)(k - k % 2) / (long double)half);
          y(i, column) += k % 2 == 0 ? std::sin(angle) : std::cos(angle);
        }
    return y;
  };
}

}  // namespace

TEST_CASE("SinusoidalGridEncoding: half of the features say the row, half the column") {
  for (const Grid grid : {Grid{5, 7}, Grid{1, 40}, Grid{40, 1}, Grid{3, 70}})
    for (const Index dim : {2, 6, 8}) {
      INFO(grid.rows << " x " << grid.cols << ", dim " << dim);
      auto s = encoding<double>(grid, dim);
      s.begin({0, 1, grid.cells(), 3, grid.cells() - 2});
      check_formula(s, formula(s));
      auto f = encoding<float>(grid, dim);
      f.begin({grid.cells(), 0, 2});
      check_formula(f, formula(f));
    }
}

TEST_CASE("SinusoidalGridEncoding: gradients") {
  auto s = encoding<double>({2, 3}, 6);
  auto fixed = encoding<double, 6>({2, 3}, 6);
  for (Subject<double>* each : {(Subject<double>*)&s, (Subject<double>*)&fixed}) {
    each->begin({0, 1, 6, 4});
    check_gradients(*each);
    check_targets(*each);
    each->x[0].setZero();
    check_gradients(*each);
  }
  check_same(s, fixed);
}

TEST_CASE("SinusoidalGridEncoding: extend goes on from the cell that a lane has reached") {
  auto s = encoding<double>({8, 5}, 4);
  check_extend(s, {.columns = 40});
}

TEST_CASE("SinusoidalGridEncoding: each token alone") {
  auto s = encoding<float>({2, 2}, 4);
  s.begin({0, 1, 4});
  check_sight(s, window(1));
}

TEST_CASE("SinusoidalGridEncoding: more tokens than cells") {
  auto s = encoding<double>({2, 3}, 4);
  check_end(s, "SinusoidalGridEncoding", 6);
}

TEST_CASE("SinusoidalGridEncoding: wrong shapes, dim and grid") {
  auto s = encoding<double>({2, 3}, 4);
  s.begin({2, 3});
  heed::Memory<double> m(s.layout, 2);
  const Tokens<double> wide(4, 6), low(2, 5);
  for (const Tokens<double>& x : {wide, low}) {
    const std::string error = "SinusoidalGridEncoding: x is " + std::to_string(x.rows()) + " x " +
                              std::to_string(x.cols()) + ", but 4 x 5 is needed";
    check_complaint(error, [&] { s.layer.forward(x, s.y, s.a); });
    check_complaint(error, [&] { s.layer.extend(x, s.y, m, s.a); });
  }
  Tokens<double> y(4, 4);
  check_complaint("SinusoidalGridEncoding: y is 4 x 4, but 4 x 5 is needed", [&] { s.layer.forward(s.x[0], y, s.a); });
  check_complaint("SinusoidalGridEncoding: dy is 2 x 5, but 4 x 5 is needed", [&] { s.layer.backward(low, s.dx[0]); });
  check_complaint("SinusoidalGridEncoding: dx is 4 x 4, but 4 x 5 is needed", [&] { s.layer.backward(s.x[0], y); });
  check_complaint("SinusoidalGridEncoding: dim 5 is not a multiple of 2", [] { encoding<double>({2, 3}, 5); });
  check_complaint("SinusoidalGridEncoding: dim 0 is not", [] { encoding<double>({2, 3}, 0); });
  check_complaint("SinusoidalGridEncoding: grid 2 x 0, but at least 1 x 1 is needed", [] {
    encoding<double>({2, 0}, 4);
  });
}
