#include "heed/layers/hard_attention.hpp"

#include "../support.hpp"
#include "heed/layers/linear.hpp"

using namespace support;
using heed::Estimator;
using heed::HardAttention;

namespace {

template <class S>
auto attention(Index dim, Index value_dim, Index heads, const NamedMask& mask, bool own_keys = true) {
  return Rig<S, HardAttention<S>, 3>({dim, dim, value_dim}, value_dim, [=](Subject<S>& s) {
    s.axes = {s.time, own_keys ? s.source : s.time, own_keys ? s.source : s.time};
    return HardAttention<S>(s.at(), s.axes[1], {.dim = dim, .value_dim = value_dim, .heads = heads, .mask = mask.mask});
  });
}

/// With log_probability below y, so that its gradient is checked as that of any output.
struct Scored : Subject<double> {
  HardAttention<double> layer;
  Tokens<double> answer;

  Scored(Index dim, Index heads, const NamedMask& mask)
      : Subject<double>({dim, dim, dim}, dim + heads),
        layer((axes = {time, source, source}, at()), source,
              {.dim = dim, .heads = heads, .mask = mask.mask, .estimator = Estimator::score_function}) {
    a = heed::Activations<double>(layout);
  }
  void forward() override {
    answer.resize(x[0].rows(), x[0].cols());
    layer.forward(x[0], x[1], x[2], answer, a);
    y << answer, a[layer.log_probability];
  }
  void extend(heed::MemoryView<double>) override {}
  void run_backward(const Tokens<double>& dy, Parameters<double>&, std::vector<heed::Gradient<double>>& to) override {
    const Tokens<double> danswer = dy.topRows(answer.rows());
    a.d(layer.log_probability) = dy.bottomRows(layer.log_probability.rows);
    layer.backward(x[0], x[1], x[2], answer, danswer, a, to[0], to[1], to[2]);
  }
};

/// A number's value alone, its slope left out.
template <class T>
T value_of(T x) {
  return T(number(x));
}

/// Visits each query and head: f(query column, head, first key column, probabilities of the keys).
template <class T, class F>
void each_query(const Subject<double>& s, const Values<T>& values, Index heads, const NamedMask& mask, F f) {
  const Lengths& key_lengths = s.axes[1] == s.time ? s.time_lengths : s.source_lengths;
  Index q = 0, k = 0;
  for (std::size_t i = 0; i < s.time_lengths.size(); q += s.time_lengths[i], k += key_lengths[i], ++i)
    for (Index h = 0; h < heads; ++h) {
      const auto p = plain_weights(values.x[0], values.x[1], heads, h, mask, q, s.time_lengths[i], k, key_lengths[i]);
      for (Index j = 0; j < p.cols; ++j)
        f(q + j, h, k, std::vector<T>(p.v.begin() + j * p.rows, p.v.begin() + (j + 1) * p.rows));
    }
}

/// y of the keys that were chosen. Straight through, its slope is that of the chosen value and of V p.
template <class T, class Layer>
Table<T> plain_hard(Subject<double>& s, const Layer& layer, const Values<T>& values, const NamedMask& mask,
                    bool straight_through) {
  const Index heads = layer.attention.heads, e = values.x[2].rows / heads;
  Table<T> y(values.x[2].rows, values.x[0].cols);
  each_query(s, values, heads, mask, [&](Index j, Index h, Index k, const std::vector<T>& p) {
    const Index chosen = Index(s.a[layer.chosen](h, j));
    for (std::size_t i = 0; i < p.size(); ++i) {
      T weight(Index(i) == chosen ? 1 : 0);
      if (straight_through) weight += p[i] - value_of(p[i]);
      for (Index r = h * e; r < (h + 1) * e; ++r) y(r, j) += weight * values.x[2](r, k + Index(i));
    }
  });
  return y;
}

/// That what was chosen is in sight, when evaluating with the highest probability, and log_probability its logarithm.
void check_choices(Subject<double>& s, const HardAttention<double>& layer, const NamedMask& mask) {
  each_query(s, Values<long double>(s), layer.attention.heads, mask,
             [&](Index j, Index h, Index, const std::vector<long double>& p) {
               INFO("query " << j << ", head " << h);
               const Index chosen = Index(s.a[layer.chosen](h, j));
               const auto best = std::max_element(p.begin(), p.end());
               if (best == p.end() || *best == 0) {
                 CHECK(chosen == -1);
                 CHECK(s.a[layer.log_probability](h, j) == 0);
                 return;
               }
               REQUIRE(chosen >= 0);
               REQUIRE(chosen < Index(p.size()));
               const long double of_chosen = p[std::size_t(chosen)];
               CHECK(of_chosen > 0);
               if (!s.a.mode.training) CHECK(chosen == best - p.begin());
               CHECK(std::abs(s.a[layer.log_probability](h, j) - double(std::log(of_chosen))) <= 1e-10);
             });
}

const Lengths queries{0, 1, 3, 2, 40, 70}, keys{2, 3, 0, 1, 150, 5};

}  // namespace

TEST_CASE("HardAttention answers the value of one key, evaluating that of the highest score") {
  for (const NamedMask& mask : {full(), causal(), window(1), window(3), window(20)})
    for (const bool training : {false, true}) {
      INFO(mask.name << (training ? ", training" : ", evaluating"));
      auto s = attention<double>(4, 6, 2, mask);
      s.a.mode = {training, 1};
      s.begin(queries, keys);
      s.forward();
      check_choices(s, s.layer, mask);
      check_formula(s, [&](const auto& values) { return plain_hard(s, s.layer, values, mask, false); });
      auto same = attention<double>(4, 4, 4, mask, false);
      same.a.mode = {training, 2};
      same.begin({0, 1, 3, 90});
      same.forward();
      check_choices(same, same.layer, mask);
    }
}

TEST_CASE("HardAttention: of equal scores the first is chosen") {
  auto s = attention<double>(2, 2, 1, full());
  s.begin({1}, {6});
  s.x[0].setOnes();
  s.x[1] << 1, 2, 1, 1, 2, 1,  //
      1, 2, 1, 1, 2, 1;
  s.forward();
  CHECK(s.a[s.layer.chosen](0, 0) == 1);
  CHECK(same_bits(s.y, s.x[2].col(1)));
}

TEST_CASE("HardAttention: straight-through gradients") {
  for (const NamedMask& mask : masks())
    for (const Index heads : {1, 2})
      for (const bool training : {false, true}) {
        INFO(mask.name << ", heads " << heads);
        auto s = attention<double>(4, 6, heads, mask);
        s.a.mode = {training, 3};
        s.begin({0, 1, 3, 2, 5}, {2, 3, 0, 1, 4});
        const auto formula = [&](const auto& values) { return plain_hard(s, s.layer, values, mask, true); };
        check_slopes(s, formula, 1, 1e-12);
        check_targets(s);
        s.begin({34}, {70});
        check_slopes(s, formula, 1, 1e-12);
        s.x[0].setZero(), s.x[1].setOnes(), s.x[2].setOnes();
        check_slopes(s, formula, 1, 1e-12);
      }
}

TEST_CASE("HardAttention: the gradient of log_probability") {
  for (const NamedMask& mask : masks())
    for (const bool training : {false, true}) {
      INFO(mask.name);
      Scored s(4, 2, mask);
      s.a.mode = {training, 4};
      s.begin({0, 1, 3, 2, 5}, {2, 3, 0, 1, 4});
      const auto formula = [&]<class T>(const Values<T>& values) {
        using std::log;
        const Table<T> answer = plain_hard(s, s.layer, values, mask, false);
        Table<T> y(6, answer.cols);
        for (Index j = 0; j < y.cols; ++j)
          for (Index r = 0; r < 4; ++r) y(r, j) = answer(r, j);
        each_query(s, values, 2, mask, [&](Index j, Index h, Index, const std::vector<T>& p) {
          const Index chosen = Index(s.a[s.layer.chosen](h, j));
          if (chosen >= 0) y(4 + h, j) = log(p[std::size_t(chosen)]);
        });
        return y;
      };
      check_slopes(s, formula, 1, 1e-12);
      check_targets(s);
    }
}

TEST_CASE("HardAttention: without a gradient of log_probability the score function gives none to queries and keys") {
  Scored s(4, 2, causal());
  s.begin({3}, {4});
  s.forward();
  s.a.d(s.layer.log_probability).setOnes();
  s.forward();
  Tokens<double> dq(4, 3), dk(4, 4), dv(4, 4);
  s.layer.backward(s.x[0], s.x[1], s.x[2], s.answer, s.answer, s.a, dq, dk, dv);
  CHECK((dq.array() == 0).all());
  CHECK((dk.array() == 0).all());
  CHECK((dv.array() != 0).any());
}

TEST_CASE("HardAttention: the score function's mean over the choices is the gradient of the mean reward") {
  const Index n = 4;
  Scored s(3, 1, full());
  s.begin({1}, {n});
  const Tokens<double> reward = random<double>(n, 1, 8);
  const double baseline = 0.3;
  Tokens<double> mean_q = Tokens<double>::Zero(3, 1), mean_k = Tokens<double>::Zero(3, n);
  std::vector<bool> seen(std::size_t(n), false);
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    s.a.mode = {true, seed};
    s.forward();
    const Index i = Index(s.a[s.layer.chosen](0, 0));
    if (seen[std::size_t(i)]) continue;
    seen[std::size_t(i)] = true;
    s.a.d(s.layer.log_probability).setConstant(reward(i, 0) - baseline);
    s.layer.backward(s.x[0], s.x[1], s.x[2], s.answer, Tokens<double>::Zero(3, 1).eval(), s.a, s.dx[0], s.dx[1],
                     s.dx[2]);
    const double p = std::exp(s.a[s.layer.log_probability](0, 0));
    mean_q += p * s.dx[0], mean_k += p * s.dx[1];
  }
  for (const bool each : seen) REQUIRE(each);
  Values<Dual> values(s);
  const auto slope = [&](Dual& along) {
    along.d = 1;
    Dual mean;
    each_query(s, values, 1, full(), [&](Index, Index, Index, const std::vector<Dual>& p) {
      for (Index i = 0; i < n; ++i) mean += p[std::size_t(i)] * Dual(reward(i, 0));
    });
    along.d = 0;
    return double(mean.d);
  };
  for (Index r = 0; r < 3; ++r) {
    CHECK(std::abs(mean_q(r, 0) - slope(values.x[0](r, 0))) <= 1e-14);
    for (Index i = 0; i < n; ++i) CHECK(std::abs(mean_k(r, i) - slope(values.x[1](r, i))) <= 1e-14);
  }
}

TEST_CASE("HardAttention chooses as often as the softmax says, each head and query on its own") {
  const Index n = 5, draws = 40000;
  auto s = attention<float>(4, 4, 2, full());
  s.a.mode = {true, 1};
  s.begin({draws}, {n});
  s.x[0] = s.x[0].col(0).replicate(1, draws).eval();
  s.forward();
  Tokens<float> p(n, draws);
  const auto of_head = [&](Index head) {
    s.layer.weights(s.x[0], s.x[1], s.a, 0, head, p);
    return Tokens<double>(p.col(0).cast<double>());
  };
  const Tokens<double> first = of_head(0), second = of_head(1);
  Tokens<double> both = Tokens<double>::Zero(n, n), next = both;
  const auto chosen = s.a[s.layer.chosen];
  for (Index j = 0; j < draws; ++j) {
    both(Index(chosen(0, j)), Index(chosen(1, j))) += 1;
    if (j > 0) next(Index(chosen(0, j - 1)), Index(chosen(0, j))) += 1;
  }
  const auto check_counts = [&](const Tokens<double>& counts, const Tokens<double>& one, const Tokens<double>& other) {
    for (Index i = 0; i < n; ++i)
      for (Index k = 0; k < n; ++k) {
        const double expected = one(i, 0) * other(k, 0), deviation = std::sqrt(expected * (1 - expected) / draws);
        INFO(i << " and " << k << ", " << expected);
        CHECK(std::abs(counts(i, k) / draws - expected) <= 5 * deviation + 1.0 / draws);
      }
  };
  check_counts(both, first, second);
  check_counts(next, first, first);
}

TEST_CASE("HardAttention: the same seed, the same bits, and evaluating needs none") {
  auto s = attention<float>(4, 4, 2, causal(), false);
  const auto run = [&](heed::Mode mode) {
    s.a.mode = mode;
    s.begin({40, 3});
    s.forward();
    Parameters<float> g(s.layout);
    s.backward(random<float>(4, 43, 1), g);
    Tokens<float> all(14, 43);
    all << s.y, s.dx[0], s.dx[1], s.a[s.layer.chosen];
    return all;
  };
  CHECK(same_bits(run({true, 1}), run({true, 1})));
  CHECK(!same_bits(run({true, 1}), run({true, 2})));
  CHECK(same_bits(run({false, 1}), run({false, 2})));
  CHECK(!same_bits(run({false, 1}), run({true, 1})));
}

TEST_CASE("HardAttention: layers of other names draw other numbers") {
  heed::Layout layout;
  const Axis time = layout.axis();
  const Scope at(layout, time);
  const HardAttention<double> one(at / "one", time, {.dim = 2}), other(at / "other", time, {.dim = 2});
  heed::Activations<double> a(layout);
  a.mode = {true, 1};
  a.begin(time, {50});
  const Tokens<double> x = random<double>(2, 50, 1);
  Tokens<double> y(2, 50);
  one.forward(x, x, x, y, a), other.forward(x, x, x, y, a);
  CHECK(!same_bits(a[one.chosen], a[other.chosen]));
}

TEST_CASE("HardAttention: probabilities sum to one over the keys in sight") {
  for (const NamedMask& mask : masks()) {
    auto s = attention<double>(4, 6, 2, mask);
    s.begin(queries, keys);
    s.forward();
    const Values<long double> values(s);
    Index q = 0, k = 0;
    for (std::size_t i = 0; i < queries.size(); q += queries[i], k += keys[i], ++i)
      for (const Index head : {0, 1}) {
        INFO(mask.name << ", sequence " << i << ", head " << head);
        Tokens<double> w = Tokens<double>::Constant(keys[i], queries[i], -3);
        s.layer.weights(s.x[0], s.x[1], s.a, Index(i), head, w);
        check_weights(w, plain_weights(values.x[0], values.x[1], 2, head, mask, q, queries[i], k, keys[i]), mask);
      }
  }
}

TEST_CASE("HardAttention: a query that sees no key answers zero, with zero gradient") {
  for (const bool training : {false, true}) {
    auto s = attention<double>(4, 4, 2, window(2));
    s.a.mode = {training, 1};
    check_blind(s);
    CHECK((s.a[s.layer.chosen].rightCols(37).array() == -1).all());
  }
}

TEST_CASE("HardAttention: huge queries, keys and values") {
  for (const NamedMask& mask : masks())
    for (const bool training : {false, true}) {
      INFO(mask.name);
      auto s = attention<double>(4, 4, 2, mask);
      s.a.mode = {training, 1};
      s.begin({0, 1, 5}, {2, 3, 6});
      for (std::size_t i = 0; i < 3; ++i) s.x[i] = saturated<double>(4, s.x[i].cols(), i + 1);
      check_slopes(s, [&](const auto& values) { return plain_hard(s, s.layer, values, mask, true); });
    }
}

TEST_CASE("HardAttention: nothing leaks") {
  for (const NamedMask& mask : masks())
    for (const bool training : {false, true}) {
      INFO(mask.name);
      auto s = attention<float>(4, 4, 2, mask);
      s.a.mode = {training, 1};
      s.begin({0, 1, 4, 2}, {2, 3, 5, 0});
      check_sight(s, mask);
    }
}

TEST_CASE("HardAttention: extend") {
  for (const NamedMask& mask : masks()) {
    INFO(mask.name);
    auto own = attention<double>(4, 6, 2, mask, true), same = attention<double>(4, 6, 2, mask, false);
    for (const bool training : {false, true}) {  // what is drawn depends on the position, and not on the piece
      own.a.mode = same.a.mode = {training, 5};
      check_extend(own, {.columns = 60, .chunk = 5});
      check_extend(same, {.columns = 60, .chunk = 5});
    }
  }
}

TEST_CASE("HardAttention: chosen counts from the beginning of the lane") {
  auto s = attention<double>(2, 2, 1, window(3), false), whole = attention<double>(2, 2, 1, window(3), false);
  whole.begin({20});
  whole.forward();
  heed::Memory<double> m(s.layout, 1, {.chunk = 2});
  for (Index t = 0; t < 20; t += 2) {
    s.begin({2});
    for (std::size_t i = 0; i < 3; ++i) s.x[i] = whole.x[i].middleCols(t, 2);
    s.extend(m);
    m.advance();
    CHECK(same_bits(s.a[s.layer.chosen], whole.a[whole.layer.chosen].middleCols(t, 2)));
  }
}

TEST_CASE("HardAttention learns where to look from rewards alone") {
  // A cue of four stands in the query; the key of the next kind is right, wherever it stands, and brings 1. The cue's
  // projection learns by the score function with the running mean of rewards as its baseline.
  const Index kinds = 4, batch = 32;
  heed::Layout layout;
  const Axis time = layout.axis(), source = layout.axis();
  const Scope at(layout, time);
  const heed::Linear<float> project(at / "query", kinds, kinds, false);
  const HardAttention<float> look(at / "look", source, {.dim = kinds, .estimator = Estimator::score_function});
  Parameters<float> p(layout, 1), g(layout);
  heed::Activations<float> a(layout);
  a.begin(time, batch, [](Index) { return 1; });
  a.begin(source, batch, [&](Index) { return kinds; });
  Tokens<float> cues(kinds, batch), tokens(kinds, batch * kinds), q(kinds, batch), y(kinds, batch), dq(kinds, batch);
  const Tokens<float> dy = Tokens<float>::Zero(kinds, batch);
  heed::Random world(1);
  float baseline = 0;

  const auto rewards = [&](heed::Mode mode) {
    cues.setZero(), tokens.setZero();
    for (Index s = 0; s < batch; ++s) {
      const Index cue = world.below(kinds), turn = world.below(kinds);
      cues(cue, s) = 1;
      for (Index i = 0; i < kinds; ++i) tokens((i + turn) % kinds, s * kinds + i) = 1;
    }
    a.mode = mode;
    project.forward(p, cues, q);
    look.forward(q, tokens, tokens, y, a);
    Tokens<float> r(1, batch);
    for (Index s = 0; s < batch; ++s) {
      Index cue = 0, found = 0;
      cues.col(s).maxCoeff(&cue), y.col(s).maxCoeff(&found);
      r(0, s) = found == (cue + 1) % kinds ? 1 : 0;
    }
    return r;
  };
  const auto mean_reward = [&](bool training) {
    float sum = 0;
    for (std::uint64_t i = 0; i < 20; ++i) sum += rewards({training, 1000000 + i}).mean() / 20;
    return sum;
  };

  CHECK(mean_reward(true) < 0.6);
  for (std::uint64_t step = 0; step < 400; ++step) {
    const Tokens<float> r = rewards({true, step});
    a.d(look.log_probability) = -(r.array() - baseline).matrix() / float(batch);
    baseline += 0.1f * (r.mean() - baseline);
    look.backward(q, tokens, tokens, y, dy, a, dq, heed::no_gradient, heed::no_gradient);
    g.flat.setZero();
    project.backward(p, cues, dq, g, heed::no_gradient);
    p.flat -= 5.f * g.flat;
  }
  CHECK(mean_reward(true) > 0.9);
  CHECK(mean_reward(false) == Approx(1));
}

TEST_CASE("HardAttention: wrong shapes and counts") {
  auto s = attention<double>(4, 6, 2, causal());
  heed::Memory<double> m(s.layout, 2, 8);
  check_attention_complaints(s, "HardAttention", m, [&](Index sequence, Index head, Tokens<double>& w) {
    s.layer.weights(s.x[0], s.x[1], s.a, sequence, head, w);
  });
  check_complaint("HardAttention: dim 6 and value dim 8 must be multiples of heads 4",
                  [] { attention<double>(6, 8, 4, full()); });
}
