#pragma once
#include "heed/core/masks.hpp"
#include "heed/core/scope.hpp"
#include "heed/detail/segments.hpp"
#include "heed/layers/positions.hpp"

namespace heed {

/// What scaled dot-product attention may be told. Only `dim` must be said.
struct AttentionConfig {
  Index dim = 0;            ///< heads E: the queries' features
  Index value_dim = 0;      ///< heads V: the answers' features; 0: dim
  Index heads = 1;          ///< of the queries
  Index key_heads = 0;      ///< of keys and values, each for as many heads of the queries (1: multi-query); 0: heads
  Mask mask = Full();       ///< what a query sees
  Position position = {};   ///< rotary(), alibi(), relative(), distance(...)
  bool normalise = false;   ///< unit queries and keys, times a learned "scale" (Henry et al. 2020)
  Index memory_tokens = 0;  ///< learned keys and values that every query sees (Sukhbaatar et al. 2019; bias_k, bias_v);
                            ///< rotary() takes them to be at position 0, the other positions leave them alone
  bool sink = false;        ///< and a key and value of zero (PyTorch's add_zero_attn)
  double dropout = 0;       ///< of weights, in training
  bool remembers = true;    ///< false: never extended, so that keys and values need no place in memory
  bool bias = true;         ///< of the projections of a multi-head layer
  bool queries_last = false;  ///< the queries stand at the last positions of the keys, not at the first
};

namespace detail {

/// With what was left out filled in. What cannot be is an error.
inline AttentionConfig completed(AttentionConfig c, const Scope& at, Axis key_axis) {
  const char* who = "DotProductAttention";
  if (c.value_dim == 0) c.value_dim = c.dim;
  if (c.key_heads == 0) c.key_heads = c.heads;
  if (c.heads < 1 || c.dim < 1 || c.dim % c.heads != 0 || c.value_dim < 1 || c.value_dim % c.heads != 0)
    fail("%s: dim %ld and value dim %ld must be multiples of heads %ld", who, long(c.dim), long(c.value_dim),
         long(c.heads));
  if (c.key_heads < 1 || c.heads % c.key_heads != 0)
    fail("%s: heads %ld is not a multiple of key heads %ld", who, long(c.heads), long(c.key_heads));
  if (c.mask.stride < 0 || c.mask.far < 0)
    fail("%s: a mask of stride %ld that goes %ld back", who, long(c.mask.stride), long(c.mask.far));
  if (c.memory_tokens < 0) fail("%s: %ld memory tokens", who, long(c.memory_tokens));
  expect_within(who, "dropout", c.dropout, 0, 1);
  using enum Position::Kind;
  const Position& where = c.position;
  if (where.kind == rotary && c.dim / c.heads % 2 != 0)
    fail("%s: rotary positions need heads of an even size, but it is %ld", who, long(c.dim / c.heads));
  if (where.kind == rotary && !(where.base > 0)) fail("%s: rotary base %g must be positive", who, where.base);
  if (where.kind == relative && c.key_heads != c.heads)
    fail("%s: relative positions need as many key heads as heads, but there are %ld and %ld", who, long(c.key_heads),
         long(c.heads));
  if (where.kind == distance) {
    const auto &q = where.query_place, &k = where.key_place;
    if (!q || !k || !(q.axis == at.axis()) || !(k.axis == key_axis) || q.rows != k.rows)
      fail(
          "%s: the places of queries and keys have %ld and %ld rows along axes %d and %d, but must have as "
          "many, along axes %d and %d",
          who, long(q.rows), long(k.rows), q.axis.id, k.axis.id, at.axis().id, key_axis.id);
  }
  if (at.along(key_axis).nested()) c.remembers = false;
  return c;
}

}  // namespace detail

}  // namespace heed
