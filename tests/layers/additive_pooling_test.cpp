#include "heed/layers/additive_pooling.hpp"

#include "../support.hpp"

using namespace support;
using heed::AdditivePooling;

namespace {

template <class S, int D = Dynamic, int A = Dynamic>
auto pooling(Index dim = D, Index width = A) {
  return Rig<S, AdditivePooling<S, D, A>>(
      {dim}, dim, [=](Subject<S>& s) { return AdditivePooling<S, D, A>(s.at().along(s.source), dim, width); }, {},
      true);
}

auto formula(const auto& subject) {
  return [&]<class T>(const Values<T>& values) {
    using std::tanh;
    const auto& layer = subject.layer;
    const auto& x = values.x[0];
    const auto u = plain_linear(values, layer.alignment, x);
    Table<T> y(x.rows, subject.y.cols());
    Index first = 0, column = 0;
    for (const Index n : subject.source_lengths) {
      std::vector<T> w(std::size_t(n), T(0));
      for (Index i = 0; i < n; ++i)
        for (Index r = 0; r < u.rows; ++r) w[std::size_t(i)] += values(layer.context, r) * tanh(u(r, first + i));
      w = plain_softmax(w, [](Index) { return true; });
      for (Index i = 0; i < n; ++i)
        for (Index r = 0; r < x.rows; ++r) y(r, column) += w[std::size_t(i)] * x(r, first + i);
      first += n, ++column;
    }
    return y;
  };
}

const Lengths lengths{0, 1, 5, 70, 2};  // of two sequences of time

}  // namespace

TEST_CASE("AdditivePooling averages a sequence by softmax(v' tanh(W x + b))") {
  auto s = pooling<double>(4, 6);
  s.begin({2, 3}, lengths);
  check_formula(s, formula(s));
  CHECK((s.y.col(0).array() == 0).all());
  Index first = 0;
  for (const Index n : lengths) {
    if (n > 0) CHECK(s.a[s.layer.weights].segment(first, n).sum() == Approx(1).epsilon(1e-12));
    first += n;
  }
  auto f = pooling<float>(17, 40);
  f.begin({2, 3}, lengths);
  check_formula(f, formula(f));
}

TEST_CASE("AdditivePooling: gradients") {
  auto s = pooling<double>(3, 5);
  auto fixed = pooling<double, 3>(3, 5);
  auto all_fixed = pooling<double, 3, 5>();
  for (Subject<double>* each : {(Subject<double>*)&s, (Subject<double>*)&fixed, (Subject<double>*)&all_fixed}) {
    each->begin({2, 3}, lengths);
    check_gradients(*each);
    check_targets(*each);
  }
  check_same(s, fixed);
  check_same(s, all_fixed);
  auto wide = pooling<double>(3, 70);  // several registers, however many numbers they hold
  wide.begin({2}, {3, 2});
  check_gradients(wide);
  s.x[0].setZero();
  check_gradients(s);
  s.x[0].setOnes();
  check_gradients(s);
  s.begin({4}, {0, 1, 5, 2});
  s.x[0] = saturated<double>(3, 8, 1);
  check_slopes(s, formula(s), 1e4);
}

TEST_CASE("AdditivePooling: an empty sequence has no gradient") {
  auto s = pooling<double>(3, 5);
  s.begin({2}, {0, 0});
  s.forward();
  CHECK((s.y.array() == 0).all());
  Parameters<double> g(s.layout);
  s.backward(random<double>(3, 2, 1), g);
  CHECK((g.flat.array() == 0).all());
}

TEST_CASE("AdditivePooling: nothing leaks between sequences, and their order within does not count") {
  auto s = pooling<float>(4, 5);
  s.begin({4}, {0, 1, 5, 3});
  s.forward();
  const Tokens<float> y = s.y;
  s.x[0].col(2).array() += 1;  // of the third sequence
  s.forward();
  for (const Index other : {0, 1, 3}) CHECK(same_bits(s.y.col(other), y.col(other)));
  CHECK(!same_bits(s.y.col(2), y.col(2)));
  s.x[0].col(2).array() -= 1;
  s.x[0].col(1).swap(s.x[0].col(5));
  s.forward();
  CHECK(distance(s.y, y) <= 1e-6);
}

TEST_CASE("AdditivePooling has names and starts uniform") {
  auto s = pooling<double>(4, 100);
  CHECK(s.layout.entries()[0].name == "attention.weight");
  CHECK(s.layout.entries()[1].name == "attention.bias");
  CHECK(s.layout.entries()[2].name == "context_vector");
  const Parameters<double> p(s.layout, 1);
  CHECK(p[s.layer.context].cwiseAbs().maxCoeff() == Approx(0.1).epsilon(0.05));
}

TEST_CASE("AdditivePooling: wrong shapes") {
  auto s = pooling<double>(4, 5);
  s.begin({2}, {1, 3});
  check_shapes(s, "AdditivePooling", {"x"});
  check_complaint("its parent axis 0 has 2 columns", [&] { s.begin({2}, {1, 3, 0}); });
}

TEST_CASE("AdditivePooling in float has the gradients of double at widths that leave part of a register") {
  for (const Index width : {1, 5, 16, 21, 70}) {
    INFO("width " << width);
    auto d = pooling<double>(4, width);
    auto f = pooling<float>(4, width);
    d.begin({2, 3}, lengths);
    f.begin({2, 3}, lengths);
    f.p.flat = d.p.flat.cast<float>();
    f.x[0] = d.x[0].cast<float>();
    const Tokens<double> dy = random<double>(4, 5, 3);
    Parameters<double> gd(d.layout);
    Parameters<float> gf(f.layout);
    d.forward(), f.forward();
    d.backward(dy, gd), f.backward(dy.cast<float>(), gf);
    CHECK((f.y.cast<double>() - d.y).cwiseAbs().maxCoeff() < 1e-6);
    CHECK((f.dx[0].cast<double>() - d.dx[0]).cwiseAbs().maxCoeff() < 1e-5);
    CHECK((gf.flat.cast<double>() - gd.flat).cwiseAbs().maxCoeff() < 1e-5);
  }
}
