#pragma once
// Errors that name the thing and the numbers.
#include "support/lanes.hpp"

namespace support {

/// That f throws, and says `part`.
template <class F>
void check_complaint(const std::string& part, F f) {
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
  const auto wrongly = [&](Tokens<S>& matrix, const std::string& name, Index rows, Index cols, auto f) {
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
}  // namespace support
