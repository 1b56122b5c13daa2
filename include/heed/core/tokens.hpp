#pragma once
#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <concepts>
#include <type_traits>
#include <utility>

#include "heed/detail/error.hpp"

namespace heed {

using Eigen::Dynamic;
using Index = Eigen::Index;

/// A block of tokens: one column a token, D features a column. PyTorch's contiguous [batch, time, D] is the same bytes.
template <class S, int D = Dynamic>
using Tokens = Eigen::Matrix<S, D, Dynamic>;

namespace detail {

template <class M>
using Plain = std::remove_cvref_t<M>;

/// What can be looked at without a copy: columns that are contiguous, at any distance from each other.
template <class M, class S>
concept DirectColumns = requires(const Plain<M>& m) {
  m.data();
  m.outerStride();
}
&&std::is_same_v<typename Plain<M>::Scalar, S> && (Plain<M>::InnerStrideAtCompileTime == 1) &&
    (!Plain<M>::IsRowMajor || Plain<M>::RowsAtCompileTime == 1);

/// A temporary Eigen::Matrix must not be written into; a temporary Map or Block is only a view.
template <class M>
concept Writable = (std::is_lvalue_reference_v<M> ||
                    !std::is_base_of_v<Eigen::PlainObjectBase<Plain<M>>, Plain<M>>)&&requires(M m) {
  { m.data() } -> std::same_as<typename Plain<M>::Scalar*>;
};

template <class S, int D>
using Strided = Eigen::Map<Tokens<S, D>, 0, Eigen::OuterStride<>>;
template <class S, int D>
using ConstStrided = Eigen::Map<const Tokens<S, D>, 0, Eigen::OuterStride<>>;

template <class M>
Index column_stride(const M& m) {
  return M::RowsAtCompileTime == 1 && M::IsRowMajor ? 1 : m.outerStride();
}

/// Where m lies. Of an empty matrix Eigen says nowhere, and a block of that would be undefined.
template <class S>
S* place(S* data) {
  static S nothing;
  return data ? data : &nothing;
}
template <class S>
const S* place(const S* data) {
  return place(const_cast<S*>(data));
}

template <int D, class M>
Index checked_rows(const M& m) {
  if (D != Dynamic && m.rows() != D) [[unlikely]]
    fail("a block of tokens has %ld features, but %d are needed", long(m.rows()), D);
  if (D == 1 && m.cols() > 1 && column_stride(m) != 1) [[unlikely]]
    fail("a block of tokens of one feature must be contiguous, but its columns lie %ld apart", long(column_stride(m)));
  return m.rows();
}

}  // namespace detail

/// Tokens to read: a view, made without a copy of any Eigen object with contiguous columns. What would need a copy (an
/// expression, a row-major matrix) does not compile.
template <class S, int D = Dynamic>
class Read : public detail::ConstStrided<S, D> {
  using Base = detail::ConstStrided<S, D>;

 public:
  /// Any matrix of S whose columns lie in memory as they are: it is not copied.
  template <class M>
  requires detail::DirectColumns<M, S> Read(const M& m)
      : Base(detail::place(m.data()), detail::checked_rows<D>(m), m.cols(),
             Eigen::OuterStride<>(detail::column_stride(m))) {}
};

/// Tokens to write: a view like Read.
template <class S, int D = Dynamic>
class Write : public detail::Strided<S, D> {
  using Base = detail::Strided<S, D>;

 public:
  using Base::operator=;
  /// Any such matrix that may be written to.
  template <class M>
  requires(detail::DirectColumns<M, S>&& detail::Writable<M>) Write(M&& m)
      : Base(detail::place(m.data()), detail::checked_rows<D>(m), m.cols(),
             Eigen::OuterStride<>(detail::column_stride(m))) {}
};

namespace detail {
/// to = from. Compiled once, where Eigen would make a loop for each pair of types.
template <class S>
void copy(Read<S> from, Write<S> to) {
  eigen_assert(from.rows() == to.rows() && from.cols() == to.cols());
  for (Index j = 0; j < from.cols(); ++j) std::copy_n(from.col(j).data(), from.rows(), to.col(j).data());
}
/// Whether none is infinite or not a number.
template <class S>
bool all_finite(Read<S> x) {
  for (Index j = 0; j < x.cols(); ++j)
    for (Index i = 0; i < x.rows(); ++i)
      if (!std::isfinite(x(i, j))) return false;
  return true;
}

template <class M>
struct AddTo {
  M target;
};
struct NoGradient {};
template <class M>
struct IsGradient : std::false_type {};
}  // namespace detail

template <class S, int D>
class Gradient;
template <class S, int D>
struct detail::IsGradient<Gradient<S, D>> : std::true_type {};

/// Says that a gradient is to be added to what is there already: `layer.backward(p, x, dy, a, g, add_to(dx))`.
template <class M>
auto add_to(M&& target) {
  return detail::AddTo<M&&>{std::forward<M>(target)};
}

/// Says that nobody needs this gradient.
inline constexpr detail::NoGradient no_gradient{};

/// Where backward puts the gradient of an input: overwritten, added to (`add_to(dx)`) or left out (`no_gradient`).
template <class S, int D = Dynamic>
class Gradient : public detail::Strided<S, D> {
  using Base = detail::Strided<S, D>;

 public:
  /// Overwrites the matrix.
  template <class M>
  requires(std::is_constructible_v<Write<S, D>, M&&> && !detail::IsGradient<detail::Plain<M>>::value) Gradient(M&& m)
      : Gradient(Write<S, D>(std::forward<M>(m)), false) {}
  /// The same place with its size known or forgotten.
  template <int E>
  requires(E != D) Gradient(const Gradient<S, E>& m)
      : Base(const_cast<S*>(m.data()),
             m.wanted()                           ? detail::checked_rows<D>(m)
             : Base::RowsAtCompileTime == Dynamic ? 0
                                                  : D,
             m.cols(), Eigen::OuterStride<>(m.outerStride())),
        adds_(m.adds()),
        wanted_(m.wanted()) {}
  /// Adds to the matrix: `add_to(dx)`.
  template <class M>
  Gradient(detail::AddTo<M> m) : Gradient(Write<S, D>(std::forward<M>(m.target)), true) {}
  Gradient(const Gradient&) = default;
  Gradient& operator=(const Gradient&) = delete;  // numbers or place? put() says
  /// Is not wanted: `no_gradient`.
  Gradient(detail::NoGradient) : Base(nullptr, D == Dynamic ? 0 : D, 0, Eigen::OuterStride<>(0)), wanted_(false) {}

  /// Whether it is to be computed at all.
  bool wanted() const { return wanted_; }
  /// Whether it is added to what is there.
  bool adds() const { return adds_; }

  /// Puts an expression into the columns from `first` on, as many as it has.
  template <class E>
  void put(Index first, const E& expression) {
    auto target = this->middleCols(first, expression.cols());
    if (adds_)
      target += expression;
    else
      target = expression;
  }
  /// Clears the target unless it is added to; what follows may then be added.
  void start() {
    if (wanted_ && !adds_) this->setZero();
  }
  /// Columns of it, cleared unless it is added to; from then on they are added to.
  Gradient<S> started(Index first, Index columns) {
    if (!wanted_) return detail::NoGradient{};
    auto block = this->middleCols(first, columns);
    if (!adds_) block.setZero();
    return add_to(block);
  }
  /// Columns of it, overwritten or added to as all of it is.
  Gradient columns(Index first, Index count) {
    if (!wanted_) return *this;
    return {Write<S, D>(this->middleCols(first, count)), adds_};
  }
  /// Rows of it, overwritten or added to as all of it is.
  Gradient<S> middle_rows(Index first, Index count) {
    if (!wanted_) return detail::NoGradient{};
    return {Write<S>(this->middleRows(first, count)), adds_};
  }
  /// A block of it, to be added to.
  Gradient<S> part(Index row, Index rows, Index first, Index columns) {
    if (!wanted_) return detail::NoGradient{};
    return add_to(this->block(row, first, rows, columns));
  }

 private:
  Gradient(Write<S, D> m, bool adds)
      : Base(m.data(), m.rows(), m.cols(), Eigen::OuterStride<>(m.outerStride())), adds_(adds) {}
  template <class, int>
  friend class Gradient;
  bool adds_ = false, wanted_ = true;
};

namespace detail {
template <class S, int D>
void expect_gradient(const char* who, const char* what, const Gradient<S, D>& m, long rows, long cols) {
  if (m.wanted()) expect_shape(who, what, m, rows, cols);
}
}  // namespace detail

}  // namespace heed
