#pragma once
#include <algorithm>
#include <heed/core/random.hpp>
#include <heed/core/sequences.hpp>
#include <string>
#include <vector>

using heed::Index;
constexpr Index symbols = 12, shortest = 4, longest = 10;

/// Sequences of symbols as columns of numbers, and what is wanted of them, reversed or sorted. A tenth of all sequences, told
/// apart by a hash, is for tests alone. The target is what stands before each wanted symbol: at first `symbols`.
struct Batch {
  heed::Sequences lengths;
  heed::Tokens<float> source, target;
  std::vector<Index> wanted;

  Batch(Index count, bool sorts, bool test, heed::Random& random) : source(1, count * longest), target(source) {
    while (lengths.count() < count) {
      std::string s(std::size_t(shortest + random.below(longest - shortest + 1)), 'a');
      for (char& symbol : s) symbol = char('a' + random.below(symbols));
      if ((heed::Random::key(s) % 10 == 0) == test) append(s, sorts);
    }
    source.conservativeResize(1, lengths.columns());
    target.conservativeResize(1, lengths.columns());
  }
  /// The first sequence as letters, and what is wanted of it.
  std::vector<std::string> first_source() const {
    return letters([&](Index i) { return Index(source(0, i)); });
  }
  std::vector<std::string> first_wanted() const {
    return letters([&](Index i) { return wanted[std::size_t(i)]; });
  }

 private:
  template <class Symbol>
  std::vector<std::string> letters(Symbol symbol) const {
    std::vector<std::string> all;
    for (Index i = 0; i < lengths.length(0); ++i) all.emplace_back(1, char('a' + symbol(i)));
    return all;
  }
  void append(std::string s, bool sorts) {
    const Index first = lengths.columns();
    for (std::size_t i = 0; i < s.size(); ++i) source(0, first + Index(i)) = float(s[i] - 'a');
    sorts ? std::sort(s.begin(), s.end()) : std::reverse(s.begin(), s.end());
    for (std::size_t i = 0; i < s.size(); ++i) {
      target(0, first + Index(i)) = i == 0 ? float(symbols) : float(s[i - 1] - 'a');
      wanted.push_back(s[i] - 'a');
    }
    lengths.append(Index(s.size()));
  }
};
