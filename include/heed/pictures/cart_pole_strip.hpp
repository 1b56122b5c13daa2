#pragma once
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "heed/pictures/attention_names.hpp"
#include "heed/pictures/detail/svg.hpp"

namespace heed {

/// Frames of cart-pole one after the other as an SVG, and under each how much was attended to it: a bar for each query (or head).
///
///   x: 4 x frames, what CartPole shows: position, speed, angle, angular speed    weights: frames x bars
///   names.keys: of the frames    names.queries: of the bars, each of its own colour
///
/// The longest bar is the largest weight, and each frame says what its largest one is. Eight frames a row.
template <class X, class M>
std::string cart_pole_strip(const Eigen::MatrixBase<X>& x, const Eigen::MatrixBase<M>& weights,
                            AttentionNames names = {}) {
  const Tokens<double> w = detail::weights_to_show("cart_pole_strip", weights, names);
  detail::expect_shape("cart_pole_strip", "x", x, 4, w.rows());
  for (Index t = 0; t < x.cols(); ++t)
    if (!std::isfinite(double(x(0, t))) || !std::isfinite(double(x(2, t))))
      detail::fail("cart_pole_strip: frame %ld has the position %g and the angle %g", long(t), double(x(0, t)),
                   double(x(2, t)));
  constexpr double wide = 96, high = 128, ground = 62, bars = 112, longest = 34, reach = 2.4;  // of a frame
  constexpr Index a_row = 8;
  const double most = w.maxCoeff(), top = names.title.empty() ? 30 : 50;
  double legend = 0;
  for (const std::string& name : names.queries) legend += 24 + detail::width_of(name);
  const double width = std::max({wide * double(std::min(a_row, w.rows())), detail::width_of(names.title), legend}) + 16;

  detail::Svg svg(width, top + (high + 12) * double((w.rows() - 1) / a_row + 1));
  svg.text(8, 18, names.title);
  double at = 8;
  for (std::size_t i = 0; i < names.queries.size(); ++i) {
    svg.rect(at, top - 20, 9, 9, detail::colour(i));
    svg.text(at + 12, top - 12, names.queries[i]);
    at += 24 + detail::width_of(names.queries[i]);
  }
  for (Index t = 0; t < w.rows(); ++t) {
    const double left = 8 + wide * double(t % a_row), y = top + (high + 12) * double(t / a_row);
    const double scale = (wide - 30) / (2 * reach);
    const double cart = left + wide / 2 + scale * std::clamp(double(x(0, t)), -reach, reach), angle = double(x(2, t));
    svg.frame(left + 2, y, wide - 4, high, "#ccc");
    svg.text(left + 6, y + 12, names.keys[std::size_t(t)]);
    svg.line(left + 4, y + ground + 8, left + wide - 4, y + ground + 8, "#888");
    svg.rect(cart - 9, y + ground, 18, 8, "#444");
    svg.line(cart, y + ground, cart + 40 * std::sin(angle), y + ground - 40 * std::cos(angle), "#d55e00", 3);
    const double bar = (wide - 36) / double(w.cols());
    for (Index j = 0; j < w.cols(); ++j) {
      const double length = most > 0 ? longest * w(t, j) / most : 0;
      svg.rect(left + 6 + bar * double(j), y + bars + 10 - length, std::max(bar - 1, 1.0), length,
               detail::colour(std::size_t(j)));
    }
    svg.text(left + wide - 5, y + bars + 10, detail::number(std::round(100 * w.row(t).maxCoeff()) / 100), "end");
  }
  return svg.str();
}

}  // namespace heed
