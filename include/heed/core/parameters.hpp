#pragma once
#include <cstdint>

#include "heed/core/layout.hpp"

namespace heed {

/// Weights as the layers see them: a pointer to the flat vector. S is const where they are only read. Made from
/// Parameters, or from any array of `layout.parameters()` numbers.
template <class S>
class ParametersView {
  template <int R, int C>
  using Matrix = Eigen::Matrix<std::remove_const_t<S>, R, C, C == 1 ? Eigen::ColMajor : Eigen::RowMajor>;
  template <int R, int C>
  using Map = Eigen::Map<std::conditional_t<std::is_const_v<S>, const Matrix<R, C>, Matrix<R, C>>>;

 public:
  /// Over `layout.parameters()` numbers of one's own.
  explicit ParametersView(S* data) : data_(data) {}
  operator ParametersView<const S>() const { return ParametersView<const S>(data_); }

  /// The weight as a matrix.
  template <int R, int C>
  Map<R, C> operator[](const Weight<R, C>& w) const {
    return Map<R, C>(data_ + w.offset, w.rows, w.cols);
  }

 private:
  S* data_;
};

/// Every parameter of a network in one vector, `flat`. Gradients, Adam's moments, a target network: more vectors of the
/// same layout. `flat` is the body of a safetensors file, byte for byte.
template <class S>
class Parameters {
 public:
  Eigen::Matrix<S, Dynamic, 1> flat;  ///< all of them, in the order of the layout

  /// All zero.
  explicit Parameters(const Layout& layout) : flat(Eigen::Matrix<S, Dynamic, 1>::Zero(layout.parameters())) {}
  /// Each weight by its own initialiser, from a stream keyed by its name: adding a layer does not change the others.
  Parameters(const Layout& layout, std::uint64_t seed) : Parameters(layout) {
    if (layout.entries().empty() && layout.parameters() > 0)
      detail::fail("Parameters: a layout made without names cannot say how its %ld numbers start",
                   long(layout.parameters()));
    Eigen::VectorXd values;
    for (const Entry& e : layout.entries()) {
      Random random(seed, e.name);
      values.resize(e.size());
      e.initialiser.fill(values.data(), e.shape.rows(), e.shape.cols(), random);
      flat.segment(e.offset, e.size()) = values.cast<S>();
    }
  }

  operator ParametersView<S>() { return ParametersView<S>(flat.data()); }
  operator ParametersView<const S>() const { return ParametersView<const S>(flat.data()); }
  /// The weight as a matrix.
  template <int R, int C>
  auto operator[](const Weight<R, C>& w) {
    return ParametersView<S>(*this)[w];
  }
  /// The weight as a matrix.
  template <int R, int C>
  auto operator[](const Weight<R, C>& w) const {
    return ParametersView<const S>(*this)[w];
  }

  template <class Fields>
  void fields(Fields& f) {
    f("flat", flat);
  }
};

}  // namespace heed
