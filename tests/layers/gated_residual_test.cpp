#include "heed/layers/gated_residual.hpp"

#include "transformer_formulas.hpp"

using namespace support;
using heed::GatedResidual;

namespace {

template <class S, int D = Dynamic>
auto gate(Index dim) {
  return Rig<S, GatedResidual<S, D>, 2>({dim, dim}, dim,
                                        [=](Subject<S>& s) { return GatedResidual<S, D>(s.at(), dim); });
}
auto formula(const auto& subject) {
  return [&subject](const auto& values) { return plain_gate(values, subject.layer, values.x[0], values.x[1]); };
}

}  // namespace

TEST_CASE("GatedResidual is the formula of the paper") {
  auto s = gate<double>(5);
  s.begin({0, 1, 3});
  check_formula(s, formula(s));
  auto one = gate<double>(1);
  one.begin({2});
  check_formula(one, formula(one));
  auto f = gate<float>(32);
  f.begin({0, 1, 40});
  check_formula(f, formula(f));
  f.x[0].setZero(), f.x[1].setZero();
  check_formula(f, formula(f));
}

TEST_CASE("GatedResidual: gradients") {
  auto s = gate<double>(4);
  auto fixed = gate<double, 4>(4);
  for (Subject<double>* each : {(Subject<double>*)&s, (Subject<double>*)&fixed}) {
    each->begin({0, 1, 3, 2});
    check_gradients(*each);
    check_targets(*each);
  }
  check_same(s, fixed);
  s.x[0].setZero();
  check_gradients(s);
  s.x[1].setZero();
  check_gradients(s);
  s.x[0].setOnes(), s.x[1].setOnes();
  check_gradients(s);
  for (std::size_t i = 0; i < 2; ++i) s.x[i] = saturated<double>(4, s.x[i].cols(), i + 1, 1e3);
  check_slopes(s, formula(s), 1e4);
}

TEST_CASE("GatedResidual: only one of the two gradients is wanted") {
  auto s = gate<double>(4);
  s.begin({3});
  s.forward();
  const Tokens<double> dy = random<double>(4, 3, 1);
  Parameters<double> g(s.layout), h(s.layout);
  s.backward(dy, g);
  const auto both = s.dx;
  for (auto& d : s.dx) d.setZero();
  s.layer.backward(s.p, s.x[0], s.x[1], dy, s.a, h, s.dx[0], heed::no_gradient);
  s.layer.backward(s.p, s.x[0], s.x[1], dy, s.a, h, heed::no_gradient, s.dx[1]);
  for (std::size_t i = 0; i < 2; ++i) CHECK(same_bits(s.dx[i], both[i]));
}

TEST_CASE("GatedResidual starts close to the stream") {
  heed::Layout layout;
  const Axis time = layout.axis();
  const GatedResidual<double> plain(Scope(layout, time, "plain"), 16), shut(Scope(layout, time, "shut"), 16, 40);
  const Parameters<double> p(layout, 1);
  CHECK((p[plain.gate_bias].array() == 2).all());
  CHECK((p[shut.gate_bias].array() == 40).all());
  CHECK(p[plain.weight_ih].cwiseAbs().maxCoeff() <= 0.25);
  CHECK(p[plain.weight_hh].cwiseAbs().maxCoeff() >= 0.24);
  heed::Activations<double> a(layout);
  a.begin(time, {7});
  const Tokens<double> x = random<double>(16, 7, 1), y = random<double>(16, 7, 2);
  Tokens<double> out(16, 7);
  shut.forward(p, x, y, out, a);
  CHECK(distance(out, x) <= 1e-15);
  plain.forward(p, x, y, out, a);
  CHECK(distance(out, x) <= 0.2);
  CHECK(distance(out, x) >= 0.02);
}

TEST_CASE("GatedResidual: each token alone, and huge ones without NaN") {
  auto s = gate<float>(6);
  s.begin({0, 1, 5, 3});
  s.forward();
  const Tokens<float> before = s.y;
  for (std::size_t input = 0; input < 2; ++input) {
    const auto kept = s.x;
    s.x[input].col(2).array() += 1.f;
    s.forward();
    for (Index j = 0; j < 9; ++j) CHECK(same_bits(s.y.col(j), before.col(j)) == (j != 2));
    s.x = kept;
  }
  for (auto& x : s.x) x = saturated<float>(6, 9, 3, 1e30);
  s.forward();
  Parameters<float> g(s.layout);
  s.backward(random<float>(6, 9, 1), g);
  CHECK(s.y.allFinite());
  CHECK(s.dx[0].allFinite());
  CHECK(s.dx[1].allFinite());
}

TEST_CASE("GatedResidual: names and wrong shapes") {
  auto s = gate<double>(4);
  std::string all;
  for (const auto& e : s.layout.entries()) all += e.name + " " + std::to_string(e.shape.rows()) + " ";
  CHECK(all == "weight_ih 12 weight_hh 12 gate_bias 4 ");
  s.begin({2, 3});
  s.forward();
  Parameters<double> g(s.layout);
  const Tokens<double> right = random<double>(4, 5, 1), narrow = random<double>(4, 4, 1), low = random<double>(3, 5, 1);
  const auto forward = [&](const Tokens<double>& x, const Tokens<double>& y, Tokens<double> out) {
    s.layer.forward(s.p, x, y, out, s.a);
  };
  const auto backward = [&](const Tokens<double>& x, const Tokens<double>& y, const Tokens<double>& dout,
                            Tokens<double> dx,
                            Tokens<double> dy) { s.layer.backward(s.p, x, y, dout, s.a, g, dx, dy); };
  for (const Tokens<double>& bad : {narrow, low}) {
    const std::string numbers =
        " is " + std::to_string(bad.rows()) + " x " + std::to_string(bad.cols()) + ", but 4 x 5 is needed";
    check_complaint("GatedResidual: x" + numbers, [&] { forward(bad, right, right); });
    check_complaint("GatedResidual: y" + numbers, [&] { forward(right, bad, right); });
    check_complaint("GatedResidual: out" + numbers, [&] { forward(right, right, bad); });
    check_complaint("GatedResidual: x" + numbers, [&] { backward(bad, right, right, right, right); });
    check_complaint("GatedResidual: y" + numbers, [&] { backward(right, bad, right, right, right); });
    check_complaint("GatedResidual: dout" + numbers, [&] { backward(right, right, bad, right, right); });
    check_complaint("GatedResidual: dx" + numbers, [&] { backward(right, right, right, bad, right); });
    check_complaint("GatedResidual: dy" + numbers, [&] { backward(right, right, right, right, bad); });
  }
  CHECK((g.flat.array() == 0).all());
  check_complaint("size 0 of its shape is 0, but must be at least 1", [] { gate<float>(0); });
}
