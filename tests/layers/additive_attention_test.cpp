#include "heed/layers/additive_attention.hpp"

#include "../support.hpp"

using namespace support;
using heed::AdditiveAttention;

namespace {

/// The keys along time, as the queries, or along source.
template <class S>
auto attention(Index query_dim, Index key_dim, Index width, const NamedMask& mask, bool own_keys = true) {
  return Rig<S, AdditiveAttention<S>, 2>({query_dim, key_dim}, key_dim, [=](Subject<S>& s) {
    s.axes = {s.time, own_keys ? s.source : s.time};
    return AdditiveAttention<S>(s.at(), s.axes[1],
                                {.query_dim = query_dim, .key_dim = key_dim, .width = width, .mask = mask.mask});
  });
}

/// The weights of queries from column q and keys from column k on, keys x queries.
template <class T, class Layer>
Table<T> plain_weights(const Values<T>& values, const Layer& layer, const NamedMask& mask, Index q, Index queries,
                       Index k, Index keys) {
  using std::tanh;
  const auto Q = plain_linear(values, layer.query, values.x[0]), K = plain_linear(values, layer.key, values.x[1]);
  Table<T> all(keys, queries);
  for (Index j = 0; j < queries; ++j) {
    std::vector<T> scores(std::size_t(keys), T(0));
    for (Index i = 0; i < keys; ++i)
      for (Index r = 0; r < Q.rows; ++r) scores[std::size_t(i)] += values(layer.v, r) * tanh(Q(r, q + j) + K(r, k + i));
    scores = plain_softmax(scores, [&](Index i) { return mask.sees(j, i); });
    std::copy(scores.begin(), scores.end(), all.v.begin() + j * keys);
  }
  return all;
}

auto formula(const auto& subject, const NamedMask& mask) {
  return [&subject, mask]<class T>(const Values<T>& values) {
    const Lengths& queries = subject.time_lengths;
    const Lengths& keys = subject.axes[1] == subject.time ? queries : subject.source_lengths;
    Table<T> y(values.x[1].rows, values.x[0].cols);
    Index q = 0, k = 0;
    for (std::size_t s = 0; s < queries.size(); q += queries[s], k += keys[s], ++s) {
      const auto w = plain_weights(values, subject.layer, mask, q, queries[s], k, keys[s]);
      for (Index j = 0; j < w.cols; ++j)
        for (Index i = 0; i < w.rows; ++i)
          for (Index r = 0; r < y.rows; ++r) y(r, q + j) += w(i, j) * values.x[1](r, k + i);
    }
    return y;
  };
}

}  // namespace

TEST_CASE("AdditiveAttention averages keys by softmax(v' tanh(W q + U k))") {
  for (const NamedMask& mask : masks()) {
    INFO(mask.name);
    auto s = attention<double>(4, 3, 6, mask);
    s.begin({0, 1, 3, 2, 40}, {2, 3, 0, 1, 90});
    check_formula(s, formula(s, mask));
    auto f = attention<float>(5, 9, 70, mask, false);
    f.begin({0, 1, 3, 20});
    check_formula(f, formula(f, mask));
  }
}

TEST_CASE("AdditiveAttention: gradients") {
  for (const NamedMask& mask : masks()) {
    INFO(mask.name);
    auto s = attention<double>(4, 3, 5, mask), same = attention<double>(4, 3, 5, mask, false);
    s.begin({0, 1, 3, 2, 4}, {2, 3, 0, 1, 5});
    same.begin({0, 1, 5});
    for (auto* each : {&s, &same}) {
      check_gradients(*each);
      check_targets(*each);
      each->x[0].setZero();
      each->x[1].setOnes();
      check_gradients(*each);
    }
    s.begin({0, 1, 3}, {2, 3, 4});
    for (std::size_t i = 0; i < 2; ++i) s.x[i] = saturated<double>(s.rows[i], s.x[i].cols(), i + 1);
    check_slopes(s, formula(s, mask), 1e4);
  }
}

TEST_CASE("AdditiveAttention: gradients over several tiles, and of a wide alignment") {
  auto s = attention<double>(2, 2, 2, causal());
  s.begin({34, 1}, {66, 0});
  check_gradients(s);
  auto wide = attention<double>(2, 2, 70, full());  // wider than is computed at a time
  wide.begin({2}, {3});
  check_gradients(wide);
}

TEST_CASE("AdditiveAttention: weights sum to one over the keys in sight") {
  const Lengths queries{0, 1, 3, 40}, keys{2, 3, 0, 70};
  for (const NamedMask& mask : masks()) {
    auto s = attention<double>(4, 3, 6, mask);
    s.begin(queries, keys);
    s.forward();
    const Values<long double> values(s);
    Index q = 0, k = 0;
    for (std::size_t i = 0; i < queries.size(); q += queries[i], k += keys[i], ++i) {
      INFO(mask.name << ", sequence " << i);
      Tokens<double> w = Tokens<double>::Constant(keys[i], queries[i], -3);
      s.layer.weights(s.p, s.a, Index(i), w);
      check_weights(w, plain_weights(values, s.layer, mask, q, queries[i], k, keys[i]), mask);
    }
  }
}

TEST_CASE("AdditiveAttention: a query that sees no key answers zero, with zero gradient") {
  auto s = attention<double>(4, 3, 5, window(2));
  s.begin({3, 40}, {0, 2});
  s.forward();
  Parameters<double> g(s.layout);
  s.backward(random<double>(3, 43, 1), g);
  for (const auto* m : {&s.y, &s.dx[0]}) {
    CHECK((m->leftCols(3).array() == 0).all());
    CHECK((m->rightCols(37).array() == 0).all());
  }
  CHECK((s.y.middleCols(3, 3).array() != 0).all());
}

TEST_CASE("AdditiveAttention: nothing leaks") {
  for (const NamedMask& mask : masks()) {
    INFO(mask.name);
    auto s = attention<float>(4, 3, 5, mask);
    s.begin({0, 1, 4, 2}, {2, 3, 5, 0});
    check_sight(s, mask);
  }
}

TEST_CASE("AdditiveAttention: extend") {
  for (const NamedMask& mask : masks()) {
    INFO(mask.name);
    auto s = attention<double>(4, 3, 5, mask), same = attention<double>(4, 3, 5, mask, false);
    check_extend(s, {.columns = 60});
    check_extend(same, {.columns = 60, .chunk = 5});
  }
}

TEST_CASE("AdditiveAttention starts uniform in +-1 / sqrt(inputs), without biases") {
  heed::Layout layout;
  const Axis time = layout.axis(), source = layout.axis();
  const AdditiveAttention<double> layer(Scope(layout, time, "attend"), source,
                                        {.query_dim = 4, .key_dim = 25, .width = 100});
  const Parameters<double> p(layout, 1);
  REQUIRE(layout.entries().size() == 3);
  CHECK(layout.entries()[0].name == "attend.query.weight");
  CHECK(layout.entries()[1].name == "attend.key.weight");
  CHECK(layout.entries()[2].name == "attend.v");
  CHECK(p[layer.query.weight].cwiseAbs().maxCoeff() == Approx(0.5).epsilon(0.05));
  CHECK(p[layer.key.weight].cwiseAbs().maxCoeff() == Approx(0.2).epsilon(0.05));
  CHECK(p[layer.v].cwiseAbs().maxCoeff() == Approx(0.1).epsilon(0.05));
}

TEST_CASE("AdditiveAttention: wrong shapes and counts") {
  auto s = attention<double>(4, 3, 5, causal());
  s.begin({2, 3}, {1, 4});
  heed::Memory<double> m(s.layout, 2, 8);
  check_shapes(s, "AdditiveAttention", {"q", "k"}, &m);
  Tokens<double> w(4, 3);
  check_complaint("AdditiveAttention: sequence 2 asked for, but there are 2", [&] { s.layer.weights(s.p, s.a, 2, w); });
  check_complaint("AdditiveAttention: sequence -1 asked for", [&] { s.layer.weights(s.p, s.a, -1, w); });
  check_complaint("AdditiveAttention: weights is 4 x 3, but 1 x 2 is needed", [&] { s.layer.weights(s.p, s.a, 0, w); });
  check_complaint("query.weight: size 0 of its shape is 0", [] { attention<double>(4, 3, 0, full()); });
  s.begin({2, 3}, {1, 4, 0});
  const char* counts = "AdditiveAttention: 2 sequences of queries, but 3 of keys";
  check_complaint(counts, [&] { s.forward(); });
  check_complaint(counts, [&] { s.extend(m); });
  Parameters<double> g(s.layout);
  check_complaint(counts, [&] { s.backward(s.y, g); });
}
