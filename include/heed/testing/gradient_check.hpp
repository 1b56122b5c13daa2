#pragma once
#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <string>
#include <vector>

#include "heed/core/activations.hpp"
#include "heed/core/parameters.hpp"

namespace heed::testing {

/// An input of the function under test, and where its backward puts the gradient.
struct Input {
  std::string name;               ///< what it is called in the report
  Write<double> value, gradient;  ///< what is varied, and where backward writes
};

/// How far gradients are from central differences.
struct GradientReport {
  /// Of one weight or input.
  struct Row {
    std::string name;  ///< what it is called in the report
    double error;      ///< |exact - numeric| / max(|exact|, |numeric|), in Euclidean norm over the whole matrix
    double norm;       ///< of the numeric gradient
  };
  std::vector<Row> rows;  ///< one for each trained weight of the layout and each input

  /// The largest error of all.
  double worst() const { return of_worst().error; }
  /// Where that is.
  std::string worst_name() const { return of_worst().name; }

 private:
  Row of_worst() const {
    Row worst{"nothing", 0, 0};
    for (const Row& row : rows)
      if (!std::isnan(worst.error) && !(row.error <= worst.error)) worst = row;
    return worst;
  }
};

namespace detail {

/// (f(v - 2h) - 8 f(v - h) + 8 f(v + h) - f(v + 2h)) / 12h, exact to h^4.
template <class Loss>
double central_difference(double& v, Loss&& loss) {
  const double old = v, h = 1e-4 * std::max(1.0, std::abs(old));
  const auto at = [&](double steps) {
    v = old + steps * h;
    return loss();
  };
  const double slope = (at(-2) - 8 * at(-1) + 8 * at(1) - at(2)) / (12 * h);
  v = old;
  return slope;
}

/// Differences of a loss of size `scale` cannot tell a gradient below scale * 1e-11 from zero.
template <class Exact, class Loss>
GradientReport::Row compare(const std::string& name, double* values, const Exact& exact, double scale, Loss&& loss) {
  double difference = 0, exact_norm = 0, numeric_norm = 0;
  for (Index i = 0; i < exact.size(); ++i) {
    const double numeric = central_difference(values[i], loss);
    difference += (numeric - exact.data()[i]) * (numeric - exact.data()[i]);
    exact_norm += exact.data()[i] * exact.data()[i];
    numeric_norm += numeric * numeric;
  }
  const double size = std::sqrt(std::max(exact_norm, numeric_norm)), nothing = 1e-11 * (1 + std::abs(scale));
  return {name, std::sqrt(difference) / std::max(size, nothing * std::sqrt(double(exact.size())) * 1e6),
          std::sqrt(numeric_norm)};
}

}  // namespace detail

/// Compares a backward pass with central differences, in double: the gradient of the loss sum(r o y) with random r, for
/// each trained weight and each input.
///
///   forward()        computes y and returns it (a matrix or a view)
///   backward(r, g)   the backward pass for dy = r: adds to g (Parameters<double>) and fills the gradients of `inputs`
///
/// Keep away from kinks (ReLU at 0): differences say nothing there.
template <class Forward, class Backward>
GradientReport gradient_check(const Layout& layout, Parameters<double>& p, std::initializer_list<Input> inputs,
                              Forward forward, Backward backward, std::uint64_t seed = 1) {
  if (p.flat.size() != layout.parameters())
    heed::detail::fail("gradient_check: %ld parameters, but the layout has %ld", long(p.flat.size()),
                       long(layout.parameters()));
  const Tokens<double> y = forward();
  Tokens<double> r(y.rows(), y.cols());
  Random random(seed);
  for (Index i = 0; i < r.size(); ++i) r.data()[i] = random.uniform(-1, 1);
  Parameters<double> g(layout);
  backward(r, g);

  std::vector<Tokens<double>> exact;
  for (const Input& input : inputs) exact.emplace_back(input.gradient);
  const auto loss = [&] { return forward().cwiseProduct(r).sum(); };
  const double scale = y.cwiseProduct(r).cwiseAbs().sum();

  GradientReport report;
  for (const Entry& e : layout.entries())
    if (e.use.trained)
      report.rows.push_back(
          detail::compare(e.name, p.flat.data() + e.offset, g.flat.segment(e.offset, e.size()), scale, loss));
  std::size_t i = 0;
  for (const Input& input : inputs) {
    if (input.value.cols() > 1 && input.value.outerStride() != input.value.rows())
      heed::detail::fail("gradient_check: %s must be contiguous", input.name.c_str());
    Write<double> value = input.value;
    report.rows.push_back(detail::compare(input.name, value.data(), exact[i++], scale, loss));
  }
  forward();  // leaves the activations of the point under test
  return report;
}

/// The same for a layer with `forward(p, x, y, a)` and `backward(p, x, dy, a, g, dx)`, or both without `a`; y has
/// `out` rows and a column for each of x.
template <class Layer>
GradientReport gradient_check(const Layer& layer, const Layout& layout, Parameters<double>& p, Activations<double>& a,
                              Tokens<double>& x, Index out) {
  Tokens<double> y(out, x.cols()), dx(x.rows(), x.cols());
  const auto forward = [&]() -> const Tokens<double>& {
    if constexpr (requires { layer.forward(p, x, y, a); })
      layer.forward(p, x, y, a);
    else
      layer.forward(p, x, y);
    return y;
  };
  const auto backward = [&](const Tokens<double>& dy, Parameters<double>& g) {
    if constexpr (requires { layer.backward(p, x, dy, a, g, dx); })
      layer.backward(p, x, dy, a, g, dx);
    else
      layer.backward(p, x, dy, g, dx);
  };
  return gradient_check(layout, p, {{"x", x, dx}}, forward, backward);
}

}  // namespace heed::testing
