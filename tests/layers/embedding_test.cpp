#include "heed/layers/embedding.hpp"

#include "../support.hpp"

using namespace support;
using heed::Embedding;

namespace {

template <class S, int D = Dynamic>
struct Fixture {
  heed::Layout layout;
  Embedding<S, D> layer;
  Parameters<S> p;

  Fixture(Index count, Index dim) : layer(Scope(layout, layout.axis()), count, dim), p(layout) {
    p.flat = random<S>(layout.parameters(), 1, 3);
  }
};

template <class S>
Tokens<S> numbers(std::initializer_list<S> values) {
  Tokens<S> x(1, Index(values.size()));
  std::copy(values.begin(), values.end(), x.data());
  return x;
}

template <class S, int D = Dynamic>
void check_columns() {
  Fixture<S, D> f(5, 3);
  const Tokens<S> x = numbers<S>({4, 0, 0, 2, -S(0)});
  Tokens<S> y = Tokens<S>::Constant(3, 5, -3);
  f.layer.forward(f.p, x, y);
  for (Index j = 0; j < 5; ++j)
    for (Index i = 0; i < 3; ++i) CHECK(y(i, j) == f.p.flat(Index(x(0, j)) * 3 + i));
  Tokens<S> z = random<S>(3, 5, 1);
  const Tokens<S> before = z;
  f.layer.add(f.p, x, z);
  CHECK(same_bits(z, (before + y).eval()));
  f.layer.forward(f.p, x.leftCols(0), y.leftCols(0));
}

template <int D>
void check_gradient() {
  Fixture<double, D> f(4, 3);
  const Tokens<double> x = numbers<double>({3, 0, 3, 3, 1});
  Tokens<double> y(3, 5);
  const auto report = heed::testing::gradient_check(
      f.layout, f.p, {},
      [&]() -> const Tokens<double>& {
        f.layer.forward(f.p, x, y);
        return y;
      },
      [&](const Tokens<double>& dy, Parameters<double>& g) { f.layer.backward(x, dy, g); });
  REQUIRE(report.rows.size() == 1);
  CHECK(report.worst() <= 1e-6);
}

}  // namespace

TEST_CASE("Embedding: y is a column of the table, or is added to") {
  check_columns<double>();
  check_columns<double, 3>();
  check_columns<float>();
  check_columns<float, 3>();
}

TEST_CASE("Embedding: gradients") {
  check_gradient<Dynamic>();
  check_gradient<3>();
  Fixture<double> f(4, 3);  // they are added
  const Tokens<double> x = numbers<double>({2, 2}), dy = random<double>(3, 2, 5);
  Parameters<double> g(f.layout);
  g.flat.setConstant(2);
  f.layer.backward(x, dy, g);
  for (Index i = 0; i < 3; ++i) CHECK(std::abs(g.flat(6 + i) - (2 + dy(i, 0) + dy(i, 1))) <= 1e-15);
  CHECK((g.flat.head(6).array() == 2).all());
  CHECK((g.flat.tail(3).array() == 2).all());
}

TEST_CASE("Embedding: numbers may be a row of an observation") {
  Fixture<double> f(5, 3);
  Tokens<double> seen = random<double>(4, 3, 1), y(3, 3), z(3, 3);
  seen.row(2) << 1, 4, 0;
  f.layer.forward(f.p, seen.middleRows(2, 1), y);
  f.layer.forward(f.p, numbers<double>({1, 4, 0}), z);
  CHECK(same_bits(y, z));
}

TEST_CASE("Embedding has PyTorch's name and starts normal") {
  heed::Layout layout;
  const Embedding<double> layer(Scope(layout, layout.axis(), "kind"), 200, 50);
  REQUIRE(layout.entries().size() == 1);
  CHECK(layout.entries()[0].name == "kind.weight");
  CHECK(layout.entries()[0].shape == heed::Shape{200, 50});
  const Parameters<double> p(layout, 1);
  CHECK(std::abs(p.flat.mean()) <= 0.05);
  CHECK(std::abs(p.flat.squaredNorm() / 10000 - 1) <= 0.06);
}

TEST_CASE("Embedding: what is not a number of the table") {
  Fixture<float> f(5, 3);
  const float nan = std::numeric_limits<float>::quiet_NaN(), infinite = std::numeric_limits<float>::infinity();
  for (const auto& [wrong, said] : std::vector<std::pair<float, std::string>>{
           {5.f, "5"}, {-1.f, "-1"}, {2.5f, "2.5"}, {nan, "nan"}, {infinite, "inf"}, {1e30f, "1e+30"}}) {
    const Tokens<float> x = numbers<float>({4, wrong, 0});
    Tokens<float> y = Tokens<float>::Constant(3, 3, -3);
    Parameters<float> g(f.layout);
    const std::string error = "Embedding: x is " + said + " at column 1, but a whole number from 0 to 4 is needed";
    check_complaint(error, [&] { f.layer.forward(f.p, x, y); });
    check_complaint(error, [&] { f.layer.add(f.p, x, y); });
    check_complaint(error, [&] { f.layer.backward(x, y, g); });
    CHECK((y.array() == -3).all());  // nothing was done before the error
    CHECK((g.flat.array() == 0).all());
  }
}

TEST_CASE("Embedding: wrong shapes") {
  Fixture<double> f(5, 3);
  const Tokens<double> x = Tokens<double>::Zero(1, 2), two = Tokens<double>::Zero(2, 2);
  Tokens<double> y(3, 2), wide(3, 3), low(2, 2);
  Parameters<double> g(f.layout);
  check_complaint("Embedding: x is 2 x 2, but 1 x 2 is needed", [&] { f.layer.forward(f.p, two, y); });
  check_complaint("Embedding: x is 2 x 2, but 1 x 2 is needed", [&] { f.layer.backward(two, y, g); });
  check_complaint("Embedding: y is 3 x 3, but 3 x 2 is needed", [&] { f.layer.forward(f.p, x, wide); });
  check_complaint("Embedding: y is 2 x 2, but 3 x 2 is needed", [&] { f.layer.add(f.p, x, low); });
  check_complaint("Embedding: dy is 3 x 3, but 3 x 2 is needed", [&] { f.layer.backward(x, wide, g); });
  heed::Layout layout;
  const Scope at(layout, layout.axis());
  check_complaint("weight: size 0 of its shape is 0", [&] { Embedding<double>(at, 0, 3); });
}
