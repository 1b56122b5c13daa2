#pragma once
#include "heed/core/parameters.hpp"

namespace heed {

/// Weights that lie in the program itself, as `to_header` writes them. Those of another network are an error.
template <class S, std::size_t n>
ParametersView<const S> static_parameters(const LayoutSizes& layout, const S (&values)[n], std::uint64_t fingerprint) {
  if (Index(n) != layout.parameters())
    detail::fail("static_parameters: %ld numbers, but the network has %ld", long(n), long(layout.parameters()));
  if (fingerprint != layout.fingerprint())
    detail::fail("static_parameters: the weights have other names or shapes than those of the network");
  return ParametersView<const S>(values);
}

}  // namespace heed
