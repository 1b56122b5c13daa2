#pragma once
// The table in Markdown.

#include <cstdio>

#include "duel.hpp"

namespace versus {

/// Of the machine: seconds a multiply-add and an exponential take at best.
struct Limits {
  double multiply_add = 0, exponential = 0;
  double seconds(const Cost& c) const { return c.multiply_adds * multiply_add + c.exponentials * exponential; }
};

/// 12,345 or 123 or 12.3 or 1.23
inline std::string number(double x) {
  char text[32];
  std::snprintf(text, sizeof text, "%.*f", x < 9.995 ? 2 : x < 99.95 ? 1 : 0, x);
  std::string all = text;
  for (std::size_t i = all.find('.') == std::string::npos ? all.size() : 0; i > 3; i -= 3) all.insert(i - 3, 1, ',');
  return all;
}

/// The median in microseconds, with half the distance of the quartiles.
inline std::string time(const Spread& s) {
  if (s.median == 0) return "-";
  char percent[16];
  std::snprintf(percent, sizeof percent, " ± %.0f %%", 50 * (s.high - s.low) / s.median);
  return number(1e6 * s.median) + percent;
}

/// What was reached, marked where more was asked for.
inline std::string held(double reached, double wanted, const char* unit = "") {
  if (reached == 0) return "-";
  return number(reached) + unit + (reached < wanted ? ", **below " + number(wanted) + unit + "**" : "");
}

/// How many times LibTorch; where more was asked for, what share of the limit that would take.
inline std::string ratio(const Result& r, double limit) {
  const double wanted = least(r.task), reached = r.graph.native_ratio;
  if (reached >= wanted || limit == 0) return held(reached, wanted);
  return held(reached, wanted) + ", which is " + number(100 * limit * wanted / r.graph.time.median) + " % of the limit";
}

inline void print_head() {
  std::printf(
      "| work | LibTorch, µs | heed, µs | times LibTorch | heed without -march=native, µs | times LibTorch | GFLOP/s "
      "| of the limit | LibTorch's fastest way | into preallocated tensors, µs | times that |\n"
      "|---|---|---|---|---|---|---|---|---|---|---|\n");
}

inline void print_row(const Result& r, const Limits& limits) {
  const Cost c = cost(r.task);
  const double limit = limits.seconds(c);
  const double rate = 2e-9 * c.multiply_adds / r.native.median, share = limit / r.native.median;
  std::string row = "| " + name(r.task);
  for (const std::string& cell :
       {time(r.graph.time), time(r.native), ratio(r, limit), time(r.plain), held(r.graph.plain_ratio, 0), held(rate, 0),
        held(100 * share, 100 * least_share(r.task), " %"), r.graph.name, time(r.preallocated.time),
        held(r.preallocated.native_ratio, 0)})
    row += " | " + cell;
  std::printf("%s |\n", row.c_str());
  std::fflush(stdout);
}

}  // namespace versus
