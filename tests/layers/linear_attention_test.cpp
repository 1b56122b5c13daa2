#include "heed/layers/linear_attention.hpp"

#include "../support.hpp"

using namespace support;
using heed::LinearAttention;

namespace {

/// q, k: dim, v: value_dim; the keys along time, as the queries, or along source.
template <class S>
auto attention(Index dim, Index value_dim, Index heads, const NamedMask& mask, bool own_keys = true) {
  return Rig<S, LinearAttention<S>, 3>({dim, dim, value_dim}, value_dim, [=](Subject<S>& s) {
    s.axes = {s.time, own_keys ? s.source : s.time, own_keys ? s.source : s.time};
    return LinearAttention<S>(s.at(), s.axes[1],
                              {.dim = dim, .value_dim = value_dim, .heads = heads, .mask = mask.mask});
  });
}

/// elu(x) + 1
template <class T>
T phi(T x) {
  using std::exp;
  return T(0) < x ? x + T(1) : exp(x);
}

/// keys x queries, the weights of head h between columns from k and from q on: all pairs, one by one.
template <class T>
Table<T> plain_linear_weights(const Table<T>& Q, const Table<T>& K, Index heads, Index h, const NamedMask& mask,
                              Index q, Index queries, Index k, Index keys) {
  const Index e = Q.rows / heads;
  Table<T> w(keys, queries);
  for (Index j = 0; j < queries; ++j) {
    T all(0);
    for (Index i = 0; i < keys; ++i) {
      if (!mask.sees(j, i)) continue;
      for (Index r = h * e; r < (h + 1) * e; ++r) w(i, j) += phi(K(r, k + i)) * phi(Q(r, q + j));
      all += w(i, j);
    }
    if (T(0) < all)
      for (Index i = 0; i < keys; ++i) w(i, j) = w(i, j) / all;
  }
  return w;
}

auto formula(const auto& subject, Index heads, const NamedMask& mask) {
  return [&subject, heads, mask]<class T>(const Values<T>& values) {
    const Lengths& queries = subject.time_lengths;
    const Lengths& keys = subject.axes[1] == subject.time ? queries : subject.source_lengths;
    const Table<T>& v = values.x[2];
    const Index e = v.rows / heads;
    Table<T> y(v.rows, values.x[0].cols);
    Index q = 0, k = 0;
    for (std::size_t s = 0; s < queries.size(); q += queries[s], k += keys[s], ++s)
      for (Index h = 0; h < heads; ++h) {
        const auto w = plain_linear_weights(values.x[0], values.x[1], heads, h, mask, q, queries[s], k, keys[s]);
        for (Index j = 0; j < queries[s]; ++j)
          for (Index i = 0; i < keys[s]; ++i)
            for (Index r = h * e; r < (h + 1) * e; ++r) y(r, q + j) += w(i, j) * v(r, k + i);
      }
    return y;
  };
}

struct Kind {
  NamedMask mask;
  bool own_keys;
};
std::vector<Kind> kinds() { return {{full(), true}, {full(), false}, {causal(), false}}; }

const Lengths queries{0, 1, 3, 2, 40, 70}, keys{2, 3, 0, 1, 150, 5};

}  // namespace

TEST_CASE("LinearAttention averages values with weights phi(k) . phi(q)") {
  for (const auto& [mask, own_keys] : kinds()) {
    INFO(mask.name << own_keys);
    auto s = attention<double>(4, 6, 2, mask, own_keys);
    s.begin(queries, own_keys ? keys : Lengths{});
    check_formula(s, formula(s, 2, mask));
    auto f = attention<float>(12, 4, 4, mask, own_keys);
    f.begin(queries, own_keys ? keys : Lengths{});
    check_formula(f, formula(f, 4, mask));
    auto wide = attention<double>(70, 130, 1, mask, own_keys);  // more than one block of the state
    wide.begin({1, 65}, own_keys ? Lengths{3, 20} : Lengths{});
    check_formula(wide, formula(wide, 1, mask));
  }
}

TEST_CASE("LinearAttention: value_dim is dim unless said otherwise") {
  heed::Layout layout;
  const Axis time = layout.axis();
  const LinearAttention<float> layer(Scope(layout, time), time, {.dim = 6, .heads = 3});
  CHECK(layer.value_dim == 6);
  CHECK(layout.state_rows() == 3 * 2 * (2 + 1));
  CHECK(layout.parameters() == 0);
}

TEST_CASE("LinearAttention: gradients") {
  for (const auto& [mask, own_keys] : kinds())
    for (const Index heads : {1, 2}) {
      INFO(mask.name << own_keys << ", heads " << heads);
      auto s = attention<double>(4, 6, heads, mask, own_keys);
      s.begin({0, 1, 3, 2, 5}, own_keys ? Lengths{2, 3, 0, 1, 4} : Lengths{});
      check_gradients(s);
      check_targets(s);
      check_slopes(s, formula(s, heads, mask), 1, 1e-12);
      s.x[0].setZero();  // where phi has no second derivative, and differences are coarse
      check_slopes(s, formula(s, heads, mask), 1, 1e-12);
      s.x[0].setConstant(-0.5), s.x[1].setOnes(), s.x[2].setOnes();
      check_gradients(s);
    }
}

TEST_CASE("LinearAttention: gradients over several chunks and blocks") {
  for (const auto& [mask, own_keys] : kinds()) {
    INFO(mask.name << own_keys);
    auto s = attention<double>(2, 2, 1, mask, own_keys);
    s.begin({70, 1}, own_keys ? Lengths{9, 66} : Lengths{});
    check_gradients(s);
    auto wide = attention<double>(66, 67, 1, mask, own_keys);
    wide.begin({3}, own_keys ? Lengths{2} : Lengths{});
    check_gradients(wide);
  }
}

TEST_CASE("LinearAttention: huge queries, keys and values") {
  const auto with_product = [](auto x) {  // some row of each head is positive in queries and keys
    x.row(0) = x.row(0).cwiseAbs().eval();
    x.row(2) = x.row(2).cwiseAbs().eval();
    return x;
  };
  for (const auto& [mask, own_keys] : kinds()) {
    INFO(mask.name << own_keys);
    const Lengths source = own_keys ? Lengths{2, 3, 6} : Lengths{};
    auto s = attention<double>(4, 4, 2, mask, own_keys);
    s.begin({0, 1, 5}, source);
    for (std::size_t i = 0; i < 3; ++i) s.x[i] = saturated<double>(4, s.x[i].cols(), i + 1);
    for (std::size_t i = 0; i < 2; ++i) s.x[i] = with_product(s.x[i]);
    check_slopes(s, formula(s, 2, mask));
    auto f = attention<float>(4, 4, 2, mask, own_keys);
    f.begin({0, 1, 5}, source);
    for (std::size_t i = 0; i < 3; ++i) f.x[i] = saturated<float>(4, f.x[i].cols(), i + 1);
    for (std::size_t i = 0; i < 2; ++i) f.x[i] = with_product(f.x[i]);
    check_formula(f, formula(f, 2, mask));
  }
}

TEST_CASE("LinearAttention: products that vanish answer zero, with finite gradients") {
  for (const double size : {-30.0, -43.0, -44.0, -1e4}) {
    INFO(size);
    auto f = attention<float>(4, 4, 2, causal(), false);
    f.begin({5});
    f.x[0].setConstant(float(size)), f.x[1].setConstant(float(size));
    f.forward();
    CHECK(f.y.allFinite());
    if (size < -40) CHECK((f.y.array() == 0).all());
    if (size > -40) CHECK(distance(f.y.col(0), f.x[2].col(0)) <= 1e-6);
    Parameters<float> g(f.layout);
    f.backward(random<float>(4, 5, 1, 1e3), g);
    for (const auto& d : f.dx) CHECK(d.allFinite());
  }
}

TEST_CASE("LinearAttention: weights sum to one over the keys in sight") {
  for (const auto& [mask, own_keys] : kinds()) {
    const Lengths& lengths = own_keys ? keys : queries;
    auto s = attention<double>(4, 6, 2, mask, own_keys);
    s.begin(queries, own_keys ? keys : Lengths{});
    s.forward();
    const Values<long double> values(s);
    Index q = 0, k = 0;
    for (std::size_t i = 0; i < queries.size(); q += queries[i], k += lengths[i], ++i)
      for (const Index head : {0, 1}) {
        INFO(mask.name << own_keys << ", sequence " << i << ", head " << head);
        Tokens<double> w = Tokens<double>::Constant(lengths[i], queries[i], -3);
        s.layer.weights(s.x[0], s.x[1], s.a, Index(i), head, w);
        check_weights(w, plain_linear_weights(values.x[0], values.x[1], 2, head, mask, q, queries[i], k, lengths[i]),
                      mask);
      }
  }
}

TEST_CASE("LinearAttention: a query that sees no key answers zero, with zero gradient") {
  auto s = attention<double>(4, 4, 2, full());
  s.begin({3, 2}, {0, 2});
  s.forward();
  CHECK((s.y.leftCols(3).array() == 0).all());
  CHECK((s.y.rightCols(2).array() != 0).all());
  Parameters<double> g(s.layout);
  s.backward(random<double>(4, 5, 1), g);
  CHECK((s.dx[0].leftCols(3).array() == 0).all());
  CHECK(s.dx[1].allFinite());
}

TEST_CASE("LinearAttention: nothing leaks") {
  for (const auto& [mask, own_keys] : kinds()) {
    INFO(mask.name << own_keys);
    auto s = attention<float>(4, 4, 2, mask, own_keys);
    s.begin({0, 1, 4, 2}, own_keys ? Lengths{2, 3, 5, 0} : Lengths{});
    check_sight(s, mask);
  }
  auto wide = attention<float>(2, 2, 1, causal(), false);
  wide.begin({70});
  check_sight(wide, causal());
}

TEST_CASE("LinearAttention: extend, with no room for columns") {
  for (const auto& [mask, own_keys] : kinds()) {
    INFO(mask.name << own_keys);
    auto s = attention<double>(4, 6, 2, mask, own_keys);
    check_extend(s, {});
    check_extend(s, {}, 50, 200);
  }
}

TEST_CASE("LinearAttention: wrong shapes, counts and masks") {
  auto s = attention<double>(4, 6, 2, full());
  heed::Memory<double> m(s.layout, 2);
  check_attention_complaints(s, "LinearAttention", m, [&](Index sequence, Index head, Tokens<double>& w) {
    s.layer.weights(s.x[0], s.x[1], s.a, sequence, head, w);
  });
  check_complaint("dim 6 and value dim 8 must be multiples of heads 4", [] { attention<double>(6, 8, 4, full()); });
  check_complaint("dim 8 and value dim 6 must be multiples of heads 4", [] { attention<double>(8, 6, 4, full()); });
  check_complaint("must be multiples of heads 0", [] { attention<double>(8, 6, 0, full()); });
  check_complaint("LinearAttention: its mask must be Full or Causal, since it forgets no key",
                  [] { attention<double>(4, 4, 1, window(3), false); });
  check_complaint("LinearAttention: a Causal mask needs keys along the axis of the queries",
                  [] { attention<double>(4, 4, 1, causal(), true); });
}

TEST_CASE("LinearAttention: entities at a time step") {
  heed::Layout layout;
  const Axis time = layout.axis(), entities = layout.axis(time);
  const LinearAttention<double> layer(Scope(layout, entities), entities, {.dim = 2});
  CHECK(layout.state_rows() == 0);
  heed::Activations<double> a(layout);
  heed::Memory<double> m(layout, 1);
  a.begin(time, {2});
  a.begin(entities, {3, 2});
  const Tokens<double> x = random<double>(2, 5, 1);
  Tokens<double> y(2, 5);
  layer.forward(x, x, x, y, a);
  CHECK(y.allFinite());
  check_complaint("LinearAttention: keys along an axis that belongs to another are not remembered",
                  [&] { layer.extend(x, x, x, y, m, a); });
}
