#pragma once
// What the docstrings say, in plain loops and in any number type.
#include <functional>

#include "support/gradients.hpp"

namespace support {

/// A number and its derivative, so that a formula written for any number type gives its exact slope too.
struct Dual {
  long double v = 0, d = 0;
  Dual() = default;
  Dual(long double value, long double slope = 0) : v(value), d(slope) {}
  friend Dual operator+(Dual a, Dual b) { return {a.v + b.v, a.d + b.d}; }
  friend Dual operator-(Dual a, Dual b) { return {a.v - b.v, a.d - b.d}; }
  friend Dual operator*(Dual a, Dual b) { return {a.v * b.v, a.d * b.v + a.v * b.d}; }
  friend Dual operator/(Dual a, Dual b) { return {a.v / b.v, (a.d - a.v / b.v * b.d) / b.v}; }
  friend bool operator<(Dual a, Dual b) { return a.v < b.v; }
  Dual& operator+=(Dual b) { return *this = *this + b; }
};
inline Dual exp(Dual x) { return {std::exp(x.v), std::exp(x.v) * x.d}; }
inline Dual log(Dual x) { return {std::log(x.v), x.d / x.v}; }
inline Dual sqrt(Dual x) { return {std::sqrt(x.v), x.d / (2 * std::sqrt(x.v))}; }
inline Dual tanh(Dual x) { return {std::tanh(x.v), (1 - std::tanh(x.v) * std::tanh(x.v)) * x.d}; }
inline Dual erfc(Dual x) { return {std::erfc(x.v), -1.12837916709551257390L * std::exp(-x.v * x.v) * x.d}; }
inline long double number(long double x) { return x; }
inline long double number(Dual x) { return x.v; }

/// A matrix of any number type, for plain loops.
template <class T>
struct Table {
  Index rows = 0, cols = 0;
  std::vector<T> v;
  Table(Index rows_, Index cols_) : rows(rows_), cols(cols_), v(std::size_t(rows_ * cols_)) {}
  T& operator()(Index i, Index j) { return v[std::size_t(i + j * rows)]; }
  const T& operator()(Index i, Index j) const { return v[std::size_t(i + j * rows)]; }
};
template <class T>
Table<T> operator+(Table<T> a, const Table<T>& b) {
  for (std::size_t i = 0; i < a.v.size(); ++i) a.v[i] += b.v[i];
  return a;
}

/// Weights and inputs of a subject, in another number type.
template <class T>
struct Values {
  std::vector<T> p;
  std::vector<Table<T>> x;

  template <class S>
  explicit Values(const Subject<S>& s) : p(s.p.flat.begin(), s.p.flat.end()) {
    for (const auto& m : s.x) {
      x.emplace_back(m.rows(), m.cols());
      for (Index i = 0; i < m.size(); ++i) x.back().v[std::size_t(i)] = T(m.data()[i]);
    }
  }
  template <class Weight>
  T operator()(const Weight& w, Index i, Index j = 0) const {
    return p[std::size_t(w.offset + i * w.cols + j)];
  }
};

template <class T, class Linear>
Table<T> plain_linear(const Values<T>& values, const Linear& layer, const Table<T>& x) {
  Table<T> y(layer.out(), x.cols);
  for (Index j = 0; j < x.cols; ++j)
    for (Index i = 0; i < y.rows; ++i) {
      if (layer.bias) y(i, j) = values(layer.bias, i);
      for (Index k = 0; k < x.rows; ++k) y(i, j) += values(layer.weight, i, k) * x(k, j);
    }
  return y;
}

template <class T, class LayerNorm>
Table<T> plain_layer_norm(const Values<T>& values, const LayerNorm& layer, const Table<T>& x) {
  using std::sqrt;
  Table<T> y(x.rows, x.cols);
  const T n((long double)x.rows);
  for (Index j = 0; j < x.cols; ++j) {
    T mean(0), variance(0);
    for (Index i = 0; i < x.rows; ++i) mean += x(i, j) / n;
    for (Index i = 0; i < x.rows; ++i) variance += (x(i, j) - mean) * (x(i, j) - mean) / n;
    for (Index i = 0; i < x.rows; ++i)
      y(i, j) = values(layer.weight, i) * (x(i, j) - mean) / sqrt(variance + T(layer.epsilon)) + values(layer.bias, i);
  }
  return y;
}

template <class T>
T plain_nonlinearity(heed::Nonlinearity kind, T x) {
  using std::exp, std::log, std::tanh, std::erfc;
  const T one(1), half(0.5L);
  switch (kind) {
    case heed::Nonlinearity::identity: return x;
    case heed::Nonlinearity::tanh: return tanh(x);
    case heed::Nonlinearity::relu: return T(0) < x ? x : T(0);
    case heed::Nonlinearity::gelu: return x * half * erfc(T(-0.70710678118654752440L) * x);
    case heed::Nonlinearity::gelu_tanh:
      return half * x * (one + tanh(T(0.79788456080286535588L) * (x + T(0.044715L) * x * x * x)));
    case heed::Nonlinearity::silu: return x / (one + exp(T(0) - x));
    case heed::Nonlinearity::sigmoid: return one / (one + exp(T(0) - x));
    case heed::Nonlinearity::softplus: return T(0) < x ? x + log(one + exp(T(0) - x)) : log(one + exp(x));
  }
  return x;
}

/// The softmax of those scores that are seen, zero for the others.
template <class T, class Sees>
std::vector<T> plain_softmax(std::vector<T> scores, Sees sees) {
  T highest = T(-1e30L), all = T(0);
  for (std::size_t i = 0; i < scores.size(); ++i)
    if (sees(Index(i)) && highest < scores[i]) highest = scores[i];
  for (std::size_t i = 0; i < scores.size(); ++i) {
    using std::exp;
    scores[i] = sees(Index(i)) ? exp(scores[i] - highest) : T(0);
    all += scores[i];
  }
  if (T(0) < all)
    for (T& w : scores) w = w / all;
  return scores;
}

/// Attention weights of head h, keys x queries, for queries from column q and keys from column k on.
template <class T>
Table<T> plain_weights(const Table<T>& Q, const Table<T>& K, Index heads, Index h, const NamedMask& mask, Index q,
                       Index queries, Index k, Index keys) {
  const Index e = Q.rows / heads;
  Table<T> all(keys, queries);
  for (Index j = 0; j < queries; ++j) {
    std::vector<T> scores(std::size_t(keys), T(0));
    for (Index i = 0; i < keys; ++i) {
      for (Index r = h * e; r < (h + 1) * e; ++r) scores[std::size_t(i)] += K(r, k + i) * Q(r, q + j);
      scores[std::size_t(i)] = scores[std::size_t(i)] / T(std::sqrt((long double)e));
    }
    scores = plain_softmax(scores, [&](Index i) { return mask.sees(j, i); });
    std::copy(scores.begin(), scores.end(), all.v.begin() + j * keys);
  }
  return all;
}

/// Multi-head attention without its projections.
template <class T>
Table<T> plain_attention(const Table<T>& Q, const Table<T>& K, const Table<T>& V, Index heads, const NamedMask& mask,
                         const Lengths& queries, const Lengths& keys) {
  Table<T> y(V.rows, Q.cols);
  const Index e = V.rows / heads;
  Index q = 0, k = 0;
  for (std::size_t s = 0; s < queries.size(); q += queries[s], k += keys[s], ++s)
    for (Index h = 0; h < heads; ++h) {
      const Table<T> w = plain_weights(Q, K, heads, h, mask, q, queries[s], k, keys[s]);
      for (Index j = 0; j < w.cols; ++j)
        for (Index i = 0; i < w.rows; ++i)
          for (Index r = h * e; r < (h + 1) * e; ++r) y(r, q + j) += w(i, j) * V(r, k + i);
    }
  return y;
}

/// The rows from `first` on.
template <class T>
Table<T> rows_of(const Table<T>& x, Index first, Index rows) {
  Table<T> part(rows, x.cols);
  for (Index j = 0; j < x.cols; ++j)
    for (Index i = 0; i < rows; ++i) part(i, j) = x(first + i, j);
  return part;
}

/// Multi-head self-attention of one axis, with its projections.
template <class T, class Layer>
Table<T> plain_self_attention(const Values<T>& values, const Layer& layer, const NamedMask& mask, const Table<T>& x,
                              const Lengths& lengths) {
  const Table<T> qkv = plain_linear(values, layer.in_proj, x);
  const Index d = layer.dim;
  return plain_linear(values, layer.out_proj,
                      plain_attention(rows_of(qkv, 0, d), rows_of(qkv, d, d), rows_of(qkv, 2 * d, d),
                                      layer.attention.config.heads, mask, lengths, lengths));
}

/// |a - b| / max(|b|, least), in Euclidean norm; NaN where anything is.
template <class A, class B>
double plain_distance(const A* a, const B* b, std::size_t n, double least = 1) {
  long double difference = 0, norm = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const long double exact = number(b[i]);
    difference += (exact - (long double)a[i]) * (exact - (long double)a[i]);
    norm += exact * exact;
  }
  return double(std::sqrt(difference) / std::max(std::sqrt(norm), (long double)least));
}

/// What a layer computes, from its weights and inputs.
template <class T>
using Formula = std::function<Table<T>(const Values<T>&)>;

/// y against a formula in plain loops.
template <class S>
void check_formula(Subject<S>& s, const Formula<long double>& formula) {
  s.forward();
  const Table<long double> y = formula(Values<long double>(s));
  REQUIRE(y.rows == s.y.rows());
  REQUIRE(y.cols == s.y.cols());
  CHECK(plain_distance(s.y.data(), y.v.data(), y.v.size()) <= (std::is_same_v<S, float> ? 1e-5 : 1e-12));
}

/// y and all gradients against the formula and its exact slope, where differences say nothing. Gradients smaller than
/// `least` in norm count as that large.
inline void check_slopes(Subject<double>& s, const Formula<Dual>& formula, double least = 1, double tolerance = 1e-6) {
  s.forward();
  const Tokens<double> dy = random<double>(s.y.rows(), s.y.cols(), 11);
  Parameters<double> g(s.layout);
  s.backward(dy, g);
  Values<Dual> values(s);
  const Table<Dual> y = formula(values);
  CHECK(plain_distance(s.y.data(), y.v.data(), y.v.size()) <= 1e-6);
  const auto slopes = [&](std::vector<Dual>& along, std::size_t first, std::size_t count) {
    std::vector<long double> all(count);
    for (std::size_t i = 0; i < count; ++i) {
      along[first + i].d = 1;
      const Table<Dual> moved = formula(values);
      along[first + i].d = 0;
      for (std::size_t k = 0; k < moved.v.size(); ++k) all[i] += moved.v[k].d * dy.data()[k];
    }
    return all;
  };
  for (const heed::Entry& e : s.layout.entries()) {
    if (!e.use.trained) continue;
    INFO(e.name);
    const auto exact = slopes(values.p, std::size_t(e.offset), std::size_t(e.size()));
    CHECK(plain_distance(g.flat.data() + e.offset, exact.data(), exact.size(), least) <= tolerance);
  }
  for (std::size_t i = 0; i < s.x.size(); ++i) {
    INFO("x" << i);
    const auto exact = slopes(values.x[i].v, 0, values.x[i].v.size());
    CHECK(plain_distance(s.dx[i].data(), exact.data(), exact.size(), least) <= tolerance);
  }
}

/// weights(sequence, head) of one sequence and head, which start at columns q and k, against plain loops; they sum to one over
/// the keys in sight and are zero elsewhere.
template <class S>
void check_weights(const Tokens<S>& w, const Table<long double>& exact, const NamedMask& mask) {
  REQUIRE(w.rows() == exact.rows);
  REQUIRE(w.cols() == exact.cols);
  CHECK(plain_distance(w.data(), exact.v.data(), exact.v.size()) <= (std::is_same_v<S, float> ? 1e-5 : 1e-12));
  for (Index j = 0; j < w.cols(); ++j) {
    double all = 0;
    bool any = false;
    for (Index i = 0; i < w.rows(); ++i) {
      const bool sees = mask.sees(j, i);
      any = any || sees;
      all += double(w(i, j));
      if (!sees) CHECK(w(i, j) == 0);
    }
    CHECK(std::abs(all - (any ? 1 : 0)) <= (std::is_same_v<S, float> ? 1e-5 : 1e-12));
  }
}
}  // namespace support
