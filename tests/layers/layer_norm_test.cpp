#include "heed/layers/layer_norm.hpp"

#include "../support.hpp"

using namespace support;
using heed::LayerNorm;

namespace {

template <class S, int D = Dynamic>
auto layer_norm(Index dim, double epsilon = 1e-5) {
  return Rig<S, LayerNorm<S, D>>({dim}, dim, [=](Subject<S>& s) { return LayerNorm<S, D>(s.at(), dim, epsilon); });
}

auto formula(const auto& layer) {
  return [&](const auto& values) { return plain_layer_norm(values, layer, values.x[0]); };
}

}  // namespace

TEST_CASE("LayerNorm has mean zero and variance one, times gamma plus beta") {
  auto s = layer_norm<double>(6);
  s.begin({0, 1, 9});
  check_formula(s, formula(s.layer));
  s.x[0].array() += 1000;
  s.forward();
  CHECK(plain_distance(s.y.data(), formula(s.layer)(Values<long double>(s)).v.data(), 60) <= 1e-11);
  auto f = layer_norm<float>(33);
  f.begin({1, 20});
  check_formula(f, formula(f.layer));

  s.p.flat << Tokens<double>::Ones(6, 1), Tokens<double>::Zero(6, 1);
  s.begin({0, 1, 9});
  s.forward();
  CHECK(s.y.colwise().sum().cwiseAbs().maxCoeff() <= 1e-12);
  CHECK((s.y.array().square().colwise().mean() - 1).abs().maxCoeff() <= 1e-3);
}

TEST_CASE("LayerNorm: gradients") {
  auto s = layer_norm<double>(6);
  auto fixed = layer_norm<double, 6>(6);
  for (Subject<double>* each : {(Subject<double>*)&s, (Subject<double>*)&fixed}) {
    each->begin({0, 1, 9});
    check_gradients(*each);
    check_targets(*each);
  }
  check_same(s, fixed);
  s.x[0].colwise() = random<double>(6, 1, 1).col(0).eval();  // equal tokens
  check_gradients(s);

  auto soft = layer_norm<double>(6, 1);  // differences see the slope at zero only where eps is not small
  soft.begin({0, 1, 9});
  soft.x[0].setZero();
  check_gradients(soft);
}

TEST_CASE("LayerNorm: gradients of tokens without variance, of one feature, and of huge tokens") {
  auto s = layer_norm<double>(6);
  s.begin({3, 4});
  s.x[0].setZero();
  check_slopes(s, formula(s.layer));
  s.x[0].setConstant(-2);
  check_slopes(s, formula(s.layer));
  s.x[0] = saturated<double>(6, 7, 1);
  check_slopes(s, formula(s.layer));
  auto one = layer_norm<double>(1);
  one.begin({3});
  check_slopes(one, formula(one.layer));
}

TEST_CASE("LayerNorm: tokens that do not fill registers, and more than a block of them") {
  for (const Index dim : {2, 3, 7, 13, 17, 31, 67}) {
    auto s = layer_norm<double>(dim);
    s.begin({0, 1, 36});
    check_formula(s, formula(s.layer));
    check_targets(s);
    s.begin({3});
    check_slopes(s, formula(s.layer), 1, 1e-12);
  }
}

TEST_CASE("LayerNorm: each token alone") {
  auto s = layer_norm<float>(8);
  s.begin({0, 1, 4});
  check_sight(s, window(1));
}

TEST_CASE("LayerNorm starts with gamma one and beta zero, and neither decays") {
  heed::Layout layout;
  const LayerNorm<float> layer(Scope(layout, layout.axis(), "norm"), 4);
  const Parameters<float> p(layout, 1);
  CHECK((p[layer.weight].array() == 1).all());
  CHECK((p[layer.bias].array() == 0).all());
  CHECK(layout.entries()[0].name == "norm.weight");
  CHECK(layout.entries()[1].name == "norm.bias");
  for (const auto& e : layout.entries()) CHECK((!e.use.decays && e.use.trained));
}

TEST_CASE("LayerNorm: wrong shapes and an eps that is not positive") {
  auto s = layer_norm<double>(5);
  s.begin({2, 4});
  check_shapes(s, "LayerNorm", {"x"});
  heed::Layout layout;
  check_complaint("LayerNorm: eps 0 must be positive", [&] { LayerNorm<float>(Scope(layout, layout.axis()), 4, 0); });
}
