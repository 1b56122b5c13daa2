#pragma once
// Masks, and what they mean said in another way.
#include "support/basics.hpp"

namespace support {

/// A mask, and what it means said in another way.
struct NamedMask {
  const char* name;
  heed::Mask mask;
  Index back, ahead;
  bool sees(Index query, Index key) const { return key >= query - back && key <= query + ahead; }
};
inline NamedMask full() { return {"Full", heed::Full(), 1 << 30, 1 << 30}; }
inline NamedMask causal() { return {"Causal", heed::Causal(), 1 << 30, 0}; }
inline NamedMask window(Index width) { return {"Window", heed::Window(width), width - 1, 0}; }
inline std::vector<NamedMask> masks() { return {full(), causal(), window(1), window(3)}; }
}  // namespace support
