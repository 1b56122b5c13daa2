#include "heed/layers/residual.hpp"

#include "heed/layers/linear.hpp"
#include "transformer_formulas.hpp"

using namespace support;
using heed::Residual;

namespace {

/// A residual around a linear map.
template <class S, int D>
struct Around {
  heed::Linear<S, D, D> linear;
  heed::LayerNorm<S, D> norm;
  Residual<S, D> residual;

  Around(Scope at, Index dim, bool norm_first)
      : linear(at / "linear", dim, dim), norm(at / "norm", dim), residual(at, norm, {at / "dropout", 0}, norm_first) {}
  void forward(heed::ParametersView<const S> p, heed::Read<S, D> x, heed::Write<S, D> y,
               heed::ActivationsView<S> a) const {
    residual.forward(p, x, y, a, [&](heed::Read<S, D> from, heed::Write<S, D> to) { linear.forward(p, from, to); });
  }
  void backward(heed::ParametersView<const S> p, heed::Read<S, D> x, heed::Read<S, D> dy, heed::ActivationsView<S> a,
                heed::ParametersView<S> g, heed::Gradient<S, D> dx) const {
    residual.backward(p, x, dy, a, g, dx, [&](heed::Read<S, D> from, heed::Read<S, D> dto, heed::Gradient<S, D> dfrom) {
      linear.backward(p, from, dto, g, dfrom);
    });
  }
};

template <class S, int D = Dynamic>
auto residual(Index dim, bool norm_first) {
  using Layer = Around<S, D>;
  return Rig<S, Layer>({dim}, dim, [=](Subject<S>& s) { return Layer(s.at(), dim, norm_first); });
}
auto formula(const auto& subject, bool norm_first) {
  return [&subject, norm_first](const auto& values) {
    return plain_residual(values, subject.layer.norm, norm_first, values.x[0],
                          [&](const auto& from) { return plain_linear(values, subject.layer.linear, from); });
  };
}

}  // namespace

TEST_CASE("Residual is a sum with its norm before or after") {
  for (const bool norm_first : {true, false}) {
    auto s = residual<double>(5, norm_first);
    s.begin({0, 1, 4});
    check_formula(s, formula(s, norm_first));
    auto f = residual<float>(8, norm_first);
    f.begin({0, 1, 40});
    check_formula(f, formula(f, norm_first));
  }
}

TEST_CASE("Residual: gradients") {
  for (const bool norm_first : {true, false}) {
    INFO("norm first " << norm_first);
    auto s = residual<double>(4, norm_first);
    auto fixed = residual<double, 4>(4, norm_first);
    for (Subject<double>* each : {(Subject<double>*)&s, (Subject<double>*)&fixed}) {
      each->begin({0, 1, 4});
      check_gradients(*each);
      check_targets(*each);
    }
    check_same(s, fixed);
    s.x[0].setZero();
    check_slopes(s, formula(s, norm_first));
    s.x[0] = saturated<double>(4, 5, 1);
    check_slopes(s, formula(s, norm_first), 1e4);
  }
}

TEST_CASE("Residual: wrong shapes") {
  for (const bool norm_first : {true, false}) {
    auto s = residual<double>(4, norm_first);
    s.begin({2, 3});
    check_shapes(s, "Residual", {"x"});
  }
}
