#pragma once
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "task.hpp"

/// Mean and standard error over the seeds.
struct Summary {
  double mean = 0, error = 0;

  template <class Figure>
  Summary(const std::vector<Result>& results, Figure figure) {
    const double n = double(results.size());
    double squares = 0;
    for (const Result& result : results) mean += figure(result) / n;
    for (const Result& result : results) squares += std::pow(figure(result) - mean, 2);
    if (n > 1) error = std::sqrt(squares / (n - 1) / n);
  }
};

/// A cell of the table: what one policy came to.
inline std::string cell(const nlohmann::json& task, const std::vector<Result>& results) {
  const Summary score(results, [](const Result& r) { return r.score; });
  const Summary second(results, [](const Result& r) { return r.second; });
  const Summary seconds(results, [](const Result& r) { return r.seconds; });
  const int digits = std::abs(score.mean) < 10 ? 3 : 1;
  char text[256];
  int length = std::snprintf(text, sizeof text, "%.*f ± %.*f", digits, score.mean, digits, score.error);
  const auto rest = [&] { return sizeof text - std::size_t(length); };
  if (task.contains("second") && second.mean != 0)
    length += std::snprintf(text + length, rest(), "; %s %.3f ± %.3f", task["second"].get<std::string>().c_str(),
                            second.mean, second.error);
  std::snprintf(text + length, rest(), " (%.1f s)", seconds.mean);
  return text;
}

inline const char* table_head() {
  return "| task | published | to reach | with attention | memoryless MLP |\n|---|---|---|---|---|\n";
}

/// A row; results: of each policy, of each seed.
inline std::string row(const nlohmann::json& task, const std::vector<std::vector<Result>>& results) {
  std::string text = "|";
  for (const char* column : {"title", "published", "reach"})
    text.append(" ").append(task.at(column).get<std::string>()).append(" |");
  std::string of_policy[2] = {"-", "-"};
  for (std::size_t i = 0; i < results.size(); ++i)
    of_policy[task.at("policies")[i].at("network") == "mlp" ? 1 : 0] = cell(task, results[i]);
  return text.append(" ").append(of_policy[0]).append(" | ").append(of_policy[1]).append(" |\n");
}
