#pragma once
#include "heed/core/activations.hpp"
#include "heed/core/memory.hpp"
#include "heed/core/parameters.hpp"
#include "heed/core/scope.hpp"

namespace heed::detail {

// What comes between the projections of a multi-head layer: any type with the functions of DotProductAttention, of which those
// without weights of their own take no p and no g.

/// Features of queries, keys and values, from the Config of an attention, and whether what projects them has a bias.
struct HeadWidths {
  Index queries, keys, values, answers;
  bool bias = true;

  template <class Config>
  HeadWidths(const char* who, const Config& c) {
    const Index heads = c.heads, value_dim = c.value_dim == 0 ? c.dim : c.value_dim;
    Index key_heads = heads;
    if constexpr (requires { c.key_heads; }) key_heads = c.key_heads == 0 ? heads : c.key_heads;
    if constexpr (requires { c.bias; }) bias = c.bias;
    if (heads < 1 || c.dim < 1 || c.dim % heads != 0)
      fail("%s: dim %ld is not a multiple of heads %ld", who, long(c.dim), long(heads));
    if (value_dim < 1 || value_dim % heads != 0)
      fail("%s: value dim %ld is not a multiple of heads %ld", who, long(value_dim), long(heads));
    queries = c.dim;
    keys = c.dim / heads * key_heads;
    values = value_dim / heads * key_heads;
    answers = value_dim;
  }
  Index packed() const { return queries + keys + values; }
  Weight<Dynamic, 1> packed_bias(Scope at) const {
    return bias ? at.weight<Dynamic>("in_proj_bias", {packed()}, zero()) : Weight<Dynamic, 1>();
  }
};

// Views come by reference: one that was written word by word and is copied whole a moment later must wait for it.

template <class S, class A>
void inner_forward(const A& attention, ParametersView<const S> p, Read<S> q, Read<S> k, Read<S> v, Write<S> y,
                   const ActivationsView<S>& a) {
  if constexpr (requires { attention.forward(p, q, k, v, y, a); })
    attention.forward(p, q, k, v, y, a);
  else
    attention.forward(q, k, v, y, a);
}
template <class S, class A>
void inner_backward(const A& attention, ParametersView<const S> p, Read<S> q, Read<S> k, Read<S> v, Read<S> y,
                    Read<S> dy, const ActivationsView<S>& a, ParametersView<S> g, Gradient<S> dq, Gradient<S> dk,
                    Gradient<S> dv) {
  if constexpr (requires { attention.backward(p, q, k, v, y, dy, a, g, dq, dk, dv); })
    attention.backward(p, q, k, v, y, dy, a, g, dq, dk, dv);
  else
    attention.backward(q, k, v, y, dy, a, dq, dk, dv);
}
template <class S, class A>
void inner_extend(const A& attention, ParametersView<const S> p, Read<S> q, Read<S> k, Read<S> v, Write<S> y,
                  const MemoryView<S>& m, const ActivationsView<S>& a) {
  if constexpr (requires { attention.extend(p, q, k, v, y, m, a); })
    attention.extend(p, q, k, v, y, m, a);
  else
    attention.extend(q, k, v, y, m, a);
}
template <class S, class A>
void inner_weights(const A& attention, ParametersView<const S> p, Read<S> q, Read<S> k, const ActivationsView<S>& a,
                   Index sequence, Index head, Write<S> w) {
  if constexpr (requires { attention.weights(p, q, k, a, sequence, head, w); })
    attention.weights(p, q, k, a, sequence, head, w);
  else
    attention.weights(q, k, a, sequence, head, w);
}
template <class A>
Index inner_heads(const A& attention) {
  if constexpr (requires { attention.config.heads; })
    return attention.config.heads;
  else if constexpr (requires { attention.heads; })
    return attention.heads;
  else
    return attention.attention.heads;
}

}  // namespace heed::detail
