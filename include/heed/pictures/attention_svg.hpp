#pragma once
#include <algorithm>
#include <string>

#include "heed/pictures/attention_names.hpp"
#include "heed/pictures/detail/svg.hpp"

namespace heed {

/// Attention weights, keys x queries, as an SVG: a row for each query, a column for each key, white for 0 and the darker the
/// more, with the names on the axes and a scale. Where there are many keys or queries every so many are named.
///
///   heed::save_picture("attention.svg", heed::attention_svg(weights, {.keys = names, .queries = names}));
template <class M>
std::string attention_svg(const Eigen::MatrixBase<M>& weights, AttentionNames names = {}) {
  const Tokens<double> w = detail::weights_to_show("attention_svg", weights, names);
  const auto longest = [](const std::vector<std::string>& all) {
    double width = 0;
    for (const std::string& name : all) width = std::max(width, detail::width_of(name));
    return width;
  };
  const double cell = std::clamp(480.0 / double(std::max(w.rows(), w.cols())), 4.0, 20.0);
  const Index each = Index(std::ceil(12 / cell));
  const double left = longest(names.queries) + 28, top = longest(names.keys) + (names.title.empty() ? 26 : 46);
  const double wide = cell * double(w.rows()), high = cell * double(w.cols()), most = w.maxCoeff();
  const double least = std::max(detail::width_of(names.title), detail::width_of(names.key_title) + left);

  detail::Svg svg(std::max(left + wide + 64, least + 16), std::max(top + high, top + 80.0) + 12);
  svg.text(8, 18, names.title);
  svg.text(left + wide / 2, names.title.empty() ? 14 : 36, names.key_title, "middle");
  svg.text(14, top + high / 2, names.query_title, "middle", -90);
  for (Index i = 0; i < w.rows(); i += each)
    svg.text(left + cell * (double(i) + 0.5) + 4, top - 4, names.keys[std::size_t(i)], "start", -90);
  for (Index j = 0; j < w.cols(); j += each)
    svg.text(left - 4, top + cell * (double(j) + 0.5) + 4, names.queries[std::size_t(j)], "end");
  for (Index j = 0; j < w.cols(); ++j)
    for (Index i = 0; i < w.rows(); ++i)
      if (w(i, j) >= most / 512 && w(i, j) > 0)  // what is less is white
        svg.rect(left + cell * double(i), top + cell * double(j), cell, cell, detail::shade(w(i, j) / most));
  svg.frame(left, top, wide, high, "#888");

  constexpr int steps = 8;  // of the scale
  const double x = left + wide + 12;
  for (int i = 0; i < steps; ++i)
    svg.rect(x, top + 70 - 70.0 / steps * (i + 1), 10, 70.0 / steps, detail::shade((i + 0.5) / steps));
  svg.frame(x, top, 10, 70, "#888");
  svg.text(x + 14, top + 8, detail::number(most, 2));
  svg.text(x + 14, top + 70, "0");
  return svg.str();
}

}  // namespace heed
