#pragma once
// What changes when a token changes, and what must not.
#include "support/formulas.hpp"

namespace support {

/// Changes one input column after the other: what sees it changes, and everything else keeps its bits. A query always
/// sees its own input; a key is seen as the mask says. Where there is one input, it is both.
template <class S>
void check_sight(Subject<S>& s, const NamedMask& mask) {
  s.forward();
  const Tokens<S> before = s.y;
  for (std::size_t input = 0; input < s.x.size(); ++input) {
    const bool is_key = s.x.size() == 1 || input > 0;
    const Lengths& lengths = s.axes[input] == s.time ? s.time_lengths : s.source_lengths;
    Index column = 0;
    for (std::size_t changed = 0; changed < lengths.size(); ++changed)
      for (Index t = 0; t < lengths[changed]; ++t, ++column) {
        const Tokens<S> kept = s.x[input];
        for (Index i = 0; i < kept.rows(); ++i) s.x[input](i, column) += S(0.25) + kept(i, column) * kept(i, column);
        s.forward();
        s.x[input] = kept;
        Index u = 0;
        for (std::size_t other = 0; other < s.time_lengths.size(); ++other)
          for (Index i = 0; i < s.time_lengths[other]; ++i, ++u) {
            const bool sees = other == changed && (is_key ? mask.sees(i, t) : i == t);
            const bool same = same_bits(s.y.col(u), before.col(u));
            INFO("input " << input << ", sequence " << changed << " token " << t << " seen from " << other << " " << i);
            if (!sees) CHECK(same);
            if (sees && s.x.size() == 1)
              CHECK(!same);  // one of several inputs may not matter: of a lone key only the value
          }
      }
  }
}

/// Queries that see no key answer zero, with zero gradient. s: attention with three inputs and window(2), keys along the source.
inline void check_blind(Subject<double>& s) {
  s.begin({3, 40}, {0, 2});  // of the second sequence, queries 0 to 2 see a key
  s.forward();
  CHECK((s.y.leftCols(3).array() == 0).all());
  CHECK((s.y.rightCols(37).array() == 0).all());
  CHECK((s.y.middleCols(3, 3).array() != 0).all());
  Parameters<double> g(s.layout);
  s.backward(random<double>(s.out, 43, 1), g);
  CHECK((s.dx[0].leftCols(3).array() == 0).all());
  CHECK((s.dx[0].rightCols(37).array() == 0).all());
  CHECK(s.dx[1].allFinite());
  CHECK(s.dx[2].allFinite());
}
}  // namespace support
