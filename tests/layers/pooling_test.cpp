#include "heed/layers/pooling.hpp"

#include "../support.hpp"

using namespace support;
using heed::Pooling, heed::PoolingKind;

namespace {

constexpr PoolingKind kinds[] = {PoolingKind::mean, PoolingKind::max, PoolingKind::last};

template <class S, int D = Dynamic>
auto pooling(Index dim, PoolingKind kind) {
  return Rig<S, Pooling<S, D>>(
      {dim}, dim, [=](Subject<S>& s) { return Pooling<S, D>(s.at().along(s.source), kind); }, {}, true);
}

auto formula(const auto& subject, PoolingKind kind) {
  return [&subject, kind]<class T>(const Values<T>& values) {
    const auto& x = values.x[0];
    Table<T> y(x.rows, subject.y.cols());
    Index first = 0, column = 0;
    for (const Index n : subject.source_lengths) {
      for (Index r = 0; r < x.rows; ++r)
        for (Index i = 0; i < n; ++i) {
          T& to = y(r, column);
          const T& from = x(r, first + i);
          if (kind == PoolingKind::mean) to += from / T((long double)n);
          if (kind == PoolingKind::max && (i == 0 || to < from)) to = from;
          if (kind == PoolingKind::last) to = from;
        }
      first += n, ++column;
    }
    return y;
  };
}

const Lengths lengths{0, 1, 5, 70, 2};  // of two sequences of time

}  // namespace

TEST_CASE("Pooling is the mean, the highest or the last, and zero of nothing") {
  for (const PoolingKind kind : kinds) {
    INFO("kind " << int(kind));
    auto s = pooling<double>(3, kind);
    s.begin({2, 3}, lengths);
    check_formula(s, formula(s, kind));
    CHECK((s.y.col(0).array() == 0).all());
    auto f = pooling<float>(9, kind);
    f.begin({2, 3}, lengths);
    check_formula(f, formula(f, kind));
  }
}

TEST_CASE("Pooling: gradients") {
  for (const PoolingKind kind : kinds) {
    INFO("kind " << int(kind));
    auto s = pooling<double>(3, kind);
    auto fixed = pooling<double, 3>(3, kind);
    for (Subject<double>* each : {(Subject<double>*)&s, (Subject<double>*)&fixed}) {
      each->begin({2, 3}, lengths);
      check_gradients(*each);
      check_targets(*each);
    }
    check_same(s, fixed);
    s.x[0] = saturated<double>(3, 78, 1);  // many ties, of which the formula, too, takes the first
    check_slopes(s, formula(s, kind));
    s.x[0].setZero();
    check_slopes(s, formula(s, kind));
  }
}

TEST_CASE("Pooling: of equal highest values the first gets the gradient") {
  auto s = pooling<double>(1, PoolingKind::max);
  s.begin({1}, {20});
  s.x[0].setZero();
  s.x[0](0, 3) = s.x[0](0, 4) = s.x[0](0, 17) = 2;
  s.forward();
  Parameters<double> g(s.layout);
  s.backward(Tokens<double>::Constant(1, 1, 5), g);
  CHECK(s.dx[0](0, 3) == 5);
  CHECK(s.dx[0].sum() == 5);
}

TEST_CASE("Pooling: nothing leaks between sequences") {
  for (const PoolingKind kind : kinds) {
    auto s = pooling<float>(4, kind);
    s.begin({4}, {0, 1, 5, 3});
    s.forward();
    const Tokens<float> y = s.y;
    s.x[0].col(5).array() += 3;  // of the third sequence, its last
    s.forward();
    for (const Index other : {0, 1, 3}) CHECK(same_bits(s.y.col(other), y.col(other)));
    CHECK(!same_bits(s.y.col(2), y.col(2)));
  }
}

TEST_CASE("Pooling: wrong shapes") {
  for (const PoolingKind kind : kinds) {
    auto s = pooling<double>(4, kind);
    s.begin({2}, {1, 3});
    const Tokens<double> wide(4, 5);
    Tokens<double> y(3, 2);
    check_complaint("Pooling: x is 4 x 5, but 4 x 4 is needed", [&] { s.layer.forward(wide, s.y, s.a); });
    check_complaint("Pooling: x is 4 x 5, but 4 x 4 is needed",
                    [&] { s.layer.backward(wide, s.y, s.a, heed::no_gradient); });
    check_complaint("Pooling: y is 3 x 2, but 4 x 2 is needed", [&] { s.layer.forward(s.x[0], y, s.a); });
    check_complaint("Pooling: dy is 3 x 2, but 4 x 2 is needed", [&] { s.layer.backward(s.x[0], y, s.a, s.dx[0]); });
    check_complaint("Pooling: dx is 3 x 2, but 4 x 4 is needed", [&] { s.layer.backward(s.x[0], s.y, s.a, y); });
  }
}
