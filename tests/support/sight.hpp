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
        s.x[input].col(column).array() += S(0.25) + s.x[input].col(column).array().square();
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
}  // namespace support
