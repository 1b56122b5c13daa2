#include "heed/testing/gradient_check.hpp"

#include "../support.hpp"
#include "heed/layers/linear.hpp"

using namespace support;
using heed::testing::gradient_check, heed::testing::GradientReport;

namespace {

enum class Mistake { none, weight, bias, input, sign, missing, not_a_number };

/// A Linear whose backward errs.
struct Wrong {
  heed::Linear<double> linear;
  Mistake mistake;

  void forward(heed::ParametersView<const double> p, heed::Read<double> x, heed::Write<double> y) const {
    linear.forward(p, x, y);
  }
  void backward(heed::ParametersView<const double> p, heed::Read<double> x, heed::Read<double> dy,
                heed::ParametersView<double> g, heed::Gradient<double> dx) const {
    linear.backward(p, x, dy, g, dx);
    if (mistake == Mistake::weight) g[linear.weight](1, 2) *= 1 + 1e-3;
    if (mistake == Mistake::bias) g[linear.bias] *= 2;
    if (mistake == Mistake::input) dx(1, 0) += 1e-4;
    if (mistake == Mistake::sign) dx *= -1;
    if (mistake == Mistake::missing) g[linear.bias].setZero();
    if (mistake == Mistake::not_a_number) g[linear.weight](0, 0) = std::numeric_limits<double>::quiet_NaN();
  }
};

GradientReport report(Mistake mistake) {
  heed::Layout layout;
  const Axis time = layout.axis();
  const Wrong layer{heed::Linear<double>(Scope(layout, time, "map"), 3, 2), mistake};
  Parameters<double> p(layout, 1);
  heed::Activations<double> a(layout);
  a.begin(time, {4});
  Tokens<double> x = random<double>(3, 4, 1);
  const Tokens<double> before = x;
  const GradientReport all = gradient_check(layer, layout, p, a, x, 2);
  CHECK(same_bits(x, before));
  return all;
}

}  // namespace

TEST_CASE("gradient_check accepts a right backward and has a row for each matrix") {
  const GradientReport all = report(Mistake::none);
  REQUIRE(all.rows.size() == 3);
  CHECK(all.rows[0].name == "map.weight");
  CHECK(all.rows[1].name == "map.bias");
  CHECK(all.rows[2].name == "x");
  CHECK(all.worst() <= 1e-9);
  for (const auto& row : all.rows) CHECK(row.norm > 0.1);
}

TEST_CASE("gradient_check names the matrix whose gradient is wrong") {
  const auto is = [](Mistake mistake, const char* name, double least) {
    const GradientReport all = report(mistake);
    CHECK(all.worst_name() == name);
    CHECK(all.worst() >= least);
    for (const auto& row : all.rows)
      if (row.name != name) CHECK(row.error <= 1e-9);
  };
  is(Mistake::weight, "map.weight", 1e-5);
  is(Mistake::bias, "map.bias", 0.4);
  is(Mistake::input, "x", 1e-5);
  is(Mistake::sign, "x", 1.9);
  is(Mistake::missing, "map.bias", 0.9);
}

TEST_CASE("gradient_check does not overlook what is not a number") {
  const GradientReport all = report(Mistake::not_a_number);
  CHECK(std::isnan(all.worst()));
  CHECK(all.worst_name() == "map.weight");
}

TEST_CASE("gradient_check sees a gradient that should be zero and is not") {
  const heed::Layout layout;
  Parameters<double> p(layout);
  Tokens<double> x = random<double>(3, 4, 1), dx = Tokens<double>::Zero(3, 4);
  const auto forward = [&]() -> Tokens<double> { return Tokens<double>::Ones(2, 2); };
  double wrong = 0;
  const auto backward = [&](const Tokens<double>&, Parameters<double>&) { dx(0, 0) = wrong; };
  CHECK(gradient_check(layout, p, {{"x", x, dx}}, forward, backward).worst() <= 1e-6);
  wrong = 1e-3;
  CHECK(gradient_check(layout, p, {{"x", x, dx}}, forward, backward).worst() > 1e-6);
}

TEST_CASE("gradient_check takes contiguous inputs only") {
  const heed::Layout layout;
  Parameters<double> p(layout);
  Tokens<double> x = random<double>(3, 4, 1), dx = x;
  const auto forward = [&] { return x; };
  const auto backward = [](const Tokens<double>&, Parameters<double>&) {};
  check_complaint("gradient_check: part must be contiguous", [&] {
    gradient_check(layout, p, {{"part", x.topRows(2), dx.topRows(2)}}, forward, backward);
  });
}
