#include "heed/layers/activation.hpp"

#include "../support.hpp"

using namespace support;
using heed::Activation, heed::Nonlinearity;

namespace {

constexpr Nonlinearity kinds[] = {Nonlinearity::identity,  Nonlinearity::tanh,    Nonlinearity::relu,
                                  Nonlinearity::gelu,      Nonlinearity::silu,    Nonlinearity::sigmoid,
                                  Nonlinearity::gelu_tanh, Nonlinearity::softplus};

template <class S, int D = Dynamic>
auto activation(Nonlinearity kind, Index rows = 3) {
  return Rig<S, Activation<S, D>>({rows}, rows, [=](Subject<S>&) { return Activation<S, D>(kind); });
}

auto formula(Nonlinearity kind) {
  return [kind](const auto& values) {
    auto y = values.x[0];
    for (auto& x : y.v) x = plain_nonlinearity(kind, x);
    return y;
  };
}

}  // namespace

TEST_CASE("Activation: each function") {
  for (const Nonlinearity kind : kinds) {
    INFO("kind " << int(kind));
    auto s = activation<double>(kind);
    auto f = activation<float>(kind);
    for (const double size : {1e-3, 1.0, 10.0, 100.0}) {
      s.begin({0, 1, 50}), f.begin({0, 1, 50});
      s.x[0] *= size, f.x[0] *= float(size);
      check_formula(s, formula(kind));
      check_formula(f, formula(kind));
    }
  }
}

TEST_CASE("Activation: gradients") {
  for (const Nonlinearity kind : kinds) {
    INFO("kind " << int(kind));
    auto s = activation<double>(kind);
    auto fixed = activation<double, 3>(kind);
    for (Subject<double>* each : {(Subject<double>*)&s, (Subject<double>*)&fixed}) {
      each->begin({0, 1, 12});
      each->x[0] *= 3;
      REQUIRE(each->x[0].cwiseAbs().minCoeff() > 1e-3);  // away from the kink of ReLU
      check_gradients(*each);
      check_targets(*each);
      if (kind != Nonlinearity::relu) {
        each->x[0].setZero();
        check_gradients(*each);
      }
    }
    check_same(s, fixed);
    s.x[0] = saturated<double>(3, 13, 1);
    check_slopes(s, formula(kind));
  }
}

TEST_CASE("Activation: slopes of each function, near zero and far from it") {
  for (const Nonlinearity kind : kinds) {
    INFO("kind " << int(kind));
    auto s = activation<double>(kind);
    s.begin({0, 1, 50});
    const Tokens<double> x = s.x[0];
    for (const double size : {1e-3, 1.0, 4.0, 12.0, 50.0}) {
      s.x[0] = size * x;
      check_slopes(s, formula(kind), 1, 1e-13);
    }
  }
}

TEST_CASE("Activation: no number overflows in float") {
  for (const Nonlinearity kind : kinds) {
    INFO("kind " << int(kind));
    auto s = activation<float>(kind);
    s.begin({20});
    s.x[0] = saturated<float>(3, 20, 1);
    check_formula(s, formula(kind));
    Parameters<float> g(s.layout);
    s.backward(random<float>(3, 20, 2), g);
    CHECK(s.dx[0].allFinite());
  }
}

TEST_CASE("Activation: ReLU has slope zero at zero") {
  auto s = activation<double>(Nonlinearity::relu);
  s.begin({4});
  s.x[0].setZero();
  s.forward();
  Parameters<double> g(s.layout);
  s.backward(Tokens<double>::Ones(3, 4), g);
  CHECK((s.dx[0].array() == 0).all());
}

TEST_CASE("Activation: wrong shapes") {
  auto s = activation<double>(Nonlinearity::tanh);
  s.begin({2, 4});
  check_shapes<double>(s, "Activation", {"x"}, nullptr, false);
  check_complaint("Activation: y is 3 x 5, but 3 x 6 is needed",
                  [&] { s.layer.backward(s.x[0], s.y.leftCols(5), s.y, s.dx[0]); });
}
