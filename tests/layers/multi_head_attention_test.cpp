#include "heed/layers/multi_head_attention.hpp"

#include "../support.hpp"

using namespace support;
using heed::MultiHeadAttention;

namespace {

template <class S, int D = Dynamic>
auto attention(Index dim, Index heads, const NamedMask& mask) {
  return Rig<S, MultiHeadAttention<S, D>>(
      {dim}, dim, [=](Subject<S>& s) { return MultiHeadAttention<S, D>(s.at(), dim, heads, mask.mask); });
}

auto formula(const auto& subject, const NamedMask& mask) {
  return [&subject, mask](const auto& values) {
    return plain_self_attention(values, subject.layer, mask, values.x[0], subject.time_lengths);
  };
}

}  // namespace

TEST_CASE("MultiHeadAttention is softmax attention between its projections") {
  for (const NamedMask& mask : masks()) {
    INFO(mask.name);
    auto s = attention<double>(6, 3, mask);
    s.begin({0, 1, 5, 70});
    check_formula(s, formula(s, mask));
    auto f = attention<float>(16, 4, mask);
    f.begin({0, 1, 5, 70});
    check_formula(f, formula(f, mask));
  }
}

TEST_CASE("MultiHeadAttention: gradients") {
  for (const NamedMask& mask : masks())
    for (const Index heads : {1, 2, 4}) {
      INFO(mask.name << ", heads " << heads);
      auto s = attention<double>(4, heads, mask);
      auto fixed = attention<double, 4>(4, heads, mask);
      for (Subject<double>* each : {(Subject<double>*)&s, (Subject<double>*)&fixed}) {
        each->begin({0, 1, 6});
        check_gradients(*each);
        check_targets(*each);
      }
      check_same(s, fixed);
      s.x[0].setZero();
      check_gradients(s);
      s.x[0].colwise() = random<double>(4, 1, 1).col(0).eval();
      check_gradients(s);
      s.x[0] = saturated<double>(4, 7, 1);
      check_slopes(s, formula(s, mask), 1e4);
    }
}

TEST_CASE("MultiHeadAttention: gradients over several tiles of queries and keys") {
  for (const NamedMask& mask : {full(), causal(), window(3)}) {
    INFO(mask.name);
    auto s = attention<double>(2, 1, mask);
    s.begin({70, 0, 1});
    check_gradients(s);
  }
}

TEST_CASE("MultiHeadAttention: weights sum to one over the keys in sight") {
  for (const NamedMask& mask : masks()) {
    auto s = attention<double>(6, 3, mask);
    const Lengths lengths{0, 1, 5, 70};
    s.begin(lengths);
    s.forward();
    const Values<long double> values(s);
    const auto qkv = plain_linear(values, s.layer.in_proj, values.x[0]);
    const auto q = rows_of(qkv, 0, 6), k = rows_of(qkv, 6, 6);
    Index first = 0;
    for (std::size_t i = 0; i < lengths.size(); first += lengths[i], ++i)
      for (const Index head : {0, 1, 2}) {
        INFO(mask.name << ", sequence " << i << ", head " << head);
        Tokens<double> w = Tokens<double>::Constant(lengths[i], lengths[i], -3);
        s.layer.weights(s.p, s.a, Index(i), head, w);
        check_weights(w, plain_weights(q, k, 3, head, mask, first, lengths[i], first, lengths[i]), mask);
      }
  }
}

TEST_CASE("MultiHeadAttention: nothing leaks through a mask or between sequences") {
  for (const NamedMask& mask : masks()) {
    INFO(mask.name);
    auto s = attention<float>(8, 2, mask);
    s.begin({0, 1, 5, 3});
    check_sight(s, mask);
    s.begin({66});
    check_sight(s, mask);
  }
}

TEST_CASE("MultiHeadAttention without positions does not care for the order of tokens") {
  auto s = attention<double>(8, 2, full());
  s.begin({3, 40});
  s.forward();
  const Tokens<double> x = s.x[0], y = s.y;
  heed::Random random(1);
  Eigen::VectorXi order = Eigen::VectorXi::LinSpaced(40, 0, 39);
  for (Index i = 39; i > 0; --i) std::swap(order(i), order(random.below(i + 1)));
  const Eigen::PermutationMatrix<Dynamic> permutation(order);
  s.x[0].rightCols(40) = x.rightCols(40) * permutation;
  s.forward();
  CHECK(distance(s.y.rightCols(40), (y.rightCols(40) * permutation).eval()) <= 1e-13);
  CHECK(same_bits(s.y.leftCols(3), y.leftCols(3)));
}

TEST_CASE("MultiHeadAttention: extend by any split is forward") {
  for (const NamedMask& mask : masks()) {
    INFO(mask.name);
    auto s = attention<double>(4, 2, mask);
    check_extend(s, {.columns = 60, .chunk = 5});
    auto fixed = attention<double, 4>(4, 2, mask);
    check_extend(fixed, {.columns = 60, .chunk = 5});
  }
}

TEST_CASE("MultiHeadAttention: a window's memory goes round and round") {
  auto s = attention<double>(4, 2, window(3));
  for (const Index chunk : {1, 2, 7}) check_extend(s, {.chunk = chunk}, chunk, 1000);
}

TEST_CASE("MultiHeadAttention: Causal through a ring is a window of its capacity") {
  for (const Index capacity : {1, 4}) {
    auto s = attention<double>(4, 2, causal()), same = attention<double>(4, 2, window(capacity));
    for (const Index chunk : {1, 3})
      Lanes<double>(s, same, 3, {.columns = capacity, .ring = true, .chunk = chunk})
          .wander(60, chunk, 1000, false, false);
  }
}

TEST_CASE("MultiHeadAttention without biases") {
  Rig<double, MultiHeadAttention<double>> s({6}, 6, [](Subject<double>& subject) {
    return MultiHeadAttention<double>(subject.at(), {.dim = 6, .heads = 2, .mask = heed::Causal(), .bias = false});
  });
  s.begin({0, 1, 5});
  check_formula(s, formula(s, causal()));
  check_gradients(s);
  check_extend(s, {.columns = 60, .chunk = 5});
  REQUIRE(s.layout.entries().size() == 2);
  CHECK(s.layout.entries()[0].name.ends_with("in_proj_weight"));
  CHECK(s.layout.entries()[1].name.ends_with("out_proj.weight"));
}

TEST_CASE("MultiHeadAttention has PyTorch's names") {
  heed::Layout layout;
  MultiHeadAttention<float>(Scope(layout, layout.axis(), "self_attn"), 4, 2);
  const char* names[] = {"self_attn.in_proj_weight", "self_attn.in_proj_bias", "self_attn.out_proj.weight",
                         "self_attn.out_proj.bias"};
  const heed::Shape shapes[] = {{12, 4}, {12}, {4, 4}, {4}};
  REQUIRE(layout.entries().size() == 4);
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(layout.entries()[i].name == names[i]);
    CHECK(layout.entries()[i].shape == shapes[i]);
  }
}

TEST_CASE("MultiHeadAttention: wrong shapes, heads and lanes") {
  auto s = attention<double>(4, 2, causal());
  s.begin({2, 3});
  heed::Memory<double> m(s.layout, 2, 4), three(s.layout, 3, 4);
  check_shapes(s, "MultiHeadAttention", {"x"}, &m);
  check_complaint("MultiHeadAttention: dim 10 is not a multiple of heads 4", [] { attention<float>(10, 4, full()); });
  check_complaint("MultiHeadAttention: dim 10 is not a multiple of heads 0", [] { attention<float>(10, 0, full()); });
  Tokens<double> w(3, 3);
  check_complaint("head 2 asked for, but there are 2", [&] { s.layer.weights(s.p, s.a, 1, 2, w); });
  check_complaint("sequence 2 asked for, but there are 2", [&] { s.layer.weights(s.p, s.a, 2, 0, w); });
  check_complaint("Memory: 2 sequences on axis 0, but there are 3 lanes", [&] { s.extend(three); });
  s.begin({2, 5});
  check_complaint("lane 1 holds 0 columns on axis 0 and cannot take 5 more: its capacity is 4", [&] { s.extend(m); });
}
