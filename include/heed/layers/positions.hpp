#pragma once
#include "heed/core/handles.hpp"

namespace heed {

/// How attention knows where its tokens are: a rotation of queries and keys, or a bias added to the scores. What is added to
/// the tokens themselves (sinusoidal, learned) is a layer of its own. Made by the functions below.
struct Position {
  /// Of what kind.
  enum class Kind { none, rotary, alibi, relative, distance };
  Kind kind = Kind::none;                ///< which
  bool interleaved = false;              ///< rotary
  double base = 10000;                   ///< rotary
  Columns<> query_place{}, key_place{};  ///< distance
};

/// Rotary position embedding (Su et al. 2021, eq. 34): pair i of each query and key is turned by its position times
/// base^(-2 i / E), so that scores know the difference of positions alone. The pairs of a head of E features are i and
/// i + E / 2 or, interleaved, 2 i and 2 i + 1. E must be even. Angles are computed in double.
inline Position rotary(bool interleaved = false, double base = 10000) {
  return {.kind = Position::Kind::rotary, .interleaved = interleaved, .base = base};
}

/// Attention with linear biases (Press et al. 2022, sec. 3): head h of H adds -2^(-8 (h + 1) / H) |distance| to its scores.
inline Position alibi() { return {.kind = Position::Kind::alibi}; }

/// Relative positions of Transformer-XL (Dai et al. 2019, eq. 5):  (q'k + q'W r + u'k + v'W r) / sqrt(E)
///
///   r: sinusoidal encoding of the query's position less the key's    W ("pos_proj.weight"): D x D
///   u ("pos_bias_u"), v ("pos_bias_v"): D, zero at first
inline Position relative() { return {.kind = Position::Kind::relative}; }

/// A bias by distance in space: head h adds -w_h |r_query - r_key| to its scores, with places r read from activations.
///
///   query_place, key_place: coordinates, of the same number, along the queries' and the keys' axis; their gradients are
///   added to a.d(query_place) and a.d(key_place)    w ("distance_slope"): heads, at first the slopes of ALiBi
inline Position distance(Columns<> query_place, Columns<> key_place) {
  return {.kind = Position::Kind::distance, .query_place = query_place, .key_place = key_place};
}

}  // namespace heed
