#pragma once
// What the tests of layers share: a Subject is a layer with all that surrounds it, so that one check serves every layer.
#include <cmath>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

#include "catch.hpp"
#include "heed/core/memory.hpp"
#include "heed/core/scope.hpp"
#include "heed/layers/activation.hpp"
#include "heed/layers/masks.hpp"
#include "heed/testing/gradient_check.hpp"

namespace support {

using heed::Axis, heed::Dynamic, heed::Index, heed::Parameters, heed::Scope, heed::Tokens;
using Lengths = std::vector<Index>;

inline Index sum(const Lengths& lengths) {
  Index all = 0;
  for (Index n : lengths) all += n;
  return all;
}

/// Uniform in +-size.
template <class S>
Tokens<S> random(Index rows, Index cols, std::uint64_t seed, double size = 1) {
  heed::Random random(seed);
  Tokens<S> x(rows, cols);
  for (Index i = 0; i < x.size(); ++i) x.data()[i] = S(random.uniform(-size, size));
  return x;
}

/// Numbers of +-size, nothing between.
template <class S>
Tokens<S> saturated(Index rows, Index cols, std::uint64_t seed, double size = 1e4) {
  return random<S>(rows, cols, seed).unaryExpr([size](S x) { return x < 0 ? S(-size) : S(size); });
}

template <class A, class B>
bool same_bits(const A& a, const B& b) {
  static_assert(std::is_same_v<typename A::Scalar, typename B::Scalar>);
  if (a.rows() != b.rows() || a.cols() != b.cols()) return false;
  for (Index j = 0; j < a.cols(); ++j)
    for (Index i = 0; i < a.rows(); ++i) {
      const auto x = a(i, j), y = b(i, j);
      if (std::memcmp(&x, &y, sizeof x) != 0) return false;
    }
  return true;
}

/// |a - b| / max(1, |b|), in Euclidean norm.
template <class A, class B>
double distance(const A& a, const B& b) {
  REQUIRE(a.rows() == b.rows());
  REQUIRE(a.cols() == b.cols());
  const Tokens<double> x = a.template cast<double>(), y = b.template cast<double>();
  return (x - y).norm() / std::max(1.0, y.norm());
}

// ---------------------------------------------------------------------------------------------------------- masks

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

// -------------------------------------------------------------------------------------------------------- subjects

enum class Put { over, add, skip };

/// The place of a layer, its weights, its inputs and its output.
template <class S>
struct Subject {
  heed::Layout layout;
  Axis time, source;
  Parameters<S> p;
  heed::Activations<S> a;
  std::vector<Axis> axes;  // of the inputs
  Lengths rows;            // of the inputs
  Index out;               // rows of y, which lies along time
  std::vector<Tokens<S>> x, dx;
  Tokens<S> y;
  Lengths time_lengths, source_lengths;

  /// For a layer that pools, the source is a child of time.
  Subject(Lengths rows_, Index out_, bool pools = false)
      : time(layout.axis()),
        source(pools ? layout.axis(time) : layout.axis()),
        p(layout),
        a(layout),
        axes(rows_.size(), pools ? source : time),
        rows(std::move(rows_)),
        out(out_),
        x(rows.size()),
        dx(rows.size()) {}
  Subject(const Subject&) = delete;
  virtual ~Subject() = default;

  virtual void forward() = 0;
  virtual void extend(heed::MemoryView<S> m) = 0;
  virtual void run_backward(const Tokens<S>& dy, Parameters<S>& g, std::vector<heed::Gradient<S>>& to) = 0;
  void backward(const Tokens<S>& dy, Parameters<S>& g, Put how = Put::over) {
    std::vector<heed::Gradient<S>> to;
    for (Tokens<S>& d : dx)
      if (how == Put::over)
        to.emplace_back(d);
      else if (how == Put::add)
        to.emplace_back(heed::add_to(d));
      else
        to.emplace_back(heed::no_gradient);
    run_backward(dy, g, to);
  }

  Scope at() { return Scope(layout, time); }
  Index columns(std::size_t input) { return a.columns(axes[input]); }

  /// Begins a batch, with random inputs.
  void begin(const Lengths& of_time, const Lengths& of_source = {}, std::uint64_t seed = 7) {
    time_lengths = of_time;
    source_lengths = of_source;
    const auto begin = [this](Axis axis, const Lengths& lengths) {
      a.begin(axis, Index(lengths.size()), [&](Index i) { return lengths[std::size_t(i)]; });
    };
    begin(time, of_time);
    if (!of_source.empty()) begin(source, of_source);
    for (std::size_t i = 0; i < x.size(); ++i) {
      x[i] = random<S>(rows[i], columns(i), seed + i);
      dx[i].setConstant(rows[i], columns(i), S(-3));
    }
    y.setConstant(out, a.columns(time), S(-3));
  }
};

/// A Subject with a layer of one, two or three inputs. This is the one place that knows how layers are called.
template <class S, class Layer, int Inputs = 1>
struct Rig : Subject<S> {
  using Base = Subject<S>;
  using Base::p, Base::a, Base::x, Base::y, Base::layout;
  Layer layer;

  template <class Make>
  Rig(Lengths rows_, Index out_, Make make, std::vector<Axis> axes_ = {}, bool pools = false)
      : Base(std::move(rows_), out_, pools), layer(make(static_cast<Base&>(*this))) {
    if (!axes_.empty()) this->axes = axes_;
    p = Parameters<S>(layout);
    p.flat = random<S>(layout.parameters(), 1, 5, 0.7);
    a = heed::Activations<S>(layout);
  }

  void forward() override {
    const Layer& l = layer;
    if constexpr (Inputs == 1) {
      if constexpr (requires { l.forward(p, x[0], y, a); })
        l.forward(p, x[0], y, a);
      else if constexpr (requires { l.forward(p, x[0], y); })
        l.forward(p, x[0], y);
      else if constexpr (requires { l.forward(x[0], y, a); })
        l.forward(x[0], y, a);
      else
        l.forward(x[0], y);
    } else if constexpr (Inputs == 2) {
      l.forward(p, x[0], x[1], y, a);
    } else {
      if constexpr (requires { l.forward(p, x[0], x[1], x[2], y, a); })
        l.forward(p, x[0], x[1], x[2], y, a);
      else
        l.forward(x[0], x[1], x[2], y, a);
    }
  }
  void extend([[maybe_unused]] heed::MemoryView<S> m) override {
    const Layer& l = layer;
    if constexpr (Inputs == 1) {
      if constexpr (requires { l.extend(p, x[0], y, m, a); })
        l.extend(p, x[0], y, m, a);
      else if constexpr (requires { l.extend(x[0], y, m, a); })
        l.extend(x[0], y, m, a);
    } else if constexpr (Inputs == 2) {
      l.extend(p, x[0], x[1], y, m, a);
    } else {
      if constexpr (requires { l.extend(p, x[0], x[1], x[2], y, m, a); })
        l.extend(p, x[0], x[1], x[2], y, m, a);
      else
        l.extend(x[0], x[1], x[2], y, m, a);
    }
  }

  void run_backward(const Tokens<S>& dy, [[maybe_unused]] Parameters<S>& g,
                    std::vector<heed::Gradient<S>>& to) override {
    const Layer& l = layer;
    if constexpr (Inputs == 1) {
      if constexpr (requires { l.backward(p, x[0], dy, a, g, to[0]); })
        l.backward(p, x[0], dy, a, g, to[0]);
      else if constexpr (requires { l.backward(p, x[0], dy, g, to[0]); })
        l.backward(p, x[0], dy, g, to[0]);
      else if constexpr (requires { l.backward(x[0], dy, a, to[0]); })
        l.backward(x[0], dy, a, to[0]);
      else if constexpr (requires { l.backward(x[0], y, dy, to[0]); })
        l.backward(x[0], y, dy, to[0]);
      else
        l.backward(dy, to[0]);
    } else if constexpr (Inputs == 2) {
      l.backward(p, x[0], x[1], y, dy, a, g, to[0], to[1]);
    } else {
      if constexpr (requires { l.backward(p, x[0], x[1], x[2], dy, a, g, to[0], to[1], to[2]); })
        l.backward(p, x[0], x[1], x[2], dy, a, g, to[0], to[1], to[2]);
      else
        l.backward(x[0], x[1], x[2], y, dy, a, to[0], to[1], to[2]);
    }
  }
};

// -------------------------------------------------------------------------------------------------------- gradients

/// Every gradient against central differences.
inline void check_gradients(Subject<double>& s) {
  using heed::testing::gradient_check;
  const auto forward = [&]() -> const Tokens<double>& {
    s.forward();
    return s.y;
  };
  const auto backward = [&](const Tokens<double>& dy, Parameters<double>& g) { s.backward(dy, g); };
  const auto input = [&](std::size_t i) { return heed::testing::Input{std::string(1, char('0' + i)), s.x[i], s.dx[i]}; };
  const auto report = s.x.size() == 1 ? gradient_check(s.layout, s.p, {input(0)}, forward, backward)
                      : s.x.size() == 2
                          ? gradient_check(s.layout, s.p, {input(0), input(1)}, forward, backward)
                          : gradient_check(s.layout, s.p, {input(0), input(1), input(2)}, forward, backward);
  REQUIRE(report.rows.size() == s.layout.entries().size() + s.x.size());
  for (const auto& row : report.rows) {
    INFO(row.name);
    CHECK(row.error <= 1e-6);
  }
}

/// dx is overwritten, added to or left out as asked, and the weights' gradients are added to g.
inline void check_targets(Subject<double>& s) {
  const Tokens<double> dy = random<double>(s.y.rows(), s.y.cols(), 11);
  s.forward();
  Parameters<double> once(s.layout);
  s.backward(dy, once);
  const auto plain = s.dx;
  for (const Put how : {Put::over, Put::add, Put::skip}) {
    Parameters<double> g(s.layout);
    g.flat.setConstant(2);
    for (auto& d : s.dx) d.setConstant(5);
    s.backward(dy, g, how);
    CHECK(distance(g.flat, (once.flat.array() + 2).matrix()) <= 1e-12);
    for (std::size_t i = 0; i < s.dx.size(); ++i) {
      if (how == Put::over) CHECK(same_bits(s.dx[i], plain[i]));
      if (how == Put::add) CHECK(distance(s.dx[i], (plain[i].array() + 5).matrix()) <= 1e-12);
      if (how == Put::skip) CHECK((s.dx[i].array() == 5).all());
    }
  }
}

/// Two subjects that should compute the same: the fixed size and the dynamic one.
inline void check_same(Subject<double>& s, Subject<double>& t) {
  REQUIRE(s.p.flat.size() == t.p.flat.size());
  const Tokens<double> dy = random<double>(s.y.rows(), s.y.cols(), 11);
  Parameters<double> gs(s.layout), gt(t.layout);
  s.forward(), t.forward();
  s.backward(dy, gs), t.backward(dy, gt);
  CHECK(distance(s.y, t.y) <= 1e-13);
  CHECK(distance(gs.flat, gt.flat) <= 1e-13);
  for (std::size_t i = 0; i < s.dx.size(); ++i) CHECK(distance(s.dx[i], t.dx[i]) <= 1e-13);
}

// ---------------------------------------------------------------------------------------------------- direct formulas

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
                                      layer.attention.heads, mask, lengths, lengths));
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

/// y against a formula in plain loops: formula(Values<T>) -> Table<T>.
template <class S, class Formula>
void check_formula(Subject<S>& s, Formula formula) {
  s.forward();
  const Table<long double> y = formula(Values<long double>(s));
  REQUIRE(y.rows == s.y.rows());
  REQUIRE(y.cols == s.y.cols());
  CHECK(plain_distance(s.y.data(), y.v.data(), y.v.size()) <= (std::is_same_v<S, float> ? 1e-5 : 1e-12));
}

/// y and all gradients against the formula and its exact slope, where differences say nothing. Gradients smaller than
/// `least` in norm count as that large.
template <class Formula>
void check_slopes(Subject<double>& s, Formula formula, double least = 1, double tolerance = 1e-6) {
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

// --------------------------------------------------------------------------------------------------------- no leaks

/// Changes one input column after the other: what sees it changes, and everything else keeps its bits. A query always
/// sees its own input; a key is seen as the mask says. Where there is one input, it is both.
template <class S>
void check_sight(Subject<S>& s, const NamedMask& mask) {
  s.forward();
  const Tokens<S> before = s.y;
  for (std::size_t input = 0; input < s.x.size(); ++input) {
    const bool is_key = s.x.size() == 1 || input > 0;
    const Lengths& lengths = s.axes[input] == s.time ? s.time_lengths : s.source_lengths;
    Index column = 0;
    for (std::size_t changed = 0; changed < lengths.size(); ++changed)
      for (Index t = 0; t < lengths[changed]; ++t, ++column) {
        const Tokens<S> kept = s.x[input];
        s.x[input].col(column).array() += S(0.25) + s.x[input].col(column).array().square();
        s.forward();
        s.x[input] = kept;
        Index u = 0;
        for (std::size_t other = 0; other < s.time_lengths.size(); ++other)
          for (Index i = 0; i < s.time_lengths[other]; ++i, ++u) {
            const bool sees = other == changed && (is_key ? mask.sees(i, t) : i == t);
            const bool same = same_bits(s.y.col(u), before.col(u));
            INFO("input " << input << ", sequence " << changed << " token " << t << " seen from " << other << " " << i);
            if (!sees) CHECK(same);
            if (sees && s.x.size() == 1)
              CHECK(!same);  // one of several inputs may not matter: of a lone key only the value
          }
      }
  }
}

// ----------------------------------------------------------------------------------------------------- step by step

/// Lanes that are extended piece by piece, each piece compared with `whole`'s forward over all that the lane has seen.
template <class S>
class Lanes {
 public:
  Lanes(Subject<S>& stepping, Subject<S>& whole, Index lanes, heed::Capacity capacity)
      : stepping_(stepping),
        whole_(whole),
        memory_(stepping.layout, lanes, capacity),
        past_(stepping.x.size(), std::vector<Tokens<S>>(std::size_t(lanes))) {
    for (std::size_t i = 0; i < past_.size(); ++i)
      for (auto& lane : past_[i]) lane.resize(stepping.rows[i], 0);
  }
  Lanes(Subject<S>& s, Index lanes, heed::Capacity capacity) : Lanes(s, s, lanes, capacity) {}

  Index lanes() const { return memory_.lanes(); }

  /// Extends each lane by so many columns along time and source; those not in `keep` do not advance.
  void step(const Lengths& time, const Lengths& source, const std::vector<bool>& keep = {}) {
    auto all = past_;
    stepping_.begin(time, source, ++seed_ * 100);
    each_piece(stepping_, time, source, [&](std::size_t input, std::size_t lane, Index first, Index n) {
      Tokens<S>& to = all[input][lane];
      to.conservativeResize(Eigen::NoChange, to.cols() + n);
      to.rightCols(n) = stepping_.x[input].middleCols(first, n);
    });
    stepping_.extend(memory_);
    const Tokens<S> once = stepping_.y;
    stepping_.extend(memory_);
    CHECK(same_bits(once, stepping_.y));

    Lengths whole_time = seen_time_, whole_source = source.empty() ? source : seen_source_;
    for (std::size_t lane = 0; lane < time.size(); ++lane) {
      whole_time[lane] += time[lane];
      if (!source.empty()) whole_source[lane] += source[lane];
    }
    whole_.begin(whole_time, whole_source);
    each_piece(whole_, whole_time, whole_source, [&](std::size_t input, std::size_t lane, Index first, Index n) {
      whole_.x[input].middleCols(first, n) = all[input][lane];
    });
    whole_.forward();
    Index first = 0, end = 0;
    for (std::size_t lane = 0; lane < time.size(); ++lane) {
      end += whole_time[lane];
      INFO("lane " << lane << " after " << seen_time_[lane] << " by " << time[lane]);
      CHECK(distance(once.middleCols(first, time[lane]), whole_.y.middleCols(end - time[lane], time[lane])) <= 1e-12);
      first += time[lane];
    }

    for (std::size_t lane = 0; lane < time.size(); ++lane)
      if (keep.empty() || keep[lane]) {
        memory_.advance(Index(lane));
        for (std::size_t i = 0; i < past_.size(); ++i) past_[i][lane] = all[i][lane];
        seen_time_[lane] = whole_time[lane];
        if (!source.empty()) seen_source_[lane] = whole_source[lane];
      }
  }
  void forget(std::size_t lane) {
    memory_.forget(Index(lane));
    for (auto& of_input : past_) of_input[lane].resize(Eigen::NoChange, 0);
    seen_time_[lane] = seen_source_[lane] = 0;
  }

  /// Rounds in which lanes advance by up to `most` columns, wait, forget, or do not advance. The first lane starts late, and
  /// its longest history is `limit`, at which it forgets.
  void wander(int rounds, Index most, Index limit, bool source_grows, bool has_source) {
    heed::Random random(3);
    const std::size_t n = std::size_t(lanes());
    for (int round = 0; round < rounds; ++round) {
      Lengths time(n), source(has_source ? n : 0);
      std::vector<bool> keep(n);
      for (std::size_t lane = 0; lane < n; ++lane) {
        if (random.uniform() < 0.05) forget(lane);
        const bool late = lane == 0 && round < 3;
        time[lane] = late || random.uniform() < 0.2 ? 0 : random.below(most + 1);
        const bool first = has_source && seen_source_[lane] == 0;
        if (first && !late) source[lane] = 1 + random.below(most);
        if (has_source && !first && source_grows) source[lane] = random.below(most + 1);
        if (seen_time_[lane] + time[lane] > limit || (has_source && seen_source_[lane] + source[lane] > limit)) {
          forget(lane);
          time[lane] = 1;
          if (has_source) source[lane] = 1;
        }
        keep[lane] = random.uniform() < 0.85;
      }
      step(time, source, keep);
    }
  }

 private:
  template <class F>
  static void each_piece(Subject<S>& s, const Lengths& time, const Lengths& source, F f) {
    for (std::size_t input = 0; input < s.x.size(); ++input) {
      const Lengths& lengths = s.axes[input] == s.time ? time : source;
      Index first = 0;
      for (std::size_t lane = 0; lane < lengths.size(); first += lengths[lane], ++lane)
        f(input, lane, first, lengths[lane]);
    }
  }
  Subject<S>&stepping_, &whole_;
  heed::Memory<S> memory_;
  std::vector<std::vector<Tokens<S>>> past_;  // of each input and lane
  Lengths seen_time_ = Lengths(past_[0].size(), 0), seen_source_ = seen_time_;
  std::uint64_t seed_ = 0;
};

/// `extend` by several splits, in lanes of which some wait, forget, start late or do not advance, against `forward`.
inline void check_extend(Subject<double>& s, heed::Capacity capacity, Index most = 5, Index limit = 40) {
  const bool has_source = s.axes.back() == s.source;
  for (const Index piece : {Index(1), most}) {  // one by one, and the most at once
    Lanes<double> lanes(s, 2, capacity);
    for (int i = 0; i < 12 / piece; ++i) lanes.step({piece, piece}, has_source ? Lengths{piece, i == 0} : Lengths{});
  }
  for (const bool grows : {false, true})
    if (has_source || !grows) Lanes<double>(s, 3, capacity).wander(40, most, limit, grows, has_source);
}

// ----------------------------------------------------------------------------------------------------------- errors

/// That f throws, and says `part`.
template <class F>
void check_complaint(const std::string& part, F f) {
  std::string said = "nothing";
  try {
    f();
  } catch (const std::invalid_argument& error) { said = error.what(); }
  INFO("wanted: " << part << "\nsaid:   " << said);
  const bool says_it = said.find(part) != std::string::npos;
  CHECK(says_it);
}

/// Each matrix of a wrong shape, at each entry: the error names the layer, the argument and the numbers. The layer whose
/// columns lie along no axis takes any number of columns as x.
template <class S>
void check_shapes(Subject<S>& s, const std::string& who, const std::vector<std::string>& names,
                  heed::Memory<S>* m = nullptr, bool along_axis = true) {
  REQUIRE(names.size() == s.x.size());
  const auto wrongly = [&](Tokens<S>& matrix, const std::string& name, Index rows, Index cols, auto f) {
    const Tokens<S> kept = matrix;
    matrix.setZero(kept.rows() + rows, kept.cols() + cols);
    const auto numbers = [](const Tokens<S>& x) { return std::to_string(x.rows()) + " x " + std::to_string(x.cols()); };
    check_complaint(who + ": " + name + " is " + numbers(matrix) + ", but " + numbers(kept) + " is needed", f);
    matrix = kept;
  };
  const auto forward = [&] { s.forward(); };
  const auto extend = [&] { s.extend(*m); };
  Tokens<S> dy = s.y;
  Parameters<S> g(s.layout);
  const auto backward = [&] { s.backward(dy, g); };
  forward();
  for (const Index more_rows : {0, 1}) {
    const Index more_cols = 1 - more_rows;
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (along_axis) wrongly(s.x[i], names[i], more_rows, more_cols, forward);
      if (along_axis) wrongly(s.x[i], names[i], more_rows, more_cols, backward);
      if (m) wrongly(s.x[i], names[i], more_rows, more_cols, extend);
      wrongly(s.dx[i], "d" + names[i], more_rows, more_cols, backward);
    }
    wrongly(s.y, "y", more_rows, more_cols, forward);
    if (m) wrongly(s.y, "y", more_rows, more_cols, extend);
    wrongly(dy, "dy", more_rows, more_cols, backward);
  }
  CHECK((g.flat.array() == 0).all());  // nothing was done before the error
}

}  // namespace support
