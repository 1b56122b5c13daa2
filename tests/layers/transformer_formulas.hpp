#pragma once
// Parts of transformers in plain loops.
#include "../support.hpp"

namespace support {

/// What a block may be told.
struct BlockKind {
  NamedMask mask;
  bool norm_first;
  heed::Nonlinearity activation;
};
inline std::vector<BlockKind> block_kinds() {
  std::vector<BlockKind> all;
  for (const NamedMask& mask : masks())
    for (const bool norm_first : {true, false}) all.push_back({mask, norm_first, heed::Nonlinearity::gelu});
  for (const bool norm_first : {true, false}) all.push_back({causal(), norm_first, heed::Nonlinearity::relu});
  return all;
}

template <class T, class Layer>
Table<T> plain_feed_forward(const Values<T>& values, const Layer& layer, heed::Nonlinearity f, const Table<T>& x) {
  Table<T> inner = plain_linear(values, layer.linear1, x);
  for (T& v : inner.v) v = plain_nonlinearity(f, v);
  return plain_linear(values, layer.linear2, inner);
}

template <class T, class Norm, class F>
Table<T> plain_residual(const Values<T>& values, const Norm& norm, bool norm_first, const Table<T>& x, F f) {
  return norm_first ? x + f(plain_layer_norm(values, norm, x)) : plain_layer_norm(values, norm, x + f(x));
}

template <class T, class Block>
Table<T> plain_block(const Values<T>& values, const Block& block, const BlockKind& kind, const Table<T>& x,
                     const Lengths& lengths) {
  const Table<T> h = plain_residual(values, block.norm1, kind.norm_first, x, [&](const Table<T>& from) {
    return plain_self_attention(values, block.attention, kind.mask, from, lengths);
  });
  return plain_residual(values, block.norm2, kind.norm_first, h, [&](const Table<T>& from) {
    return plain_feed_forward(values, block.feed_forward, kind.activation, from);
  });
}

template <class T, class Layer>
Table<T> plain_cross_attention(const Values<T>& values, const Layer& layer, const NamedMask& mask, const Table<T>& x,
                               const Table<T>& source, const Lengths& lengths, const Lengths& source_lengths) {
  const Table<T> mixed = plain_attention(
      plain_linear(values, layer.q_proj, x), plain_linear(values, layer.k_proj, source),
      plain_linear(values, layer.v_proj, source), layer.attention.config.heads, mask, lengths, source_lengths);
  return plain_linear(values, layer.out_proj, mixed);
}

template <class T, class Block>
Table<T> plain_decoder_block(const Values<T>& values, const Block& block, const BlockKind& kind,
                             const NamedMask& source_mask, const Table<T>& x, const Table<T>& source,
                             const Lengths& lengths, const Lengths& source_lengths) {
  const Table<T> h1 = plain_residual(values, block.norm1, kind.norm_first, x, [&](const Table<T>& from) {
    return plain_self_attention(values, block.attention, kind.mask, from, lengths);
  });
  const Table<T> h2 = plain_residual(values, block.norm2, kind.norm_first, h1, [&](const Table<T>& from) {
    return plain_cross_attention(values, block.cross_attention, source_mask, from, source, lengths, source_lengths);
  });
  return plain_residual(values, block.norm3, kind.norm_first, h2, [&](const Table<T>& from) {
    return plain_feed_forward(values, block.feed_forward, kind.activation, from);
  });
}

/// The blocks of a stack one after the other by f(block, x), and its norm.
template <class T, class Stack, class F>
Table<T> plain_stack(const Values<T>& values, const Stack& stack, Table<T> x, F f) {
  for (const auto& block : stack.blocks) x = f(block, x);
  return stack.norm ? plain_layer_norm(values, *stack.norm, x) : x;
}

template <class T, class Gate>
Table<T> plain_gate(const Values<T>& values, const Gate& gate, const Table<T>& x, const Table<T>& y) {
  using std::tanh;
  const Index dim = x.rows;
  const auto row = [&](const auto& w, Index i, const Table<T>& of, Index j) {
    T sum(0);
    for (Index k = 0; k < dim; ++k) sum += values(w, i, k) * of(k, j);
    return sum;
  };
  Table<T> z(dim, x.cols), reset(dim, x.cols), out(dim, x.cols);
  for (Index j = 0; j < x.cols; ++j) {
    for (Index i = 0; i < dim; ++i) {
      const auto gated = [&](Index which, T bias) {
        const Index at = which * dim + i;
        return plain_nonlinearity(heed::Nonlinearity::sigmoid,
                                  row(gate.weight_ih, at, y, j) + row(gate.weight_hh, at, x, j) - bias);
      };
      reset(i, j) = gated(0, T(0)) * x(i, j);
      z(i, j) = gated(1, values(gate.gate_bias, i));
    }
    for (Index i = 0; i < dim; ++i) {
      const Index at = 2 * dim + i;
      const T h = tanh(row(gate.weight_ih, at, y, j) + row(gate.weight_hh, at, reset, j));
      out(i, j) = (T(1) - z(i, j)) * x(i, j) + z(i, j) * h;
    }
  }
  return out;
}

}  // namespace support
