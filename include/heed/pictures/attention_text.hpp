#pragma once
#include <algorithm>
#include <string>
#include <vector>

#include "heed/pictures/attention_names.hpp"
#include "heed/pictures/detail/text.hpp"

namespace heed {

/// Blocks of four densities, or for logs that know no UTF-8 the characters . : * #
enum class Shades { blocks, ascii };

/// Attention weights, keys x queries, as lines of text for a terminal or a log: a row for each query, a column for each key,
/// the darker the more. Names of keys that are longer than a letter are written downwards. The last line says what the
/// largest weight is: as dark as that.
///
///   std::fputs(heed::attention_text(weights, {.keys = {"x", "speed"}}).c_str(), stdout);
template <class M>
std::string attention_text(const Eigen::MatrixBase<M>& weights, AttentionNames names = {},
                           Shades shades = Shades::blocks) {
  static constexpr const char* looks[2][5] = {{" ", "░", "▒", "▓", "█"}, {" ", ".", ":", "*", "#"}};
  const Tokens<double> w = detail::weights_to_show("attention_text", weights, names);
  const int wide = w.rows() <= 40 ? 2 : 1;  // letters a key
  std::vector<std::vector<std::string>> keys, queries;
  std::size_t high = 0, left = 0;
  for (const auto& name : names.keys) high = std::max(high, keys.emplace_back(detail::characters(name)).size());
  for (const auto& name : names.queries) left = std::max(left, queries.emplace_back(detail::characters(name)).size());

  std::string text;
  const auto end_line = [&] {
    text.erase(text.find_last_not_of(' ') + 1);
    text += '\n';
  };
  for (const std::string& c : detail::characters(names.title)) text += c;
  if (!names.title.empty()) end_line();
  for (std::size_t line = 0; line < high; ++line) {
    text.append(left + 3, ' ');
    for (const auto& key : keys)
      text.append(line + key.size() < high ? " " : key[line + key.size() - high]).append(std::size_t(wide - 1), ' ');
    end_line();
  }
  const double most = w.maxCoeff();
  for (Index j = 0; j < w.cols(); ++j) {
    const auto& query = queries[std::size_t(j)];
    text.append(2 + left - query.size(), ' ');
    for (const std::string& c : query) text += c;
    text += ' ';
    for (Index i = 0; i < w.rows(); ++i)
      for (int k = 0; k < wide; ++k) text += looks[int(shades)][most > 0 ? int(w(i, j) / most * 4.99) : 0];
    end_line();
  }
  text.append(left + 3, ' ').append(looks[int(shades)][4]).append(" ").append(detail::number(most, 3)).append("\n");
  return text;
}

}  // namespace heed
