#pragma once
// Masks, and what they mean said in another way.
#include "support/basics.hpp"

namespace support {

/// A mask, and what it means said in another way.
struct NamedMask {
  const char* name;
  heed::Mask mask;
  Index back, ahead, stride = 0, far = 1 << 30;
  bool sees(Index query, Index key) const {
    const bool near = key >= query - back && key <= query + ahead;
    return near || (stride > 0 && key < query - back && key >= query - far && (query - key) % stride == 0);
  }
};
inline NamedMask full() { return {"Full", heed::Full(), 1 << 30, 1 << 30}; }
inline NamedMask causal() { return {"Causal", heed::Causal(), 1 << 30, 0}; }
inline NamedMask window(Index width) { return {"Window", heed::Window(width), width - 1, 0}; }
inline NamedMask strided(Index step) { return {"Strided", heed::Strided(step), step - 1, 0, step}; }
/// Some ahead, too: what none of the named masks sees.
inline NamedMask around() { return {"around", heed::Mask{2, 1}, 2, 1}; }
/// Seen through a ring that remembers so many.
inline NamedMask within(NamedMask m, Index window) {
  return {m.name, m.mask.within(window), std::min(m.back, window - 1), m.ahead, m.stride, std::min(m.far, window - 1)};
}
inline std::vector<NamedMask> masks() { return {full(), causal(), window(1), window(3)}; }
}  // namespace support
