#include "heed/layers/luong_attention.hpp"

#include "../support.hpp"

using namespace support;
using heed::LuongAttention, heed::LuongReach, heed::LuongScore;

namespace {

struct Kind {
  LuongScore score;
  LuongReach reach;
};
std::vector<Kind> kinds() {
  std::vector<Kind> all;
  for (const LuongScore score : {LuongScore::dot, LuongScore::general, LuongScore::concat})
    for (const LuongReach reach : {LuongReach::global, LuongReach::monotonic, LuongReach::predictive})
      all.push_back({score, reach});
  return all;
}

template <class S>
auto attention(const Kind& kind, Index query = 4, Index key = 3, Index out = 5) {
  if (kind.score == LuongScore::dot) key = query;
  return Rig<S, LuongAttention<S>, 2>({query, key}, out, [=](Subject<S>& s) {
    s.axes = {s.time, s.source};
    return LuongAttention<S>(s.at(), s.source,
                             {.query_dim = query,
                              .key_dim = key,
                              .output_dim = out,
                              .score = kind.score,
                              .width = 6,
                              .reach = kind.reach,
                              .half_window = 2});
  });
}

template <class T>
T plain_tanh(T x) {
  using std::tanh;
  return tanh(x);
}

/// The docstring in plain loops.
auto formula(const auto& subject) {
  return [&subject]<class T>(const Values<T>& values) {
    using std::exp;
    const auto& layer = subject.layer;
    const auto& c = layer.config;
    const Table<T>&q = values.x[0], &h = values.x[1];
    const auto score = [&](Index j, Index i) {
      T sum(0);
      if (c.score == LuongScore::concat) {
        for (Index r = 0; r < c.width; ++r) {
          T inner(0);
          for (Index k = 0; k < q.rows; ++k) inner += values(layer.query.weight, r, k) * q(k, j);
          for (Index k = 0; k < h.rows; ++k) inner += values(layer.key.weight, r, k) * h(k, i);
          sum += values(layer.v, r) * plain_tanh(inner);
        }
        return sum;
      }
      for (Index r = 0; r < q.rows; ++r) {
        T key = c.score == LuongScore::dot ? h(r, i) : T(0);
        for (Index k = 0; k < h.rows && c.score == LuongScore::general; ++k)
          key += values(layer.key.weight, r, k) * h(k, i);
        sum += key * q(r, j);
      }
      return sum;
    };
    const auto place = [&](Index j, Index length) {
      T sum(0);
      for (Index r = 0; r < q.rows; ++r) {
        T inner(0);
        for (Index k = 0; k < q.rows; ++k) inner += values(layer.position.weight, r, k) * q(k, j);
        sum += values(layer.position_v, r) * plain_tanh(inner);
      }
      return T((long double)length) / (T(1) + exp(T(0) - sum));
    };
    Table<T> joined(h.rows + q.rows, q.cols);
    Index q0 = 0, h0 = 0;
    for (std::size_t s = 0; s < subject.time_lengths.size(); ++s) {
      const Index queries = subject.time_lengths[s], keys = subject.source_lengths[s];
      for (Index j = 0; j < queries; ++j) {
        const bool predicts = c.reach == LuongReach::predictive;
        const T p = predicts ? place(q0 + j, keys) : T((long double)j);
        std::vector<T> w;
        for (Index i = 0; i < keys; ++i) w.push_back(score(q0 + j, h0 + i));
        w = plain_softmax(w, [&](Index i) {
          return c.reach == LuongReach::global || std::abs((long double)i - number(p)) <= (long double)c.half_window;
        });
        for (Index i = 0; i < keys; ++i) {
          const T away = (T((long double)i) - p) / T((long double)c.half_window / 2);
          if (predicts) w[std::size_t(i)] = w[std::size_t(i)] * exp(T(-0.5L) * away * away);
          for (Index r = 0; r < h.rows; ++r) joined(r, q0 + j) += w[std::size_t(i)] * h(r, h0 + i);
        }
        for (Index r = 0; r < q.rows; ++r) joined(h.rows + r, q0 + j) = q(r, q0 + j);
      }
      q0 += queries, h0 += keys;
    }
    Table<T> y = plain_linear(values, layer.output, joined);
    for (T& number : y.v) number = plain_tanh(number);
    return y;
  };
}

const Lengths queries{0, 1, 3, 2, 5, 40}, keys{2, 3, 0, 1, 9, 80};

}  // namespace

TEST_CASE("LuongAttention is the published formulas") {
  for (const Kind& kind : kinds()) {
    INFO(int(kind.score) << " " << int(kind.reach));
    auto s = attention<double>(kind);
    s.begin(queries, keys);
    check_formula(s, formula(s));
    auto f = attention<float>(kind, 6, 7, 6);
    f.begin(queries, keys);
    check_formula(f, formula(f));
  }
}

TEST_CASE("LuongAttention: gradients") {
  for (const Kind& kind : kinds()) {
    INFO(int(kind.score) << " " << int(kind.reach));
    auto s = attention<double>(kind);
    s.begin({0, 1, 3, 2, 5}, {2, 3, 0, 1, 9});
    check_gradients(s);
    check_targets(s);
    if (kind.reach == LuongReach::predictive) continue;  // of queries that are zero the place is on the edge of a key
    s.x[0].setZero();
    check_gradients(s);
    s.x[1].setOnes();
    check_gradients(s);
  }
}

TEST_CASE("LuongAttention: huge queries and keys") {
  for (const Kind& kind : kinds()) {
    INFO(int(kind.score) << " " << int(kind.reach));
    auto s = attention<double>(kind);
    s.begin({0, 1, 3}, {2, 3, 4});
    for (std::size_t i = 0; i < 2; ++i) s.x[i] = saturated<double>(s.rows[i], s.x[i].cols(), i + 1, 50);
    s.forward();
    CHECK(s.y.allFinite());
    if (kind.reach != LuongReach::predictive) check_slopes(s, formula(s), 1e4);
  }
}

TEST_CASE("LuongAttention: weights") {
  for (const Kind& kind : kinds()) {
    INFO(int(kind.score) << " " << int(kind.reach));
    auto s = attention<double>(kind);
    s.begin(queries, keys);
    s.forward();
    Index q0 = 0, k0 = 0;
    for (std::size_t i = 0; i < queries.size(); ++i) {
      Tokens<double> w = Tokens<double>::Constant(keys[i], queries[i], -3);
      s.layer.weights(s.p, s.x[0], s.x[1], s.a, Index(i), w);
      const Tokens<double> context = s.x[1].middleCols(k0, keys[i]) * w;  // what the output is made of
      CHECK(distance(context, s.a[s.layer.joined].block(0, q0, context.rows(), queries[i])) <= 1e-12);
      CHECK((w.array() >= 0).all());
      q0 += queries[i], k0 += keys[i];
    }
  }
}

TEST_CASE("LuongAttention: extend, with a source that stays and with one that grows") {
  for (const Kind& kind : kinds()) {
    INFO(int(kind.score) << " " << int(kind.reach));
    auto s = attention<double>(kind);
    if (kind.reach != LuongReach::monotonic) {
      Lanes<double>(s, 3, {.columns = 60}).wander(40, 5, 40, false, true);
      Lanes<double>(s, 3, {.columns = 60}).wander(40, 5, 40, true, true);
    } else {
      check_extend(s, {.columns = 60});
    }
  }
}

TEST_CASE("LuongAttention: a source in a ring is seen as far as it is remembered") {
  auto s = attention<double>({LuongScore::general, LuongReach::global});
  auto whole = attention<double>({LuongScore::general, LuongReach::global});
  heed::Memory<double> m(s.layout, 1, {{s.source, {.columns = 6, .ring = true, .chunk = 3}}});
  Tokens<double> source(3, 0);
  for (std::uint64_t i = 0; i < 12; ++i) {
    const Index more = Index(i % 4);
    s.begin({2}, {more}, i);
    s.extend(m);
    m.advance();
    source.conservativeResize(3, source.cols() + more), source.rightCols(more) = s.x[1];
    const Index seen = std::min(source.cols(), more > 0 ? Index(5) + more : Index(6));
    whole.begin({2}, {std::min(seen, source.cols())});
    whole.x[0] = s.x[0], whole.x[1] = source.rightCols(whole.x[1].cols());
    whole.forward();
    INFO("step " << i);
    CHECK(distance(s.y, whole.y) <= 1e-12);
  }
}

TEST_CASE("attention over entities of a time step needs no memory: Luong's and additive") {
  heed::Layout layout;
  const Axis time = layout.axis(), entities = layout.axis(time);
  const LuongAttention<double> luong(Scope(layout, time, "luong"), entities, {.query_dim = 4, .key_dim = 3});
  const heed::AdditiveAttention<double> additive(Scope(layout, time, "additive"), entities,
                                                 {.query_dim = 4, .key_dim = 3, .width = 5});
  CHECK(layout[entities].remembered == 0);
}

TEST_CASE("LuongAttention: wrong shapes and settings") {
  auto s = attention<double>({LuongScore::general, LuongReach::global});
  s.begin({2, 3}, {1, 4});
  heed::Memory<double> m(s.layout, 2, 8);
  check_shapes(s, "LuongAttention", {"q", "h"}, &m);
  const auto make = [](heed::LuongAttention<float>::Config c) {
    heed::Layout layout;
    const Axis time = layout.axis(), source = layout.axis();
    LuongAttention<float>(Scope(layout, time), source, c);
  };
  check_complaint("LuongAttention: a dot score needs queries and keys alike, but they have 4 and 3 features",
                  [&] { make({.query_dim = 4, .key_dim = 3, .score = LuongScore::dot}); });
  check_complaint("LuongAttention: half window 0 must be at least 1",
                  [&] { make({.query_dim = 4, .key_dim = 3, .half_window = 0}); });
  Tokens<double> w(4, 3);
  check_complaint("LuongAttention: sequence 2 asked for, but there are 2",
                  [&] { s.layer.weights(s.p, s.x[0], s.x[1], s.a, 2, w); });
}
