#include "heed/layers/feed_forward.hpp"

#include "transformer_formulas.hpp"

using namespace support;
using heed::FeedForward, heed::Nonlinearity;

namespace {

template <class S, int D = Dynamic>
auto feed_forward(Index dim, Index inner, Nonlinearity f) {
  using Layer = FeedForward<S, D>;
  return Rig<S, Layer>({dim}, dim, [=](Subject<S>& s) { return Layer(s.at(), dim, inner, f); });
}
auto formula(const auto& subject, Nonlinearity f) {
  return [&subject, f](const auto& values) { return plain_feed_forward(values, subject.layer, f, values.x[0]); };
}

}  // namespace

TEST_CASE("FeedForward is two linear maps and a nonlinearity") {
  for (const Nonlinearity f : {Nonlinearity::relu, Nonlinearity::gelu, Nonlinearity::tanh}) {
    auto s = feed_forward<double>(3, 7, f);
    s.begin({0, 1, 4});
    check_formula(s, formula(s, f));
    auto wide = feed_forward<float>(8, 0, f);
    wide.begin({0, 1, 40});
    check_formula(wide, formula(wide, f));
  }
}

TEST_CASE("FeedForward: gradients") {
  for (const Nonlinearity f : {Nonlinearity::relu, Nonlinearity::gelu}) {
    auto s = feed_forward<double>(4, 5, f);
    auto fixed = feed_forward<double, 4>(4, 5, f);
    for (Subject<double>* each : {(Subject<double>*)&s, (Subject<double>*)&fixed}) {
      each->begin({0, 1, 4});
      check_gradients(*each);
      check_targets(*each);
    }
    REQUIRE(s.a[s.layer.inner].cwiseAbs().minCoeff() > 1e-3);  // away from the kink of ReLU
    check_same(s, fixed);
    s.x[0].setZero();
    check_slopes(s, formula(s, f));
    s.x[0] = saturated<double>(4, 5, 1);
    check_slopes(s, formula(s, f), 1e4);
  }
}

TEST_CASE("FeedForward: more tokens than go through both layers at once") {
  auto s = feed_forward<double>(3, 5, Nonlinearity::gelu);
  s.begin({600, 0, 1, 400});
  check_formula(s, formula(s, Nonlinearity::gelu));
  check_slopes(s, formula(s, Nonlinearity::gelu));
  check_targets(s);
}

TEST_CASE("FeedForward: names, widths and wrong shapes") {
  auto s = feed_forward<double>(4, 0, Nonlinearity::relu);
  std::string all;
  for (const auto& e : s.layout.entries()) all += e.name + " " + std::to_string(e.shape.rows()) + " ";
  CHECK(all == "linear1.weight 16 linear1.bias 16 linear2.weight 4 linear2.bias 4 ");
  s.begin({2, 3});
  check_shapes(s, "FeedForward", {"x"});
  check_complaint("is -1, but must be at least 1", [] { feed_forward<float>(4, -1, Nonlinearity::relu); });
}
