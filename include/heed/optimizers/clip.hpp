#pragma once
#include <algorithm>
#include <cmath>

#include "heed/core/tokens.hpp"

namespace heed {

/// Scales the flat vector g so that its Euclidean norm is at most max_norm, and returns the norm it had, as PyTorch's
/// clip_grad_norm_ (Pascanu et al. 2013, algorithm 1):
///
///   g *= min(1, max_norm / (|g| + 1e-6))
///
/// A norm that is not finite, and a max_norm that is negative or NaN, is an error, and g is left as it was.
template <class G>
requires detail::Writable<G>
auto clip_norm(G&& g, double max_norm) -> typename detail::Plain<G>::Scalar {
  using S = typename detail::Plain<G>::Scalar;
  if (!(max_norm >= 0)) [[unlikely]]
    detail::fail("clip_norm: max_norm %g must not be negative", max_norm);
  S norm = g.norm();
  if (!std::isfinite(norm)) [[unlikely]] {
    norm = 0;  // perhaps it was only the squares; stableNorm is long to compile
    for (Index i = 0; i < g.size(); ++i) norm = std::hypot(norm, g(i));
  }
  if (!std::isfinite(norm)) [[unlikely]]
    detail::fail("clip_norm: the gradient's norm is %g", double(norm));
  const double scale = max_norm / (double(norm) + 1e-6);
  if (scale < 1) g *= S(scale);
  return norm;
}

}  // namespace heed
