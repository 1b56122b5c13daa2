#include "heed/layers/attention_decoder.hpp"

#include "../support.hpp"
#include "../support/recurrence.hpp"

using namespace support;
using heed::AttentionDecoder;

namespace {

template <class S>
auto decoder(Index in, Index source_dim, Index hidden, Index width) {
  return Rig<S, AttentionDecoder<S>, 2>({in, source_dim}, hidden + source_dim, [=](Subject<S>& s) {
    s.axes = {s.time, s.source};
    return AttentionDecoder<S>(s.at(), s.source,
                               {.in = in, .source_dim = source_dim, .hidden = hidden, .width = width});
  });
}

/// y of all sequences and, where asked for, the weights of one of them, source columns x steps.
template <class T>
Table<T> plain_decoder(const Values<T>& values, const auto& subject, Index wanted = -1, Table<T>* weights = nullptr) {
  using std::tanh;
  const auto& layer = subject.layer;
  const Table<T>&x = values.x[0], &h = values.x[1];
  const Table<T> projected = plain_linear(values, layer.attention.key, h);
  const Index hidden = layer.gru.hidden();
  Table<T> y(hidden + h.rows, x.cols);
  Index first = 0, key = 0;
  for (std::size_t k = 0; k < subject.time_lengths.size(); ++k) {
    const Index steps = subject.time_lengths[k], keys = subject.source_lengths[k];
    Table<T> s(hidden, 1), h1(h.rows, 1);
    for (Index i = 0; i < h.rows && keys > 0; ++i) h1(i, 0) = h(i, key);
    if (keys > 0) s = plain_linear(values, layer.initial, h1);
    for (T& number : s.v) number = tanh(number);
    for (Index t = first; t < first + steps; ++t) {
      const Table<T> q = plain_linear(values, layer.attention.query, s);
      std::vector<T> e(std::size_t(keys), T(0));
      for (Index j = 0; j < keys; ++j)
        for (Index r = 0; r < q.rows; ++r)
          e[std::size_t(j)] += values(layer.attention.v, r) * tanh(q(r, 0) + projected(r, key + j));
      e = plain_softmax(e, [](Index) { return true; });
      if (Index(k) == wanted) std::copy(e.begin(), e.end(), weights->v.begin() + (t - first) * keys);
      Table<T> input(x.rows + h.rows, 1);
      for (Index i = 0; i < x.rows; ++i) input(i, 0) = x(i, t);
      for (Index i = 0; i < h.rows; ++i)
        for (Index j = 0; j < keys; ++j) input(x.rows + i, 0) += e[std::size_t(j)] * h(i, key + j);
      plain_gru(plain_linear(values, layer.gru.input, input), plain_linear(values, layer.gru.recurrent, s), s);
      for (Index i = 0; i < hidden; ++i) y(i, t) = s(i, 0);
      for (Index i = 0; i < h.rows; ++i) y(hidden + i, t) = input(x.rows + i, 0);
    }
    first += steps;
    key += keys;
  }
  return y;
}

auto formula(const auto& subject) {
  return [&subject]<class T>(const Values<T>& values) { return plain_decoder(values, subject); };
}

}  // namespace

TEST_CASE("AttentionDecoder computes its formula") {
  auto s = decoder<double>(3, 4, 5, 6);
  s.begin({0, 1, 5, 2, 9, 2, 0, 3}, {2, 1, 7, 0, 70, 3, 0, 1});
  check_formula(s, formula(s));
  s.begin({0, 0}, {2, 0});
  check_formula(s, formula(s));
  s.begin({2, 1}, {0, 0});
  check_formula(s, formula(s));
  auto f = decoder<float>(7, 9, 19, 70);
  f.begin({1, 30, 0, 7}, {12, 100, 3, 0});
  check_formula(f, formula(f));
}

TEST_CASE("AttentionDecoder: gradients") {
  auto s = decoder<double>(2, 3, 4, 5);
  s.begin({0, 1, 4, 2, 3}, {2, 3, 5, 0, 1});
  check_gradients(s);
  check_targets(s);
  s.x[0].setZero();
  s.x[1].setOnes();
  check_gradients(s);
  s.begin({2, 0}, {0, 3});
  check_gradients(s);
  check_targets(s);
  s.begin({2}, {66});  // more than a tile
  check_gradients(s);
}

TEST_CASE("AttentionDecoder: saturated inputs") {
  auto s = decoder<double>(2, 3, 4, 5);
  s.begin({0, 1, 3}, {2, 3, 4});
  for (const double size : {1e4, 10.0}) {
    for (std::size_t i = 0; i < 2; ++i) s.x[i] = saturated<double>(s.rows[i], s.x[i].cols(), i + 1, size);
    check_slopes(s, formula(s), 1e4);
  }
}

TEST_CASE("AttentionDecoder: a step sees the steps before it and all of its source, and nothing else") {
  auto s = decoder<float>(3, 4, 5, 6);
  s.begin({0, 1, 4, 2}, {2, 3, 5, 0});
  s.forward();
  const Tokens<float> before = s.y;
  for (std::size_t input = 0; input < 2; ++input) {
    const Lengths& lengths = input == 0 ? s.time_lengths : s.source_lengths;
    Index column = 0;
    for (std::size_t changed = 0; changed < lengths.size(); ++changed)
      for (Index t = 0; t < lengths[changed]; ++t, ++column) {
        const Tokens<float> kept = s.x[input];
        s.x[input].col(column).array() += 0.5f;
        s.forward();
        s.x[input] = kept;
        Index u = 0;
        for (std::size_t other = 0; other < s.time_lengths.size(); ++other)
          for (Index i = 0; i < s.time_lengths[other]; ++i, ++u) {
            INFO("input " << input << ", " << changed << " " << t << " seen from " << other << " " << i);
            const bool sees = other == changed && (input == 1 || i >= t);
            CHECK(same_bits(s.y.col(u), before.col(u)) == !sees);
          }
      }
  }
}

TEST_CASE("AttentionDecoder: weights sum to one over the source") {
  auto s = decoder<double>(3, 4, 5, 6);
  const Lengths steps{0, 1, 4, 2, 3}, keys{2, 3, 70, 0, 1};
  s.begin(steps, keys);
  s.forward();
  const Values<long double> values(s);
  for (std::size_t i = 0; i < steps.size(); ++i) {
    INFO("sequence " << i);
    Tokens<double> w = Tokens<double>::Constant(keys[i], steps[i], -3);
    s.layer.weights(s.p, s.a, Index(i), w);
    Table<long double> exact(keys[i], steps[i]);
    plain_decoder(values, s, Index(i), &exact);
    check_weights(w, exact, full());
  }
}

TEST_CASE("AttentionDecoder: extend") {
  auto s = decoder<double>(3, 4, 5, 6);
  for (const Index piece : {1, 5}) {
    Lanes<double> lanes(s, 3, {.columns = 80});
    lanes.step({0, 0, piece}, {2, 3, 0});  // a source before the first step, in two pieces, or none at all
    lanes.step({0, piece, 0}, {4, 1, 0});
    for (int i = 0; i < 3; ++i) lanes.step({piece, 0, piece}, {0, 0, 0});
  }
  Lanes<double>(s, 3, {.columns = 80}).wander(60, 5, 40, false, true);
}

TEST_CASE("AttentionDecoder: more of a source after the first step is seen from then on") {
  auto s = decoder<double>(3, 4, 5, 6);
  heed::Memory<double> m(s.layout, 1, 8);
  s.begin({1}, {2});
  s.extend(m);
  const Tokens<double> state = s.y.topRows(5), source = s.x[1];
  m.advance();
  s.begin({1}, {3}, 9);
  s.extend(m);
  const Tokens<double> x = s.x[0], y = s.y;
  Tokens<double> all(4, 5);
  all << source, s.x[1];
  // The same attention over all five columns, by a layer of its own with the same weights.
  heed::Layout layout;
  const Axis time = layout.axis(), keys = layout.axis();
  const heed::AdditiveAttention<double> alone(Scope(layout, time, "attention"), keys,
                                              {.query_dim = 5, .key_dim = 4, .width = 6});
  Parameters<double> p(layout);
  for (const heed::Entry& to : layout.entries())
    for (const heed::Entry& from : s.layout.entries())
      if (to.name == from.name) p.flat.segment(to.offset, to.size()) = s.p.flat.segment(from.offset, from.size());
  heed::Activations<double> a(layout);
  a.begin(time, {1});
  a.begin(keys, {5});
  Tokens<double> context(4, 1);
  alone.forward(p, state, all, context, a);
  CHECK(distance(y.bottomRows(4), context) <= 1e-12);
}

TEST_CASE("AttentionDecoder: names") {
  auto s = decoder<double>(3, 4, 5, 6);
  const std::vector<std::pair<std::string, heed::Shape>> wanted{{"gru.weight_ih", {15, 7}},
                                                                {"gru.bias_ih", {15}},
                                                                {"gru.weight_hh", {15, 5}},
                                                                {"gru.bias_hh", {15}},
                                                                {"attention.query.weight", {6, 5}},
                                                                {"attention.key.weight", {6, 4}},
                                                                {"attention.v", {6}},
                                                                {"initial.weight", {5, 4}},
                                                                {"initial.bias", {5}}};
  REQUIRE(s.layout.entries().size() == wanted.size());
  for (const auto& [name, shape] : wanted) {
    INFO(name);
    bool found = false;
    for (const heed::Entry& e : s.layout.entries()) found = found || (e.name == name && e.shape == shape);
    CHECK(found);
  }
  CHECK(s.layer.in() == 3);
  CHECK(s.layer.source_dim() == 4);
  CHECK(s.layer.out() == 9);
}

TEST_CASE("AttentionDecoder: wrong shapes and counts") {
  auto s = decoder<double>(3, 4, 5, 6);
  s.begin({2, 3}, {1, 4});
  heed::Memory<double> m(s.layout, 2, 8);
  check_shapes(s, "AttentionDecoder", {"x", "source"}, &m);
  Tokens<double> w(4, 3);
  check_complaint("AttentionDecoder: sequence 2 asked for, but there are 2", [&] { s.layer.weights(s.p, s.a, 2, w); });
  check_complaint("AttentionDecoder: weights is 4 x 3, but 1 x 2 is needed", [&] { s.layer.weights(s.p, s.a, 0, w); });
  check_complaint("AttentionDecoder: in 0 must be at least 1", [] { decoder<double>(0, 4, 5, 6); });
  check_complaint("size 0 of its shape is 0", [] { decoder<double>(3, 4, 0, 6); });
  check_complaint("size 0 of its shape is 0", [] { decoder<double>(3, 4, 5, 0); });
  s.begin({2, 3}, {1, 4, 0});
  const char* counts = "AttentionDecoder: 2 sequences of queries, but 3 of keys";
  check_complaint(counts, [&] { s.forward(); });
  check_complaint(counts, [&] { s.extend(m); });
  Parameters<double> g(s.layout);
  check_complaint(counts, [&] { s.backward(s.y, g); });
}
