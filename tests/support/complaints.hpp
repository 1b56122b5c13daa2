#pragma once
// Errors that name the thing and the numbers.
#include <functional>

#include "support/lanes.hpp"

namespace support {

/// That f throws, and says `part`.
inline void check_complaint(const std::string& part, const std::function<void()>& f) {
  std::string said = "nothing";
  try {
    f();
  } catch (const std::invalid_argument& error) { said = error.what(); }
  INFO("wanted: " << part << "\nsaid:   " << said);
  const bool says_it = said.find(part) != std::string::npos;
  CHECK(says_it);
}

/// Each matrix of a wrong shape, at each entry: the error names the layer, the argument and the numbers. The layer whose
/// columns lie along no axis takes any number of columns as x.
template <class S>
void check_shapes(Subject<S>& s, const std::string& who, const std::vector<std::string>& names,
                  heed::Memory<S>* m = nullptr, bool along_axis = true) {
  REQUIRE(names.size() == s.x.size());
  const auto wrongly = [&](Tokens<S>& matrix, const std::string& name, Index rows, Index cols,
                           const std::function<void()>& f) {
    const Tokens<S> kept = matrix;
    matrix.setZero(kept.rows() + rows, kept.cols() + cols);
    const auto numbers = [](const Tokens<S>& x) { return std::to_string(x.rows()) + " x " + std::to_string(x.cols()); };
    check_complaint(who + ": " + name + " is " + numbers(matrix) + ", but " + numbers(kept) + " is needed", f);
    matrix = kept;
  };
  const auto forward = [&] { s.forward(); };
  const auto extend = [&] { s.extend(*m); };
  Tokens<S> dy = s.y;
  Parameters<S> g(s.layout);
  const auto backward = [&] { s.backward(dy, g); };
  forward();
  for (const Index more_rows : {0, 1}) {
    const Index more_cols = 1 - more_rows;
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (along_axis) wrongly(s.x[i], names[i], more_rows, more_cols, forward);
      if (along_axis) wrongly(s.x[i], names[i], more_rows, more_cols, backward);
      if (m) wrongly(s.x[i], names[i], more_rows, more_cols, extend);
      wrongly(s.dx[i], "d" + names[i], more_rows, more_cols, backward);
    }
    wrongly(s.y, "y", more_rows, more_cols, forward);
    if (m) wrongly(s.y, "y", more_rows, more_cols, extend);
    wrongly(dy, "dy", more_rows, more_cols, backward);
  }
  CHECK((g.flat.array() == 0).all());  // nothing was done before the error
}

/// Attention with two heads from queries along time to keys along a source, its inputs named q, k, v: wrong shapes, counts, and
/// requests for weights(sequence, head, into).
inline void check_attention_complaints(Subject<double>& s, const std::string& who, heed::Memory<double>& m,
                                       const std::function<void(Index, Index, Tokens<double>&)>& weights) {
  s.begin({2, 3}, {1, 4});
  check_shapes(s, who, {"q", "k", "v"}, &m);
  Tokens<double> w(4, 3);
  weights(1, 1, w);
  check_complaint(who + ": head 2 asked for, but there are 2", [&] { weights(1, 2, w); });
  check_complaint(who + ": head -1 asked for", [&] { weights(1, -1, w); });
  check_complaint(who + ": sequence 2 asked for, but there are 2", [&] { weights(2, 0, w); });
  check_complaint(who + ": sequence -1 asked for", [&] { weights(-1, 0, w); });
  check_complaint(who + ": weights is 4 x 3, but 1 x 2 is needed", [&] { weights(0, 0, w); });
  s.begin({2, 3}, {1, 4, 0});
  const std::string counts = who + ": 2 sequences of queries, but 3 of keys";
  check_complaint(counts, [&] { s.forward(); });
  check_complaint(counts, [&] { s.extend(m); });
  Parameters<double> g(s.layout);
  check_complaint(counts, [&] { s.backward(s.y, g); });
}

/// Positions that end, so many: what reaches further is an error, and leaves everything as it was.
inline void check_end(Subject<double>& s, const std::string& who, Index end) {
  const std::string error = who + ": sequence 1 reaches position " + std::to_string(end) + ", but there are " +
                            std::to_string(end) + " positions";
  s.begin({end, end + 1});
  check_complaint(error, [&] { s.forward(); });
  CHECK((s.y.array() == -3).all());
  Parameters<double> g(s.layout);
  if (g.flat.size() > 0) check_complaint(error, [&] { s.backward(s.y, g); });
  CHECK((g.flat.array() == 0).all());
  heed::Memory<double> m(s.layout, 2, end + 2);
  s.begin({1, end - 1});
  s.extend(m);
  m.advance();
  s.begin({end - 1, 2});
  check_complaint(error, [&] { s.extend(m); });
  CHECK((s.y.array() == -3).all());
  s.begin({end - 1, 1});
  s.extend(m);
  m.advance();
  s.begin({0, 0});  // lanes that wait at the end
  s.extend(m);
}
}  // namespace support
