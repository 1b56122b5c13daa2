#include "heed/layers/linear.hpp"

#include "../support.hpp"

using namespace support;
using heed::Linear;

namespace {

template <class S, int In = Dynamic, int Out = Dynamic>
auto linear(Index in, Index out, bool bias = true) {
  using Layer = Linear<S, In, Out>;
  return Rig<S, Layer>({in}, out, [=](Subject<S>& s) { return Layer(s.at(), in, out, bias); });
}

auto formula(const auto& layer) {
  return [&](const auto& values) { return plain_linear(values, layer, values.x[0]); };
}

}  // namespace

TEST_CASE("Linear is W x + b") {
  for (const bool bias : {true, false}) {
    auto s = linear<double>(5, 3, bias);
    s.begin({0, 1, 40});
    check_formula(s, formula(s.layer));
    auto f = linear<float>(40, 33, bias);
    f.begin({1, 21});
    check_formula(f, formula(f.layer));
  }
}

TEST_CASE("Linear: gradients") {
  auto s = linear<double>(5, 3);
  auto fixed = linear<double, 5, 3>(5, 3);
  auto one = linear<double, Dynamic, 1>(5, 1, false);
  for (Subject<double>* each : {(Subject<double>*)&s, (Subject<double>*)&fixed, (Subject<double>*)&one}) {
    each->begin({0, 1, 7});
    check_gradients(*each);
    check_targets(*each);
    each->x[0].setZero();
    check_gradients(*each);
    each->x[0].setOnes();
    check_gradients(*each);
  }
  s.begin({0, 1, 7});
  fixed.begin({0, 1, 7});
  check_same(s, fixed);
  s.x[0] = saturated<double>(5, 8, 1);
  check_slopes(s, formula(s.layer));
}

namespace {

template <class S, int In, int Out>
void check_constant_sizes() {
  INFO(In << " -> " << Out);
  for (const bool bias : {true, false})
    for (const Index columns : {1, 2, 9}) {
      auto constant = linear<S, In, Out>(In, Out, bias);
      constant.begin({columns});
      check_formula(constant, formula(constant.layer));
    }
}

}  // namespace

TEMPLATE_TEST_CASE("Linear of constant sizes is W x + b, of one column, too", "", float, double) {
  check_constant_sizes<TestType, 4, 64>();
  check_constant_sizes<TestType, 64, 2>();
  check_constant_sizes<TestType, 33, 17>();
  check_constant_sizes<TestType, 7, 1>();
  check_constant_sizes<TestType, 1, 20>();
}

TEST_CASE("Linear over a part of packed weights leaves the rest alone") {
  heed::Layout layout;
  const Scope at(layout, layout.axis());
  const auto packed = at.weight<Dynamic, Dynamic>("packed", {6, 4}, heed::zero());
  const auto bias = at.weight<Dynamic>("bias", {6}, heed::zero());
  const Linear<double> part(packed.middle_rows(2, 3), bias.middle_rows(2, 3));
  Parameters<double> p(layout), g(layout);
  p.flat = random<double>(layout.parameters(), 1, 1);
  const Tokens<double> x = random<double>(4, 5, 2), dy = random<double>(3, 5, 3);
  Tokens<double> y(3, 5);
  part.forward(p, x, y);
  CHECK(distance(y, ((p[packed].middleRows(2, 3) * x).colwise() + p[bias].segment(2, 3)).eval()) <= 1e-13);
  part.backward(p, x, dy, g, heed::no_gradient);
  CHECK(distance(g[packed].middleRows(2, 3), (dy * x.transpose()).eval()) <= 1e-13);
  CHECK(distance(g[bias].segment(2, 3), dy.rowwise().sum().eval()) <= 1e-13);
  CHECK((g[packed].topRows(2).array() == 0).all());
  CHECK((g[packed].bottomRows(1).array() == 0).all());
  CHECK((g[bias].head(2).array() == 0).all());
  CHECK(g[bias](5) == 0);
}

TEST_CASE("Linear starts as PyTorch's, or orthogonal") {
  heed::Layout layout;
  const Scope at(layout, layout.axis());
  const Linear<double> usual(at / "usual", 16, 40), straight(at / "straight", 16, 4, heed::LinearInit::orthogonal(2));
  const Parameters<double> p(layout, 1);
  CHECK(layout.entries()[0].name == "usual.weight");
  CHECK(layout.entries()[1].name == "usual.bias");
  for (const double most : {p[usual.weight].cwiseAbs().maxCoeff(), p[usual.bias].cwiseAbs().maxCoeff()}) {
    CHECK(most <= 0.25);
    CHECK(most > 0.2);
  }
  const Tokens<double> w = p[straight.weight];
  CHECK(distance((w * w.transpose()).eval(), (4 * Tokens<double>::Identity(4, 4)).eval()) <= 1e-12);
  CHECK((p[straight.bias].array() == 0).all());
}

TEST_CASE("Linear: wrong shapes") {
  auto s = linear<double>(5, 3);
  s.begin({2, 4});
  check_shapes<double>(s, "Linear", {"x"}, nullptr, false);
  Tokens<double> x(6, 6);
  check_complaint("Linear: x is 6 x 6, but 5 x 6 is needed", [&] { s.layer.forward(s.p, x, s.y); });
  heed::Layout layout;
  check_complaint("weight: size 1 of its shape is 0", [&] { Linear<double>(Scope(layout, layout.axis()), 0, 3); });
  auto fixed = linear<double, 5, 3>(5, 3);
  fixed.begin({2, 4});
  check_complaint("6 features, but 5 are needed", [&] { fixed.layer.forward(fixed.p, x, fixed.y); });
}
