#include "heed/detail/product.hpp"

#include "support.hpp"

using namespace support;
using heed::detail::Addend, heed::detail::multiply, heed::detail::product, heed::detail::Stored;

namespace {

template <class S>
using RowMajor = Eigen::Matrix<S, Dynamic, Dynamic, Eigen::RowMajor>;
constexpr Index sizes[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 16, 17, 31, 33, 40};

/// c = before + a b, computed in long double, within an error that goes by the sum of magnitudes.
template <class C, class A, class B>
void check_product(const C& c, const C& before, const A& a, const B& b) {
  using S = typename C::Scalar;
  double worst = 0;
  for (Index j = 0; j < c.cols(); ++j)
    for (Index i = 0; i < c.rows(); ++i) {
      long double exact = before(i, j), size = std::abs(exact);
      for (Index k = 0; k < a.cols(); ++k) {
        exact += (long double)a(i, k) * b(k, j);
        size += std::abs((long double)a(i, k) * b(k, j));
      }
      const long double error = std::abs(exact - c(i, j)) / std::max(size, 1e-30L);
      worst = error <= worst ? worst : double(error);
    }
  INFO(c.rows() << " x " << a.cols() << " x " << c.cols());
  CHECK(worst <= 64 * double(std::numeric_limits<S>::epsilon()));
}

template <class C, class A, class B>
void check_product(const C& c, const A& a, const B& b) {
  check_product(c, C(C::Zero(c.rows(), c.cols())), a, b);
}

/// One size, with A and B stored either way and `apart` numbers between their columns, onto nothing, what is there or a column; and
/// guards around C.
template <Stored A, Stored B, class S>
void check_size(Index m, Index n, Index depth, Index apart) {
  constexpr bool at = A == Stored::transposed, bt = B == Stored::transposed;
  const Index gap = 1 + (m + n + depth) % 3;
  const Tokens<S> a = random<S>((at ? depth : m) + apart, at ? m : depth, 1);
  const Tokens<S> b = random<S>((bt ? n : depth) + apart, bt ? depth : n, 2);
  const Tokens<S> left = at ? Tokens<S>(a.topRows(depth).transpose()) : Tokens<S>(a.topRows(m));
  const Tokens<S> right = bt ? Tokens<S>(b.topRows(n).transpose()) : Tokens<S>(b.topRows(depth));
  const Tokens<S> column = random<S>(std::max(m, Index(1)), 1, 4);
  for (const char* onto : {"nothing", "what is there", "a column"}) {
    INFO("onto " << onto);
    Tokens<S> c = random<S>(m + 2 * gap, n + 2, 3);
    const Tokens<S> before = c;
    auto part = c.block(gap, 1, m, n);
    Tokens<S> under = Tokens<S>::Zero(m, n);
    Addend<S> f;
    if (*onto == 'w') under = part, f = {&c(gap, 1), c.outerStride()};
    if (*onto == 'a') under.colwise() = column.col(0).head(m), f = {column.data()};
    if (*onto != 'w') part.setConstant(std::numeric_limits<S>::quiet_NaN());
    product<A, B>(m, n, depth, a.data(), a.outerStride(), b.data(), b.outerStride(), &c(gap, 1), c.outerStride(), f);
    check_product(Tokens<S>(part), under, left, right);
    part = before.block(gap, 1, m, n);
    CHECK(same_bits(c, before));
  }
}

template <class S>
void check_sizes(Index m, Index n, Index depth, Index apart) {
  check_size<Stored::as_is, Stored::as_is, S>(m, n, depth, apart);
  check_size<Stored::as_is, Stored::transposed, S>(m, n, depth, apart);
  check_size<Stored::transposed, Stored::as_is, S>(m, n, depth, apart);
  check_size<Stored::transposed, Stored::transposed, S>(m, n, depth, apart);
}
template <class S>
void check_sizes(Index m, Index n, Index depth) {
  check_sizes<S>(m, n, depth, 1 + (m + n + depth) % 3);
}

/// A row-major A whose sizes are constants has the bits of one whose sizes are not, whatever it is multiplied by and added to.
template <class S, int rows, int depth>
void check_constant_sizes() {
  INFO(rows << " x " << depth);
  const RowMajor<S> any = random<S>(rows, depth, 1);
  const Eigen::Map<const Eigen::Matrix<S, rows, depth, Eigen::RowMajor>> constant(any.data());
  const Tokens<S> column = random<S>(rows, 1, 2);
  for (const Index n : {1, 2}) {
    const Tokens<S> b = random<S>(depth, n, 3);
    for (const char* onto : {"nothing", "what is there", "a column"}) {
      INFO("onto " << onto);
      const auto product = [&](const auto& a) {
        Tokens<S> c = random<S>(rows + 2, n, 4);  // a guard above and one below
        Addend<S> f;
        if (*onto == 'w') f = {&c(1, 0), c.outerStride()};
        if (*onto == 'a') f = {column.data()};
        heed::detail::multiply_onto(f, c.middleRows(1, rows), a, b);
        return c;
      };
      CHECK(same_bits(product(constant), product(any)));
    }
  }
}

}  // namespace

TEMPLATE_TEST_CASE("constant sizes have the bits of any", "", float, double) {
  check_constant_sizes<TestType, 64, 4>();
  check_constant_sizes<TestType, 5, 4>();
  check_constant_sizes<TestType, 40, 64>();
  check_constant_sizes<TestType, 29, 21>();
  check_constant_sizes<TestType, 19, 33>();
  check_constant_sizes<TestType, 3, 16>();
  check_constant_sizes<TestType, 1, 17>();
  check_constant_sizes<TestType, 9, 150>();
  check_constant_sizes<TestType, 16, 8>();
  check_constant_sizes<TestType, 18, 2>();
}

TEMPLATE_TEST_CASE("product equals plain loops for all small sizes, strides and storage orders", "", float, double) {
  heed::Random pick(9);
  for (const Index m : sizes)
    for (const Index n : sizes) check_sizes<TestType>(m, n, sizes[pick.below(std::size(sizes))]);
}

TEMPLATE_TEST_CASE("product equals plain loops for sizes at random", "", float, double) {
  heed::Random pick(10);
  for (int i = 0; i < 40; ++i) check_sizes<TestType>(pick.below(41), pick.below(41), pick.below(41));
  check_sizes<TestType>(128, 50, 20);
}

TEMPLATE_TEST_CASE("product equals plain loops for few contiguous columns", "", float, double) {
  for (const Index depth : sizes)
    for (const Index m : sizes)
      for (const Index n : {1, 2, 5, 8, 9}) check_sizes<TestType>(m, n, depth, 0);
}

TEMPLATE_TEST_CASE("product equals plain loops over several blocks", "", float, double) {
  heed::Random pick(11);
  for (const Index depth : {255, 256, 257, 511, 700})
    for (const Index m : {1, 7, 16, 19}) check_sizes<TestType>(m, 1 + pick.below(9), depth);
  for (const Index n : {64, 65, 383, 385, 800})
    for (const Index m : {1, 3, 4, 5, 18}) check_sizes<TestType>(m, n, 1 + pick.below(40));
  for (const Index depth : {256, 257, 300})
    for (const Index n : {1, 385, 800}) check_sizes<TestType>(5, n, depth);
}

TEMPLATE_TEST_CASE("product equals plain loops for rows that fill a register, and deep sums", "", float, double) {
  for (const Index depth : {47, 48, 270})
    for (const Index m : {4, 8, 16, 24, 48})
      for (const Index n : {16, 33, 70}) check_sizes<TestType>(m, n, depth);
}

TEST_CASE("multiply takes matrices, transposes and blocks of either storage order") {
  const Tokens<double> a = random<double>(9, 20, 1), b = random<double>(20, 11, 2);
  const RowMajor<double> a_rows = a, b_rows = b;
  const Tokens<double> at = a.transpose(), bt = b.transpose();
  const auto check = [&](const auto& left, const auto& right) {
    Tokens<double> c(9, 11);
    multiply(c, left, right);
    check_product(c, a, b);
    RowMajor<double> rows = RowMajor<double>::Constant(9, 11, 2), before = rows;
    multiply(rows, left, right, true);
    check_product(rows, before, a, b);
    Tokens<double> ct(11, 9);
    multiply(ct.transpose(), left, right);
    check_product(Tokens<double>(ct.transpose()), a, b);
  };
  check(a, b);
  check(a_rows, b);
  check(at.transpose(), b_rows);
  check(a_rows.middleCols(0, 20), bt.transpose());
  check(at.middleRows(0, 20).transpose(), b.middleCols(0, 11));
}

TEST_CASE("multiply takes vectors of either direction, of fixed and of dynamic size") {
  const Tokens<double> a = random<double>(6, 5, 1);
  const Eigen::Matrix<double, 5, 1> fixed = random<double>(5, 1, 2);
  const Eigen::VectorXd x = fixed;
  const Eigen::Matrix<double, 1, 6> row = random<double>(1, 6, 3);
  const Eigen::RowVectorXd free_row = row;

  SECTION("matrix times column") {
    Eigen::Matrix<double, 6, 1> y;
    Eigen::VectorXd z(6);
    multiply(y, a, fixed);
    multiply(z, RowMajor<double>(a), x);
    check_product(Tokens<double>(y), a, x);
    check_product(Tokens<double>(z), a, x);
  }
  SECTION("row times matrix") {
    Eigen::Matrix<double, 1, 5> y;
    Eigen::RowVectorXd z(5);
    multiply(y, row, a);
    multiply(z, free_row, RowMajor<double>(a));
    check_product(Tokens<double>(y), row, a);
    check_product(Tokens<double>(z), row, a);
  }
  SECTION("column times row, and row times column") {
    Tokens<double> outer(5, 6);
    multiply(outer, fixed, row);
    check_product(outer, x, row);
    multiply(outer, x, free_row);
    check_product(outer, x, row);
    Eigen::Matrix<double, 1, 1> inner;
    multiply(inner, fixed.transpose(), x);
    check_product(Tokens<double>(inner), x.transpose(), x);
  }
  SECTION("columns and segments of something larger") {
    Tokens<double> y = random<double>(8, 3, 4);
    const Tokens<double> before = y;
    multiply(y.col(1).segment(1, 6), a, x, true);
    check_product(Tokens<double>(y.block(1, 1, 6, 1)), Tokens<double>(before.block(1, 1, 6, 1)), a, x);
    y.block(1, 1, 6, 1) = before.block(1, 1, 6, 1);
    CHECK(same_bits(y, before));
    Eigen::RowVectorXd wide = Eigen::RowVectorXd::Zero(12);
    multiply(wide.segment(3, 5), free_row, a, true);
    check_product(Tokens<double>(wide.segment(3, 5)), row, a);
    CHECK((wide.head(3).array() == 0).all());
    CHECK((wide.tail(4).array() == 0).all());
  }
}

TEST_CASE("multiply_onto_column starts from a column, or from a number where there is one row") {
  const Tokens<double> w = random<double>(3, 4, 1), x = random<double>(4, 5, 2);
  const Eigen::VectorXd f = random<double>(3, 1, 3);
  const Eigen::RowVectorXd one = w.row(1);
  Tokens<double> y(3, 5);
  heed::detail::multiply_onto_column(f, y, w, x);
  check_product(y, Tokens<double>(f.replicate(1, 5)), w, x);
  Eigen::RowVectorXd row(5);
  heed::detail::multiply_onto_column(f.head(1), row, one, x);
  check_product(Tokens<double>(row), Tokens<double>(f.head(1).replicate(1, 5)), one, x);
}
