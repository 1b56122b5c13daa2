#include "heed/core/tokens.hpp"

#include "catch.hpp"

using heed::add_to;
using heed::Dynamic;
using heed::Gradient;
using heed::Index;
using heed::no_gradient;
using heed::Read;
using heed::Tokens;
using heed::Write;

namespace {

using Matrix = Eigen::MatrixXf;
using RowMajor = Eigen::Matrix<float, Dynamic, Dynamic, Eigen::RowMajor>;
using Spread = Eigen::Map<Matrix, 0, Eigen::InnerStride<2>>;
using AnyStride = Eigen::Map<Matrix, 0, Eigen::Stride<Dynamic, Dynamic>>;
using Sum = decltype(std::declval<Matrix&>() + std::declval<Matrix&>());
using Transpose = decltype(std::declval<Matrix&>().transpose());
using Row = decltype(std::declval<Matrix&>().row(0));
using Column = decltype(std::declval<Matrix&>().col(0));
using Some = decltype(std::declval<Matrix&>().middleCols(0, 1));
using Features = decltype(std::declval<Matrix&>().middleRows(0, 1));

// What can be looked at in place.
static_assert(std::is_constructible_v<Read<float>, const Matrix&>);
static_assert(std::is_constructible_v<Read<float>, Some>);
static_assert(std::is_constructible_v<Read<float>, Features>);
static_assert(std::is_constructible_v<Read<float>, Column>);
static_assert(std::is_constructible_v<Read<float>, Eigen::Map<const Matrix>>);
static_assert(std::is_constructible_v<Read<float>, Eigen::Ref<Matrix>>);
static_assert(std::is_constructible_v<Read<float>, Eigen::VectorXf&>);
static_assert(std::is_constructible_v<Read<float>, Eigen::Array2Xf&>);
static_assert(std::is_constructible_v<Read<float>, Write<float>>);
static_assert(std::is_constructible_v<Read<float>, Read<float, 3>>);
static_assert(std::is_constructible_v<Read<float, 1>, Eigen::RowVectorXf&>);
static_assert(std::is_convertible_v<Matrix&, Read<float>>);

// What would need a copy.
static_assert(!std::is_constructible_v<Read<float>, RowMajor&>);
static_assert(!std::is_constructible_v<Read<float>, Transpose>);
static_assert(!std::is_constructible_v<Read<float>, Row>);
static_assert(!std::is_constructible_v<Read<float>, Sum>);
static_assert(!std::is_constructible_v<Read<float>, Spread&>);
static_assert(!std::is_constructible_v<Read<float>, AnyStride&>);
static_assert(!std::is_constructible_v<Read<float>, Eigen::MatrixXd&>);
static_assert(!std::is_constructible_v<Write<float>, RowMajor&>);
static_assert(!std::is_constructible_v<Write<float>, Sum>);
static_assert(!std::is_constructible_v<Write<float>, Row>);
static_assert(!std::is_constructible_v<Gradient<float>, RowMajor&>);

// What may be written to: views of any kind, but no temporary matrix and nothing constant.
static_assert(std::is_constructible_v<Write<float>, Matrix&>);
static_assert(std::is_constructible_v<Write<float>, Some>);
static_assert(std::is_constructible_v<Write<float>, Eigen::Map<Matrix>>);
static_assert(!std::is_constructible_v<Write<float>, Matrix>);
static_assert(!std::is_constructible_v<Write<float>, const Matrix&>);
static_assert(!std::is_constructible_v<Write<float>, Eigen::Map<const Matrix>>);
static_assert(!std::is_constructible_v<Write<float>, Read<float>>);
static_assert(!std::is_constructible_v<Gradient<float>, Matrix>);
static_assert(!std::is_constructible_v<Gradient<float>, const Matrix&>);

}  // namespace

TEST_CASE("Read and Write: the same numbers in the same place") {
  Matrix m = Matrix::Random(4, 6);
  const Read<float> x(m);
  CHECK(x.data() == m.data());
  CHECK((x.rows() == 4 && x.cols() == 6));
  Write<float> y(m);
  y.col(2).setConstant(5);
  CHECK(m(3, 2) == 5);
  CHECK(x(0, 2) == 5);
  Matrix other = Matrix::Random(4, 6);
  y = other;
  CHECK(m == other);
  CHECK(y.data() == m.data());
  y = 2 * other;
  CHECK(m == 2 * other);
}

TEST_CASE("Read and Write: parts of a matrix keep the distance of its columns") {
  Matrix m = Matrix::Random(5, 4);
  const Read<float> columns(m.middleCols(1, 2));
  CHECK(columns.data() == m.data() + 5);
  CHECK(columns == m.middleCols(1, 2));
  const Read<float> features(m.middleRows(2, 3));
  CHECK(features.outerStride() == 5);
  CHECK(features == m.bottomRows(3));
  const Read<float> one(m.middleRows(3, 1));
  CHECK(one == m.row(3));
  Write<float>(m.block(1, 1, 2, 2)).setZero();
  CHECK(m.block(1, 1, 2, 2).isZero(0));
  CHECK(m.cwiseAbs().minCoeff() == 0);
  CHECK((m.array() == 0).count() == 4);
}

TEST_CASE("Read: sizes known, forgotten and known again") {
  Tokens<float, 3> m = Tokens<float, 3>::Random(3, 5);
  const Read<float> any(m);
  const Read<float, 3> fixed(any);
  static_assert(Read<float, 3>::RowsAtCompileTime == 3);
  CHECK(fixed.data() == m.data());
  CHECK(fixed == m);
  CHECK_THROWS_WITH((Read<float, 4>(any)), ContainsSubstring("has 3 features, but 4 are needed"));
  CHECK_THROWS_WITH((Write<float, 2>(m.middleRows(0, 1))), ContainsSubstring("has 1 features, but 2 are needed"));
}

TEST_CASE("Read: one feature a token, from a row, a column and a block") {
  Eigen::RowVectorXf row = Eigen::RowVectorXf::Random(7);
  const Read<float, 1> a(row);
  CHECK(a.data() == row.data());
  CHECK(a == row);
  CHECK(Read<float>(row) == row);
  Matrix single = row;
  CHECK(Read<float, 1>(single) == row);
  Eigen::VectorXf column = row.transpose();
  CHECK(Read<float>(column).cols() == 1);
  Matrix tall = Matrix::Random(3, 7);
  CHECK(Read<float, 1>(tall.block(1, 2, 1, 1))(0, 0) == tall(1, 2));
  CHECK_THROWS_WITH((Read<float, 1>(tall.middleRows(1, 1))), ContainsSubstring("its columns lie 3 apart"));
}

TEST_CASE("Read: no tokens") {
  const Matrix none(4, 0);
  CHECK(Read<float>(none).cols() == 0);
  CHECK((Read<float, 4>(none).rows()) == 4);
}

TEST_CASE("Gradient: overwritten") {
  Matrix m = Matrix::Constant(2, 3, 1);
  Gradient<float> dx(m);
  CHECK(dx.wanted());
  CHECK_FALSE(dx.adds());
  dx.put(1, Matrix::Constant(2, 2, 4));
  CHECK(m.col(0) == Matrix::Constant(2, 1, 1));
  CHECK(m.rightCols(2) == Matrix::Constant(2, 2, 4));
  dx.start();
  CHECK(m.isZero(0));
}

TEST_CASE("Gradient: added to") {
  Matrix m = Matrix::Constant(2, 3, 1);
  Gradient<float> dx = add_to(m);
  CHECK(dx.wanted());
  CHECK(dx.adds());
  CHECK(dx.data() == m.data());
  dx.start();
  dx.put(1, Matrix::Constant(2, 2, 4));
  CHECK(m.col(0) == Matrix::Constant(2, 1, 1));
  CHECK(m.rightCols(2) == Matrix::Constant(2, 2, 5));
  Gradient<float> part = add_to(m.middleCols(0, 1));
  part.put(0, Matrix::Constant(2, 1, 2));
  CHECK(m.col(0) == Matrix::Constant(2, 1, 3));
}

TEST_CASE("Gradient: overwritten first, then its parts added to") {
  static_assert(!std::is_copy_assignable_v<Gradient<float>>);
  Matrix m = Matrix::Constant(3, 4, 9);
  Gradient<float> dx(m);
  dx.start();
  Gradient<float> part = dx.part(1, 2, 2, 2);
  CHECK(part.adds());
  CHECK_FALSE(dx.adds());
  part.put(0, Matrix::Constant(2, 2, 1));
  part.put(1, Matrix::Constant(2, 1, 1));
  CHECK(m.col(3) == Eigen::Vector3f(0, 2, 2));
  CHECK(m.sum() == 6);
  CHECK_FALSE(Gradient<float>(no_gradient).part(0, 2, 0, 2).wanted());
}

TEST_CASE("Gradient: not wanted") {
  Gradient<float> dx = no_gradient;
  CHECK_FALSE(dx.wanted());
  dx.start();
  Gradient<float, 3> fixed = no_gradient;
  CHECK_FALSE(fixed.wanted());
  CHECK_FALSE(Gradient<float>(fixed).wanted());
  CHECK_FALSE((Gradient<float, 3>(dx).wanted()));
  heed::detail::expect_gradient("Layer", "dx", dx, 5, 6);
}

TEST_CASE("Gradient: with its size known or forgotten it is the same place, and added to as before") {
  Tokens<float, 3> m(3, 4);
  Gradient<float, 3> fixed = add_to(m);
  Gradient<float> any(fixed);
  CHECK(any.adds());
  CHECK(any.data() == m.data());
  CHECK((any.rows() == 3 && any.cols() == 4));
  Gradient<float, 3> again(any);
  CHECK(again.adds());
  CHECK(again.data() == m.data());
  CHECK_THROWS_WITH((Gradient<float, 2>(any)), ContainsSubstring("has 3 features, but 2 are needed"));
}

TEST_CASE("Shapes: a wrong one is named with both sizes") {
  const Matrix m(2, 3);
  heed::detail::expect_shape("Linear", "x", m, 2, 3);
  CHECK_THROWS_WITH(heed::detail::expect_shape("Linear", "x", m, 4, 3),
                    ContainsSubstring("Linear: x is 2 x 3, but 4 x 3 is needed"));
  CHECK_THROWS_AS(heed::detail::expect_shape("Linear", "x", m, 2, 5), std::invalid_argument);
  Matrix gradient(2, 3);
  CHECK_THROWS_WITH(heed::detail::expect_gradient("Linear", "dx", Gradient<float>(gradient), 2, 4),
                    ContainsSubstring("Linear: dx is 2 x 3, but 2 x 4 is needed"));
}
