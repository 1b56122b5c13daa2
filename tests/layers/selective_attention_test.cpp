#include "heed/layers/selective_attention.hpp"

#include <numeric>

#include "../support.hpp"

using namespace support;
using heed::Selection;
using heed::SelectiveAttention;

namespace {

/// How keys are selected; k = 0 is sparsemax.
struct Choice {
  Index k;
  Selection selection() const { return k > 0 ? Selection::top_k : Selection::sparsemax; }
};
const std::vector<Choice> choices{{0}, {1}, {2}, {5}, {1000}};

template <class S>
auto attention(Index dim, Index value_dim, Index heads, const NamedMask& mask, Choice choice, bool own_keys = true) {
  return Rig<S, SelectiveAttention<S>, 3>({dim, dim, value_dim}, value_dim, [=](Subject<S>& s) {
    s.axes = {s.time, own_keys ? s.source : s.time, own_keys ? s.source : s.time};
    return SelectiveAttention<S>(s.at(), s.axes[1],
                                 {.dim = dim,
                                  .value_dim = value_dim,
                                  .heads = heads,
                                  .mask = mask.mask,
                                  .selection = choice.selection(),
                                  .k = choice.k});
  });
}

/// Positions of the scores from the highest down, of equal ones the earlier first.
template <class T>
std::vector<std::size_t> ranking(const std::vector<T>& scores) {
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return std::pair(scores[b], a) < std::pair(scores[a], b); });
  return order;
}

/// The weights of the scores in sight.
template <class T>
std::vector<T> plain_selection(const std::vector<T>& scores, Choice choice) {
  const auto order = ranking(scores);
  std::vector<T> w(scores.size(), T(0));
  if (choice.k > 0) {
    std::vector<bool> in(scores.size());
    for (std::size_t r = 0; r < order.size(); ++r) in[order[r]] = Index(r) < choice.k;
    return plain_softmax(scores, [&](Index i) { return in[std::size_t(i)]; });
  }
  // Martins and Astudillo 2016, alg. 1: the largest number k of scores with 1 + k z_(k) > sum of the k highest
  T sum(0), tau(0);
  for (std::size_t r = 0; r < order.size(); ++r) {
    const T z = scores[order[r]], k((long double)(r + 1));
    sum += z;
    if (sum < T(1) + k * z) tau = (sum - T(1)) / k;
  }
  for (std::size_t i = 0; i < w.size(); ++i)
    if (tau < scores[i]) w[i] = scores[i] - tau;
  return w;
}

/// keys x queries, of head h, for queries from column q and keys from column k on.
template <class T, class Sees>
Table<T> plain_selected(const Table<T>& Q, const Table<T>& K, Index heads, Index h, Sees sees, Choice choice, Index q,
                        Index queries, Index k, Index keys) {
  const Index e = Q.rows / heads;
  Table<T> w(keys, queries);
  for (Index j = 0; j < queries; ++j) {
    std::vector<T> scores;
    std::vector<Index> seen;
    for (Index i = 0; i < keys; ++i) {
      if (!sees(j, i)) continue;
      T score(0);
      for (Index r = h * e; r < (h + 1) * e; ++r) score += K(r, k + i) * Q(r, q + j);
      scores.push_back(score / T(std::sqrt((long double)e)));
      seen.push_back(i);
    }
    const auto selected = plain_selection(scores, choice);
    for (std::size_t i = 0; i < seen.size(); ++i) w(seen[i], j) = selected[i];
  }
  return w;
}

template <class Sees>
auto formula_of(const auto& subject, Index heads, Sees sees, Choice choice) {
  return [&subject, heads, sees, choice]<class T>(const Values<T>& values) {
    const Lengths& queries = subject.time_lengths;
    const Lengths& keys = subject.axes[1] == subject.time ? queries : subject.source_lengths;
    const Table<T>& v = values.x[2];
    const Index e = v.rows / heads;
    Table<T> y(v.rows, values.x[0].cols);
    Index q = 0, k = 0;
    for (std::size_t s = 0; s < queries.size(); q += queries[s], k += keys[s], ++s)
      for (Index h = 0; h < heads; ++h) {
        const auto w = plain_selected(values.x[0], values.x[1], heads, h, sees, choice, q, queries[s], k, keys[s]);
        for (Index j = 0; j < queries[s]; ++j)
          for (Index i = 0; i < keys[s]; ++i)
            for (Index r = h * e; r < (h + 1) * e; ++r) y(r, q + j) += w(i, j) * v(r, k + i);
      }
    return y;
  };
}
auto formula(const auto& subject, Index heads, const NamedMask& mask, Choice choice) {
  return formula_of(
      subject, heads, [mask](Index query, Index key) { return mask.sees(query, key); }, choice);
}

/// Scores far enough apart that sparsemax leaves some out.
template <class S>
void spread(Subject<S>& s) {
  s.x[0] *= S(4);
}

const Lengths queries{0, 1, 3, 2, 40, 70}, keys{2, 3, 0, 1, 150, 5};

}  // namespace

TEST_CASE("SelectiveAttention averages the values of the keys that it selects") {
  for (const Choice choice : choices)
    for (const NamedMask& mask : {full(), causal(), window(1), window(3), window(20)}) {
      INFO(mask.name << ", k " << choice.k);
      auto s = attention<double>(4, 6, 2, mask, choice);
      s.begin(queries, keys);
      check_formula(s, formula(s, 2, mask, choice));
      spread(s);
      check_formula(s, formula(s, 2, mask, choice));
      auto f = attention<float>(12, 4, 4, mask, choice, false);
      f.begin({0, 1, 3, 90});
      check_formula(f, formula(f, 4, mask, choice));
    }
}

TEST_CASE("SelectiveAttention: a strided mask") {
  const Index stride = 3;
  const auto sees = [](Index query, Index key) {
    return key <= query && (query - key < stride || (query - key) % stride == 0);
  };
  for (const Choice choice : choices) {
    auto s = attention<double>(4, 6, 2, {"Strided", heed::Strided(stride), 0, 0}, choice);
    s.begin(queries, keys);
    spread(s);
    check_formula(s, formula_of(s, 2, sees, choice));
    s.begin({4, 20}, {2, 9});
    check_slopes(s, formula_of(s, 2, sees, choice), 1, 1e-12);
    auto same = attention<double>(4, 6, 2, {"Strided", heed::Strided(stride), 0, 0}, choice, false);
    check_extend(same, {.columns = 60, .chunk = 5});
  }
}

TEST_CASE("SelectiveAttention: gradients") {
  for (const Choice choice : choices)
    for (const NamedMask& mask : masks())
      for (const Index heads : {1, 2}) {
        INFO(mask.name << ", heads " << heads << ", k " << choice.k);
        auto s = attention<double>(4, 6, heads, mask, choice);
        s.begin({0, 1, 3, 2, 5}, {2, 3, 0, 1, 9});
        check_slopes(s, formula(s, heads, mask, choice), 1, 1e-12);
        spread(s);
        check_slopes(s, formula(s, heads, mask, choice), 1, 1e-12);
        check_targets(s);
        auto same_axis = attention<double>(4, 6, heads, mask, choice, false);
        same_axis.begin({0, 1, 6});
        check_slopes(same_axis, formula(same_axis, heads, mask, choice), 1, 1e-12);
        s.x[0].setZero();
        check_slopes(s, formula(s, heads, mask, choice), 1, 1e-12);
        s.x[1].setOnes(), s.x[2].setOnes();
        check_slopes(s, formula(s, heads, mask, choice), 1, 1e-12);
      }
}

TEST_CASE("SelectiveAttention: gradients over several tiles of queries and keys") {
  for (const Choice choice : {Choice{0}, Choice{3}, Choice{80}})
    for (const NamedMask& mask : {full(), causal(), window(40)}) {
      INFO(mask.name << ", k " << choice.k);
      auto s = attention<double>(2, 2, 1, mask, choice);
      s.begin({34, 1}, {90, 66});
      check_slopes(s, formula(s, 1, mask, choice), 1, 1e-12);
    }
}

TEST_CASE("SelectiveAttention: gradients against differences") {
  for (const Choice choice : {Choice{0}, Choice{2}}) {
    auto s = attention<double>(4, 6, 2, full(), choice);
    s.begin({1, 2}, {4, 5});
    check_gradients(s);
  }
}

TEST_CASE("SelectiveAttention: huge queries, keys and values") {
  for (const Choice choice : choices)
    for (const NamedMask& mask : masks()) {
      INFO(mask.name << ", k " << choice.k);
      auto s = attention<double>(4, 4, 2, mask, choice);
      s.begin({0, 1, 5}, {2, 3, 6});
      for (std::size_t i = 0; i < 3; ++i) s.x[i] = saturated<double>(4, s.x[i].cols(), i + 1);
      check_slopes(s, formula(s, 2, mask, choice));
      auto f = attention<float>(4, 4, 2, mask, choice);
      f.begin({0, 1, 5}, {2, 3, 6});
      for (std::size_t i = 0; i < 3; ++i) f.x[i] = saturated<float>(4, f.x[i].cols(), i + 1);
      check_formula(f, formula(f, 2, mask, choice));
    }
}

TEST_CASE("SelectiveAttention: weights of the selected keys sum to one") {
  for (const Choice choice : choices)
    for (const NamedMask& mask : masks()) {
      auto s = attention<double>(4, 6, 2, mask, choice);
      s.begin(queries, keys);
      spread(s);
      s.forward();
      const Values<long double> values(s);
      Index q = 0, k = 0;
      for (std::size_t i = 0; i < queries.size(); q += queries[i], k += keys[i], ++i)
        for (const Index head : {0, 1}) {
          INFO(mask.name << ", k " << choice.k << ", sequence " << i << ", head " << head);
          Tokens<double> w = Tokens<double>::Constant(keys[i], queries[i], -3);
          s.layer.weights(s.x[0], s.x[1], s.a, Index(i), head, w);
          const auto exact = plain_selected(
              values.x[0], values.x[1], 2, head, [&](Index a, Index b) { return mask.sees(a, b); }, choice, q,
              queries[i], k, keys[i]);
          check_weights(w, exact, mask);
          if (choice.k > 0)
            for (Index j = 0; j < w.cols(); ++j) CHECK((w.col(j).array() > 0).count() <= choice.k);
        }
    }
}

TEST_CASE("SelectiveAttention: of equal scores the earlier are selected") {
  auto s = attention<double>(2, 2, 1, full(), Choice{3});
  s.begin({1}, {6});
  s.x[0].setOnes();
  s.x[1] << 1, 2, 1, 1, 2, 1,  //
      1, 2, 1, 1, 2, 1;
  s.forward();
  Tokens<double> w(6, 1);
  s.layer.weights(s.x[0], s.x[1], s.a, 0, 0, w);
  CHECK(((w.array() > 0) == (Eigen::Array<double, 6, 1>(1, 1, 0, 0, 1, 0) > 0)).all());
}

TEST_CASE("SelectiveAttention: a query that sees no key answers zero, with zero gradient") {
  for (const Choice choice : choices) {
    auto s = attention<double>(4, 4, 2, window(2), choice);
    check_blind(s);
  }
}

TEST_CASE("SelectiveAttention: nothing leaks") {
  for (const Choice choice : choices)
    for (const NamedMask& mask : masks()) {
      INFO(mask.name << ", k " << choice.k);
      auto s = attention<float>(4, 4, 2, mask, choice);
      s.begin({0, 1, 4, 2}, {2, 3, 5, 0});
      check_sight(s, mask);
    }
  auto wide = attention<float>(4, 4, 2, causal(), Choice{1000}, false);
  wide.begin({40, 3});
  check_sight(wide, causal());
}

TEST_CASE("SelectiveAttention: extend") {
  for (const Choice choice : {Choice{0}, Choice{3}})
    for (const NamedMask& mask : masks()) {
      INFO(mask.name << ", k " << choice.k);
      auto own = attention<double>(4, 6, 2, mask, choice, true), same = attention<double>(4, 6, 2, mask, choice, false);
      check_extend(own, {.columns = 60, .chunk = 5});
      check_extend(same, {.columns = 60, .chunk = 5});
    }
}

TEST_CASE("SelectiveAttention: wrong shapes and counts") {
  auto s = attention<double>(4, 6, 2, causal(), Choice{2});
  heed::Memory<double> m(s.layout, 2, 8);
  check_attention_complaints(s, "SelectiveAttention", m, [&](Index sequence, Index head, Tokens<double>& w) {
    s.layer.weights(s.x[0], s.x[1], s.a, sequence, head, w);
  });
  const auto make = [](heed::SelectiveAttention<float>::Config c) {
    heed::Layout layout;
    const Axis time = layout.axis();
    SelectiveAttention<float>(Scope(layout, time), time, c);
  };
  check_complaint("dim 6 and value dim 8 must be multiples of heads 4",
                  [&] { make({.dim = 6, .value_dim = 8, .heads = 4, .k = 1}); });
  check_complaint("must be multiples of heads 0", [&] { make({.dim = 6, .heads = 0, .k = 1}); });
  check_complaint("SelectiveAttention: k 0 must be at least 1", [&] { make({.dim = 6}); });
}

TEST_CASE("SelectiveAttention: entities at a time step") {
  heed::Layout layout;
  const Axis time = layout.axis(), entities = layout.axis(time);
  const SelectiveAttention<double> layer(Scope(layout, entities), entities, {.dim = 2, .k = 1});
  heed::Activations<double> a(layout);
  heed::Memory<double> m(layout, 1);  // needs no room
  a.begin(time, {2});
  a.begin(entities, {3, 2});
  const Tokens<double> x = random<double>(2, 5, 1);
  Tokens<double> y(2, 5);
  layer.forward(x, x, x, y, a);
  CHECK(y.allFinite());
  check_complaint("SelectiveAttention: keys along an axis that belongs to another are not remembered",
                  [&] { layer.extend(x, x, x, y, m, a); });
}
