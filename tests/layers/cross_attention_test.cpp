#include "heed/layers/cross_attention.hpp"

#include "../support.hpp"

using namespace support;
using heed::CrossAttention;

namespace {

template <class S, int D = Dynamic>
auto attention(Index dim, Index heads, Index key_dim, Index value_dim, const NamedMask& mask) {
  return Rig<S, CrossAttention<S, D>, 3>({dim, key_dim, value_dim}, dim, [=](Subject<S>& s) {
    s.axes = {s.time, s.source, s.source};
    return CrossAttention<S, D>(s.at(), s.source, {.dim = dim, .heads = heads, .mask = mask.mask}, key_dim, value_dim);
  });
}

auto formula(const auto& subject, const NamedMask& mask) {
  return [&subject, mask](const auto& values) {
    const auto& layer = subject.layer;
    const auto mixed = plain_attention(plain_linear(values, layer.q_proj, values.x[0]),
                                       plain_linear(values, layer.k_proj, values.x[1]),
                                       plain_linear(values, layer.v_proj, values.x[2]), layer.attention.config.heads,
                                       mask, subject.time_lengths, subject.source_lengths);
    return plain_linear(values, layer.out_proj, mixed);
  };
}

}  // namespace

TEST_CASE("CrossAttention is softmax attention between projections of two axes") {
  for (const NamedMask& mask : masks()) {
    INFO(mask.name);
    auto s = attention<double>(6, 3, 5, 2, mask);
    s.begin({0, 1, 3, 2, 70}, {2, 3, 0, 1, 90});
    check_formula(s, formula(s, mask));
    auto f = attention<float>(8, 2, 8, 8, mask);
    f.begin({0, 1, 3, 40}, {2, 3, 0, 9});
    check_formula(f, formula(f, mask));
  }
}

TEST_CASE("CrossAttention without biases") {
  for (const Index key_dim : {6, 5}) {
    Rig<double, CrossAttention<double>, 3> s({6, key_dim, 6}, 6, [=](Subject<double>& subject) {
      subject.axes = {subject.time, subject.source, subject.source};
      return CrossAttention<double>(subject.at(), subject.source, {.dim = 6, .heads = 2, .bias = false}, key_dim);
    });
    s.begin({0, 1, 3, 2}, {2, 3, 0, 1});
    check_formula(s, formula(s, full()));
    check_gradients(s);
    CHECK(s.layout.entries().size() == (key_dim == 6 ? 2 : 4));
  }
}

TEST_CASE("CrossAttention: gradients") {
  for (const NamedMask& mask : masks())
    for (const Index heads : {1, 2}) {
      INFO(mask.name << ", heads " << heads);
      auto s = attention<double>(4, heads, 3, 5, mask), packed = attention<double>(4, heads, 4, 4, mask);
      auto fixed = attention<double, 4>(4, heads, 3, 5, mask),
           fixed_packed = attention<double, 4>(4, heads, 4, 4, mask);
      for (Subject<double>* each : {(Subject<double>*)&s, (Subject<double>*)&packed, (Subject<double>*)&fixed,
                                    (Subject<double>*)&fixed_packed}) {
        each->begin({0, 1, 3, 2, 5}, {2, 3, 0, 1, 4});
        check_gradients(*each);
        check_targets(*each);
      }
      check_same(s, fixed);
      check_same(packed, fixed_packed);
      s.x[0].setZero();
      check_gradients(s);
      s.x[1].setOnes(), s.x[2].setOnes();
      check_gradients(s);
      s.begin({0, 1, 3}, {2, 3, 2});
      for (std::size_t i = 0; i < 3; ++i) s.x[i] = saturated<double>(s.rows[i], s.x[i].cols(), i + 1);
      check_slopes(s, formula(s, mask), 1e4);
    }
}

TEST_CASE("CrossAttention: gradients over several tiles of queries and keys") {
  auto s = attention<double>(2, 1, 2, 2, full());
  s.begin({34, 1}, {66, 0});
  check_gradients(s);
}

TEST_CASE("CrossAttention: key and value may be one source") {
  auto s = attention<double>(4, 2, 3, 3, full());
  s.begin({2, 3}, {4, 1});
  s.x[2] = s.x[1];
  s.forward();
  const Tokens<double> dy = random<double>(4, 5, 1);
  Parameters<double> g(s.layout), h(s.layout);
  s.backward(dy, g);
  Tokens<double> both = Tokens<double>::Zero(3, 5);
  s.layer.backward(s.p, s.x[0], s.x[1], s.x[1], dy, s.a, h, heed::no_gradient, heed::add_to(both), heed::add_to(both));
  CHECK(distance(both, (s.dx[1] + s.dx[2]).eval()) <= 1e-13);
  CHECK(same_bits(g.flat, h.flat));
}

TEST_CASE("CrossAttention: weights sum to one over the keys in sight") {
  const Lengths queries{0, 1, 3, 40}, keys{2, 3, 0, 70};
  for (const NamedMask& mask : masks()) {
    auto s = attention<double>(4, 2, 3, 5, mask);
    s.begin(queries, keys);
    s.forward();
    const Values<long double> values(s);
    const auto projected_q = plain_linear(values, s.layer.q_proj, values.x[0]);
    const auto projected_k = plain_linear(values, s.layer.k_proj, values.x[1]);
    Index q = 0, k = 0;
    for (std::size_t i = 0; i < queries.size(); q += queries[i], k += keys[i], ++i)
      for (const Index head : {0, 1}) {
        INFO(mask.name << ", sequence " << i << ", head " << head);
        Tokens<double> w = Tokens<double>::Constant(keys[i], queries[i], -3);
        s.layer.weights(s.p, s.a, Index(i), head, w);
        check_weights(w, plain_weights(projected_q, projected_k, 2, head, mask, q, queries[i], k, keys[i]), mask);
      }
  }
}

TEST_CASE("CrossAttention: a query that sees no key answers the bias alone, with zero gradient") {
  auto s = attention<double>(4, 2, 3, 5, window(2));
  s.begin({3, 40}, {0, 2});
  s.forward();
  for (Index j = 0; j < 43; ++j)
    if (j < 3 || j >= 6) CHECK(same_bits(s.y.col(j), s.p[s.layer.out_proj.bias]));
  Parameters<double> g(s.layout);
  s.backward(random<double>(4, 43, 1), g);
  CHECK((s.dx[0].leftCols(3).array() == 0).all());
  CHECK((s.dx[0].rightCols(37).array() == 0).all());
}

TEST_CASE("CrossAttention: nothing leaks") {
  for (const NamedMask& mask : masks()) {
    INFO(mask.name);
    auto s = attention<float>(4, 2, 3, 5, mask);
    s.begin({0, 1, 4, 2}, {2, 3, 5, 0});
    check_sight(s, mask);
  }
}

TEST_CASE("CrossAttention: extend, with a source that stays and with one that grows") {
  for (const NamedMask& mask : masks()) {
    INFO(mask.name);
    auto s = attention<double>(4, 2, 3, 5, mask);
    check_extend(s, {.columns = 60});
  }
}

TEST_CASE("CrossAttention: a source in a ring is seen as far as it is remembered") {
  auto s = attention<double>(4, 2, 3, 5, full()), whole = attention<double>(4, 2, 3, 5, full());
  heed::Memory<double> m(s.layout, 1, {{s.source, {.columns = 6, .ring = true, .chunk = 6}}});
  Tokens<double> key(3, 0), value(5, 0);
  const auto step = [&](Index queries, Index keys, std::uint64_t seed) {
    s.begin({queries}, {keys}, seed);
    s.extend(m);
    m.advance();
    key.conservativeResize(3, key.cols() + keys), key.rightCols(keys) = s.x[1];
    value.conservativeResize(5, value.cols() + keys), value.rightCols(keys) = s.x[2];
    const Index seen = std::min(key.cols(), Index(6));
    whole.begin({queries}, {seen});
    whole.x[0] = s.x[0], whole.x[1] = key.rightCols(seen), whole.x[2] = value.rightCols(seen);
    whole.forward();
    INFO("seed " << seed);
    CHECK(distance(s.y, whole.y) <= 1e-12);
  };
  step(1, 6, 1);                                         // a source that fills the ring, given once
  for (std::uint64_t i = 2; i < 20; ++i) step(1, 0, i);  // stays, while queries go on
  s.begin({1}, {6}, 99);
  s.extend(m);  // is not committed, and so disturbs nothing
  step(1, 0, 20);
  for (std::uint64_t i = 21; i < 40; ++i) step(2, 1, i);  // and then goes on
}

TEST_CASE("CrossAttention has PyTorch's names") {
  const auto names = [](Index key_dim, Index value_dim) {
    auto s = attention<float>(4, 2, key_dim, value_dim, full());
    std::string all;
    for (const auto& e : s.layout.entries()) {
      all += e.name + " ";
      for (int i = 0; i < e.shape.rank(); ++i) all += std::to_string(e.shape[i]) + " ";
    }
    return all;
  };
  const std::string rest = "in_proj_bias 12 out_proj.weight 4 4 out_proj.bias 4 ";
  CHECK(names(4, 4) == "in_proj_weight 12 4 " + rest);
  CHECK(names(0, 0) == names(4, 4));
  CHECK(names(3, 4) == "q_proj_weight 4 4 k_proj_weight 4 3 v_proj_weight 4 4 " + rest);
  CHECK(names(4, 5) == "q_proj_weight 4 4 k_proj_weight 4 4 v_proj_weight 4 5 " + rest);
}

TEST_CASE("CrossAttention: wrong shapes, heads and counts") {
  auto s = attention<double>(4, 2, 3, 5, causal());
  s.begin({2, 3}, {1, 4});
  heed::Memory<double> m(s.layout, 2, 8);
  check_shapes(s, "CrossAttention", {"x", "key", "value"}, &m);
  check_complaint("CrossAttention: dim 10 is not a multiple of heads 4",
                  [] { attention<float>(10, 4, 10, 10, full()); });
  check_complaint("CrossAttention: dim 10 is not a multiple of heads 0",
                  [] { attention<float>(10, 0, 10, 10, full()); });
  Tokens<double> w(4, 3);
  check_complaint("head 2 asked for, but there are 2", [&] { s.layer.weights(s.p, s.a, 1, 2, w); });
  check_complaint("sequence 2 asked for, but there are 2", [&] { s.layer.weights(s.p, s.a, 2, 0, w); });
  s.begin({2, 3}, {1, 4, 0});
  const char* counts = "CrossAttention: 2 sequences of queries, but 3 of keys";
  check_complaint(counts, [&] { s.forward(); });
  check_complaint(counts, [&] { s.extend(m); });
}
