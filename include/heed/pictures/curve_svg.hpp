#pragma once
#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "heed/io/detail/file_error.hpp"
#include "heed/pictures/detail/svg.hpp"

namespace heed {

/// A curve with a band of +- error around it.
struct Curve {
  std::string name;                    ///< in the legend
  std::vector<double> x, mean, error;  ///< as many of each
};

/// A curve as one training wrote it. Points that are not finite (no episode has ended yet) are left out.
struct SeedCurve {
  std::vector<double> x, y;  ///< as many of each
};

namespace detail {

/// The points that are finite; x must rise, and there must be any.
inline SeedCurve finite_points(const std::string& name, std::size_t number, const SeedCurve& seed) {
  if (seed.x.size() != seed.y.size())
    fail("mean_curve: seed %zu of %s has %zu x and %zu y", number, shown(name).c_str(), seed.x.size(), seed.y.size());
  SeedCurve finite;
  for (std::size_t i = 0; i < seed.x.size(); ++i) {
    if (!std::isfinite(seed.x[i]) || !std::isfinite(seed.y[i])) continue;
    if (!finite.x.empty() && seed.x[i] <= finite.x.back())
      fail("mean_curve: x of seed %zu of %s does not rise: %g after %g", number, shown(name).c_str(), seed.x[i],
           finite.x.back());
    finite.x.push_back(seed.x[i]), finite.y.push_back(seed.y[i]);
  }
  if (finite.x.empty()) fail("mean_curve: seed %zu of %s has no points", number, shown(name).c_str());
  return finite;
}

/// y at x, on the straight line between the points around it.
inline double between(const SeedCurve& p, double x) {
  const std::size_t i = std::size_t(std::lower_bound(p.x.begin(), p.x.end(), x) - p.x.begin());
  if (p.x[i] == x) return p.y[i];
  return p.y[i - 1] + (p.y[i] - p.y[i - 1]) * (x - p.x[i - 1]) / (p.x[i] - p.x[i - 1]);
}

}  // namespace detail

/// Mean and standard error over seeds at each x that one of them has and all of them reach; between its points a seed lies on
/// a straight line.
///
///   error = sqrt(sum of (y - mean)^2 / (n - 1) / n), 0 of one seed
inline Curve mean_curve(const std::string& name, const std::vector<SeedCurve>& seeds) {
  Curve curve{name, {}, {}, {}};
  std::vector<SeedCurve> all;
  double first = -std::numeric_limits<double>::infinity(), last = -first;
  for (std::size_t i = 0; i < seeds.size(); ++i) {
    const SeedCurve& p = all.emplace_back(detail::finite_points(name, i, seeds[i]));
    first = std::max(first, p.x.front()), last = std::min(last, p.x.back());
    curve.x.insert(curve.x.end(), p.x.begin(), p.x.end());
  }
  std::sort(curve.x.begin(), curve.x.end());
  curve.x.erase(std::unique(curve.x.begin(), curve.x.end()), curve.x.end());
  std::erase_if(curve.x, [&](double x) { return x < first || x > last; });
  if (curve.x.empty())
    detail::fail("mean_curve: the %zu seeds of %s have no x in common", seeds.size(), detail::shown(name).c_str());
  const double n = double(all.size());
  for (const double x : curve.x) {
    double mean = 0, squares = 0;
    for (const SeedCurve& p : all) mean += detail::between(p, x) / n;
    for (const SeedCurve& p : all) squares += std::pow(detail::between(p, x) - mean, 2);
    curve.mean.push_back(mean);
    curve.error.push_back(n > 1 ? std::sqrt(squares / (n - 1) / n) : 0);
  }
  return curve;
}

/// What stands around curves.
struct CurveTitles {
  std::string title = {}, x = {}, y = {};  ///< above, below and at the side
};

namespace detail {

/// A range of numbers, and round ones within it.
struct Scale {
  double first, last, step;

  Scale(double lowest, double highest) {
    if (!(highest > lowest)) highest = lowest + std::max(std::abs(lowest), 1.0), lowest -= highest - lowest;
    const double rough = (highest - lowest) / 5, power = std::pow(10, std::floor(std::log10(rough)));
    step = power * (rough / power > 5 ? 10 : rough / power > 2 ? 5 : rough / power > 1 ? 2 : 1);
    first = step * std::floor(lowest / step), last = step * std::ceil(highest / step);
  }
  int steps() const { return int(std::lround((last - first) / step)); }
  double operator()(int i) const { return std::abs(first + step * i) < step / 2 ? 0 : first + step * i; }
  /// Where it lies, from 0 to 1.
  double place(double value) const { return (value - first) / (last - first); }
};

inline void check_curve(const Curve& curve) {
  if (curve.x.empty() || curve.mean.size() != curve.x.size() || curve.error.size() != curve.x.size())
    fail("curve_svg: %s has %zu x, %zu means and %zu errors", shown(curve.name).c_str(), curve.x.size(),
         curve.mean.size(), curve.error.size());
  for (std::size_t i = 0; i < curve.x.size(); ++i)
    if (!std::isfinite(curve.x[i]) || !std::isfinite(curve.mean[i]) ||
        !(std::isfinite(curve.error[i]) && curve.error[i] >= 0))
      fail("curve_svg: point %zu of %s is %g, %g +- %g", i, shown(curve.name).c_str(), curve.x[i], curve.mean[i],
           curve.error[i]);
}

}  // namespace detail

/// Curves as an SVG, each a line of its means in a band of +- its error.
///
///   heed::save_picture("curves.svg", heed::curve_svg({heed::mean_curve("attention", seeds)}, {.x = "steps", .y = "return"}));
inline std::string curve_svg(const std::vector<Curve>& curves, const CurveTitles& titles = {}) {
  if (curves.empty()) detail::fail("curve_svg: no curves");
  double lowest[2], highest[2];
  std::fill_n(lowest, 2, std::numeric_limits<double>::infinity()), std::fill_n(highest, 2, -lowest[0]);
  for (const Curve& curve : curves) {
    detail::check_curve(curve);
    for (std::size_t i = 0; i < curve.x.size(); ++i) {
      lowest[0] = std::min(lowest[0], curve.x[i]), highest[0] = std::max(highest[0], curve.x[i]);
      lowest[1] = std::min(lowest[1], curve.mean[i] - curve.error[i]);
      highest[1] = std::max(highest[1], curve.mean[i] + curve.error[i]);
    }
  }
  const detail::Scale along(lowest[0], highest[0]), up(lowest[1], highest[1]);
  constexpr double left = 64, top = 34, wide = 480, high = 260;
  const auto x_of = [&](double x) { return left + wide * along.place(x); };
  const auto y_of = [&](double y) { return top + high * (1 - up.place(y)); };

  double width = std::max(left + wide + 24, left + detail::width_of(titles.title) + 8);
  for (const Curve& curve : curves) width = std::max(width, left + 26 + detail::width_of(curve.name) + 8);

  detail::Svg svg(width, top + high + 42 + 16 * double(curves.size()));
  svg.text(left, 20, titles.title);
  svg.text(left + wide / 2, top + high + 34, titles.x, "middle");
  svg.text(14, top + high / 2, titles.y, "middle", -90);
  for (int i = 0; i <= along.steps(); ++i) {
    svg.line(x_of(along(i)), top, x_of(along(i)), top + high, "#ddd");
    svg.text(x_of(along(i)), top + high + 16, detail::number(along(i)), "middle");
  }
  for (int i = 0; i <= up.steps(); ++i) {
    svg.line(left, y_of(up(i)), left + wide, y_of(up(i)), "#ddd");
    svg.text(left - 6, y_of(up(i)) + 4, detail::number(up(i)), "end");
  }
  for (std::size_t c = 0; c < curves.size(); ++c) {
    const Curve& curve = curves[c];
    detail::Svg::Points line, band;
    for (std::size_t i = 0; i < curve.x.size(); ++i) {
      line.emplace_back(x_of(curve.x[i]), y_of(curve.mean[i]));
      band.emplace_back(x_of(curve.x[i]), y_of(curve.mean[i] + curve.error[i]));
    }
    for (std::size_t i = curve.x.size(); i-- > 0;)
      band.emplace_back(x_of(curve.x[i]), y_of(curve.mean[i] - curve.error[i]));
    svg.polygon(band, detail::colour(c), 0.2);
    svg.polyline(line, detail::colour(c));
    const double y = top + high + 52 + 16 * double(c);
    svg.line(left, y - 4, left + 20, y - 4, detail::colour(c), 3);
    svg.text(left + 26, y, curve.name);
  }
  return svg.str();
}

}  // namespace heed
