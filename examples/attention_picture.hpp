#pragma once
#include <cstdio>
#include <heed/core/tokens.hpp>
#include <string>

/// Attention weights, keys x queries, as a picture in the terminal: a row for each query, a column for each key, the darker
/// the more. Keys and queries are named by a letter each.
inline void print_attention(const heed::Tokens<float>& weights, const std::string& keys, const std::string& queries) {
  constexpr const char* shades[] = {"  ", "░░", "▒▒", "▓▓", "██"};
  std::printf("\n    ");
  for (const char key : keys) std::printf("%c ", key);
  for (heed::Index j = 0; j < weights.cols(); ++j) {
    std::printf("\n  %c ", queries[std::size_t(j)]);
    for (heed::Index i = 0; i < weights.rows(); ++i) std::printf("%s", shades[int(weights(i, j) * 4.99f)]);
  }
  std::printf("\n\n");
}
