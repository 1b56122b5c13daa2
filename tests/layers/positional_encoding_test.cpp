#include "heed/layers/positional_encoding.hpp"

#include "../support.hpp"

using namespace support;

namespace {

template <class S, int D = Dynamic>
auto encoding(Index dim) {
  using Layer = heed::SinusoidalPositionalEncoding<S, D>;
  return Rig<S, Layer>({dim}, dim, [=](Subject<S>& s) { return Layer(s.at()); });
}

auto formula(const auto& subject) {
  return [&](const auto& values) {
    auto y = values.x[0];
    Index column = 0;
    for (const Index n : subject.time_lengths)
      for (Index t = 0; t < n; ++t, ++column)
        for (Index i = 0; i < y.rows; ++i) {
          const long double angle =
              (long double)t * std::pow(10000.0L, -(long double)(i - i % 2) / (long double)y.rows);
          y(i, column) += i % 2 == 0 ? std::sin(angle) : std::cos(angle);
        }
    return y;
  };
}

}  // namespace

TEST_CASE("SinusoidalPositionalEncoding adds sines and cosines, counted from 0 in each sequence") {
  for (const Index dim : {1, 4, 7}) {
    auto s = encoding<double>(dim);
    s.begin({0, 1, 100, 3});
    check_formula(s, formula(s));
    auto f = encoding<float>(dim);
    f.begin({0, 1, 2000});
    check_formula(f, formula(f));
    f.forward();
    const auto exact = formula(f)(Values<long double>(f));
    for (Index i = 0; i < dim; ++i) CHECK(std::abs(f.y(i, 2000) - float(exact(i, 2000))) <= 1e-6);  // far is as exact
  }
}

TEST_CASE("SinusoidalPositionalEncoding: gradients") {
  auto s = encoding<double>(5);
  auto fixed = encoding<double, 5>(5);
  for (Subject<double>* each : {(Subject<double>*)&s, (Subject<double>*)&fixed}) {
    each->begin({0, 1, 6});
    check_gradients(*each);
    check_targets(*each);
    each->x[0].setZero();
    check_gradients(*each);
  }
  check_same(s, fixed);
}

TEST_CASE("SinusoidalPositionalEncoding: extend goes on from what a lane has seen") {
  auto s = encoding<double>(6);
  check_extend(s, {.columns = 100});
}

TEST_CASE("SinusoidalPositionalEncoding: each token alone") {
  auto s = encoding<float>(4);
  s.begin({0, 1, 4});
  check_sight(s, window(1));
}

TEST_CASE("SinusoidalPositionalEncoding: wrong shapes") {
  auto s = encoding<double>(4);
  s.begin({2, 3});
  heed::Memory<double> m(s.layout, 2);
  const Tokens<double> wide(4, 6);
  const char* x = "SinusoidalPositionalEncoding: x is 4 x 6, but 4 x 5 is needed";
  check_complaint(x, [&] { s.layer.forward(wide, s.y, s.a); });
  check_complaint(x, [&] { s.layer.extend(wide, s.y, m, s.a); });
  Tokens<double> y(3, 5);
  check_complaint("SinusoidalPositionalEncoding: y is 3 x 5, but 4 x 5 is needed",
                  [&] { s.layer.forward(s.x[0], y, s.a); });
  check_complaint("SinusoidalPositionalEncoding: dx is 3 x 5, but 4 x 5 is needed",
                  [&] { s.layer.backward(s.x[0], y); });
  heed::Memory<double> three(s.layout, 3);
  check_complaint("Memory: 2 sequences on axis 0, but there are 3 lanes",
                  [&] { s.layer.extend(s.x[0], s.y, three, s.a); });
}
