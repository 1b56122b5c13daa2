#pragma once
// Lee et al. 2019 in plain loops.
#include "../support.hpp"

namespace support {

/// max(W x + b, 0)
template <class T, class Linear>
Table<T> plain_feed(const Values<T>& values, const Linear& linear, const Table<T>& x) {
  Table<T> y = plain_linear(values, linear, x);
  for (T& number : y.v) number = plain_nonlinearity(heed::Nonlinearity::relu, number);
  return y;
}

/// MAB(X, Y), eq. 6-7.
template <class T, class Block>
Table<T> plain_set_attention(const Values<T>& values, const Block& block, const Table<T>& x, const Table<T>& source,
                             const Lengths& queries, const Lengths& keys) {
  const auto& layer = block.attention;
  const Table<T> mixed =
      plain_attention(plain_linear(values, layer.q_proj, x), plain_linear(values, layer.k_proj, source),
                      plain_linear(values, layer.v_proj, source), layer.attention.config.heads, full(), queries, keys);
  const Table<T> h = plain_layer_norm(values, block.norm1, x + plain_linear(values, layer.out_proj, mixed));
  return plain_layer_norm(values, block.norm2, h + plain_feed(values, block.linear, h));
}

/// The rows of a weight as columns, once for each of `sets`.
template <class T, class Weight>
Table<T> plain_queries(const Values<T>& values, const Weight& weight, std::size_t sets) {
  Table<T> q(weight.cols, weight.rows * Index(sets));
  for (Index j = 0; j < q.cols; ++j)
    for (Index i = 0; i < q.rows; ++i) q(i, j) = values(weight, j % weight.rows, i);
  return q;
}

/// The columns of x in another order: each sequence backwards.
template <class S>
Tokens<S> backwards(const Tokens<S>& x, const Lengths& lengths) {
  Tokens<S> y = x;
  Index first = 0;
  for (const Index n : lengths) {
    for (Index i = 0; i < n; ++i) y.col(first + i) = x.col(first + n - 1 - i);
    first += n;
  }
  return y;
}
}  // namespace support
