#pragma once
#include <cmath>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "heed/pictures/detail/text.hpp"

namespace heed::detail {

/// A text as it may stand in XML, between tags or in quotes.
inline std::string xml(std::string_view text) {
  std::string escaped;
  for (const std::string& c : characters(text))
    if (c == "&")
      escaped += "&amp;";
    else if (c == "<")
      escaped += "&lt;";
    else if (c == ">")
      escaped += "&gt;";
    else if (c == "\"")
      escaped += "&quot;";
    else
      escaped += c;
  return escaped;
}

/// A drawing in SVG 1.1 on white; lengths in pixels, y downwards, colours as CSS has them.
class Svg {
 public:
  using Points = std::vector<std::pair<double, double>>;

  Svg(double width, double height) {
    text_ = "<svg xmlns=\"http://www.w3.org/2000/svg\"" + is("width", width) + is("height", height) +
            " viewBox=\"0 0 " + length(width) + " " + length(height) +
            "\" font-family=\"sans-serif\" font-size=\"11\">\n";
    rect(0, 0, width, height, "#fff");
  }

  void rect(double x, double y, double width, double height, std::string_view fill) {
    text_ += "<rect" + is("x", x) + is("y", y) + is("width", width) + is("height", height) + is("fill", fill) + "/>\n";
  }
  /// Without a fill.
  void frame(double x, double y, double width, double height, std::string_view stroke) {
    text_ += "<rect" + is("x", x) + is("y", y) + is("width", width) + is("height", height) + " fill=\"none\"" +
             is("stroke", stroke) + "/>\n";
  }
  void line(double x1, double y1, double x2, double y2, std::string_view stroke, double width = 1) {
    text_ += "<line" + is("x1", x1) + is("y1", y1) + is("x2", x2) + is("y2", y2) + is("stroke", stroke) +
             is("stroke-width", width) + "/>\n";
  }
  void polyline(const Points& points, std::string_view stroke) {
    text_ += "<polyline" + is("points", list(points)) + " fill=\"none\"" + is("stroke", stroke) +
             " stroke-width=\"1.5\"/>\n";
  }
  void polygon(const Points& points, std::string_view fill, double opacity = 1) {
    text_ += "<polygon" + is("points", list(points)) + is("fill", fill) + is("fill-opacity", opacity) + "/>\n";
  }
  /// anchor: start, middle or end, which lies at (x, y); turned by so many degrees around it.
  void text(double x, double y, std::string_view words, std::string_view anchor = "start", double degrees = 0) {
    if (words.empty()) return;
    text_ += "<text" + is("x", x) + is("y", y) + is("text-anchor", anchor);
    if (degrees != 0) text_ += " transform=\"rotate(" + length(degrees) + " " + length(x) + " " + length(y) + ")\"";
    text_ += ">" + xml(words) + "</text>\n";
  }
  /// All of it.
  std::string str() const { return text_ + "</svg>\n"; }

 private:
  static std::string length(double value) { return number(std::round(value * 100) / 100, 10); }
  static std::string is(const char* name, std::string_view value) {
    return std::string(" ").append(name).append("=\"").append(value).append("\"");
  }
  static std::string is(const char* name, double value) { return is(name, length(value)); }
  static std::string list(const Points& points) {
    std::string all;
    for (const auto& [x, y] : points)
      all.append(all.empty() ? "" : " ").append(length(x)).append(",").append(length(y));
    return all;
  }

  std::string text_;
};

/// How wide a text is, about.
inline double width_of(std::string_view words) { return 6.2 * double(characters(words).size()); }

/// From white (0) to dark blue (1).
inline std::string shade(double share) {
  constexpr int from[] = {255, 255, 255}, to[] = {8, 48, 107};
  constexpr char digits[] = "0123456789abcdef";
  std::string colour = "#";
  for (int i = 0; i < 3; ++i) {
    const int part = int(std::lround(from[i] + share * (to[i] - from[i])));
    colour += digits[part / 16], colour += digits[part % 16];
  }
  return colour;
}

/// One of eight colours that differ for the colour-blind, too (Okabe and Ito 2008), of whole numbers around and around.
inline const char* colour(std::size_t i) {
  constexpr const char* all[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                 "#e69f00", "#56b4e9", "#000000", "#f0e442"};
  return all[i % 8];
}

}  // namespace heed::detail
