#include "heed/core/parameters.hpp"

#include "catch.hpp"
#include "heed/core/scope.hpp"

using heed::Dynamic;
using heed::Index;
using heed::Layout;
using heed::Parameters;
using heed::ParametersView;
using heed::Scope;

TEST_CASE("Parameters: one vector, zero at first") {
  Layout layout;
  const Scope at(layout, layout.axis());
  at.weight<Dynamic, Dynamic>("w", {3, 4}, heed::constant(7));
  const Parameters<float> p(layout);
  CHECK(p.flat.size() == 12);
  CHECK(p.flat.isZero(0));
}

TEST_CASE("Parameters: matrices lie row by row and are seen without a copy") {
  Layout layout;
  const Scope at(layout, layout.axis());
  const auto b = at.weight<Dynamic>("b", {2}, heed::zero());
  const auto w = at.weight<Dynamic, Dynamic>("w", {2, 3}, heed::zero());
  const auto k = at.weight<Dynamic, Dynamic>("k", {2, 1, 2, 2}, heed::zero());
  Parameters<double> p(layout);
  for (Index i = 0; i < p.flat.size(); ++i) p.flat[i] = double(i);
  CHECK(p[w].data() == p.flat.data() + 2);
  CHECK((p[b].rows() == 2 && p[b].cols() == 1));
  CHECK((p[w].rows() == 2 && p[w].cols() == 3));
  CHECK(p[w](0, 2) == 4);
  CHECK(p[w](1, 0) == 5);
  CHECK(p[k](1, 3) == 15);
  p[w](1, 2) = -1;
  CHECK(p.flat[7] == -1);

  const Parameters<double>& constant = p;
  static_assert(std::is_same_v<decltype(constant[w].data()), const double*>);
  CHECK(constant[w](1, 2) == -1);
}

TEST_CASE("Parameters: sizes in the type are sizes of the view") {
  Layout layout;
  const Scope at(layout, layout.axis());
  const auto w = at.weight<2, 3>("w", {2, 3}, heed::zero());
  const auto row = at.weight<1, 3>("row", {1, 3}, heed::zero());
  const auto b = at.weight<2>("b", {2}, heed::zero());
  Parameters<float> p(layout);
  static_assert(decltype(p[w])::SizeAtCompileTime == 6 && decltype(p[w])::IsRowMajor);
  static_assert(decltype(p[row])::SizeAtCompileTime == 3);
  static_assert(decltype(p[b])::SizeAtCompileTime == 2 && decltype(p[b])::IsVectorAtCompileTime);
  CHECK(p[row].data() == p.flat.data() + 6);
}

TEST_CASE("Parameters: a handle can name rows of another") {
  Layout layout;
  const Scope at(layout, layout.axis());
  const auto w = at.weight<Dynamic, Dynamic>("w", {6, 3}, heed::normal(1));
  const auto b = at.weight<Dynamic>("b", {6}, heed::normal(1));
  Parameters<double> p(layout, 1);
  const auto middle = w.middle_rows(2, 3);
  CHECK((middle.rows == 3 && middle.cols == 3));
  CHECK(p[middle] == p[w].middleRows(2, 3));
  CHECK(p[b.middle_rows(4, 2)] == p[b].segment(4, 2));
  p[middle](0, 0) = 9;
  CHECK(p[w](2, 0) == 9);
}

TEST_CASE("Parameters: each weight starts as its own initialiser says") {
  Layout layout;
  const Scope at(layout, layout.axis());
  const auto ones = at.weight<Dynamic>("gamma", {4}, heed::constant(1));
  const auto w = at.weight<Dynamic, Dynamic>("w", {5, 8}, heed::orthogonal(2));
  const auto b = at.weight<Dynamic>("b", {4}, heed::zero());
  const Parameters<double> p(layout, 3);
  CHECK(p[ones] == Eigen::VectorXd::Ones(4));
  CHECK(p[b].isZero(0));
  CHECK((p[w] * p[w].transpose()).isApprox(4 * Eigen::MatrixXd::Identity(5, 5), 1e-12));
}

TEST_CASE("Parameters: a weight's first values depend on seed and name alone") {
  Layout small, large;
  const Scope a(small, small.axis()), b(large, large.axis());
  const auto w = (a / "out").weight<Dynamic, Dynamic>("weight", {3, 4}, heed::xavier_uniform());
  (b / "new").weight<Dynamic, Dynamic>("weight", {9, 9}, heed::xavier_uniform());
  const auto same = (b / "out").weight<Dynamic, Dynamic>("weight", {3, 4}, heed::xavier_uniform());
  const auto other = (b / "in").weight<Dynamic, Dynamic>("weight", {3, 4}, heed::xavier_uniform());
  const Parameters<double> p(small, 5), q(large, 5), r(large, 6);
  CHECK(p[w] == q[same]);
  CHECK(q[other] != q[same]);
  CHECK(r[same] != q[same]);
}

TEST_CASE("Parameters: float starts as double, rounded") {
  Layout layout;
  const Scope at(layout, layout.axis());
  at.weight<Dynamic, Dynamic>("w", {6, 6}, heed::orthogonal());
  CHECK(Parameters<float>(layout, 2).flat == Parameters<double>(layout, 2).flat.cast<float>());
}

TEST_CASE("Parameters: a view over an array of one's own, from a layout without names") {
  Layout layout(false);
  const Scope at(layout, layout.axis());
  at.weight<Dynamic>("b", {2}, heed::zero());
  const auto w = at.weight<Dynamic, Dynamic>("w", {2, 2}, heed::zero());
  static float numbers[6] = {0, 1, 2, 3, 4, 5};
  const ParametersView<float> p(numbers);
  const ParametersView<const float> constant = p;
  CHECK(p[w].data() == numbers + 2);
  CHECK(constant[w](1, 0) == 4);
  p[w](1, 1) = 7;
  CHECK(numbers[5] == 7);
  CHECK_THROWS_WITH(Parameters<float>(layout, 1), ContainsSubstring("cannot say how its 6 numbers start"));
  CHECK(Parameters<float>(layout).flat.size() == 6);
}
