#include "heed/layers/set_attention_block.hpp"

#include "set_attention_formulas.hpp"

using namespace support;
using heed::SetAttentionBlock;

namespace {

template <class S>
auto block(Index dim, Index heads, Index source_dim) {
  return Rig<S, SetAttentionBlock<S>, 2>({dim, source_dim}, dim, [=](Subject<S>& s) {
    s.axes = {s.time, s.source};
    return SetAttentionBlock<S>(s.at(), s.source, {.dim = dim, .heads = heads, .source_dim = source_dim});
  });
}

auto formula(const auto& s) {
  return [&s](const auto& values) {
    return plain_set_attention(values, s.layer, values.x[0], values.x[1], s.time_lengths, s.source_lengths);
  };
}

const Lengths queries{0, 1, 3, 2, 40}, keys{2, 3, 0, 1, 70};

}  // namespace

TEST_CASE("SetAttentionBlock is LayerNorm(H + rFF(H)) with H = LayerNorm(X + Multihead(X, Y, Y))") {
  auto s = block<double>(6, 3, 5);
  s.begin(queries, keys);
  check_formula(s, formula(s));
  auto f = block<float>(8, 2, 8);
  f.begin(queries, keys);
  check_formula(f, formula(f));
}

TEST_CASE("SetAttentionBlock: gradients") {
  for (const Index source_dim : {4, 3}) {
    auto s = block<double>(4, 2, source_dim);
    s.begin({0, 1, 3, 2}, {2, 3, 0, 1});
    check_gradients(s);
    check_targets(s);
    s.x[0].setZero(), s.x[1].setOnes();
    check_gradients(s);
    s.x[0] = saturated<double>(4, 6, 1), s.x[1] = saturated<double>(source_dim, 6, 2);
    check_slopes(s, formula(s), 1e4);
  }
}

TEST_CASE("SetAttentionBlock: queries and source may be one set") {
  auto s = block<double>(4, 2, 4);
  s.begin({2, 3}, {2, 3});
  s.x[1] = s.x[0];
  s.forward();
  const Tokens<double> dy = random<double>(4, 5, 1);
  Parameters<double> g(s.layout), h(s.layout);
  s.backward(dy, g);
  Tokens<double> both = Tokens<double>::Zero(4, 5);
  s.layer.backward(s.p, s.x[0], s.x[0], dy, s.a, h, heed::add_to(both), heed::add_to(both));
  CHECK(distance(both, (s.dx[0] + s.dx[1]).eval()) <= 1e-13);
  CHECK(same_bits(g.flat, h.flat));
}

TEST_CASE("SetAttentionBlock: the order of the source does not matter, and that of the queries is kept") {
  auto s = block<double>(4, 2, 3);
  s.begin(queries, keys);
  s.forward();
  const Tokens<double> y = s.y;
  s.x[1] = backwards(s.x[1], keys);
  s.forward();
  CHECK(distance(s.y, y) <= 1e-12);
  s.x[0] = backwards(s.x[0], queries);
  s.forward();
  CHECK(distance(s.y, backwards(y, queries)) <= 1e-12);
}

TEST_CASE("SetAttentionBlock: of an empty set attention answers its bias, and nothing leaks") {
  auto s = block<double>(4, 2, 3);
  s.begin({2, 0}, {0, 0});
  check_formula(s, formula(s));
  const Tokens<double> y = s.y;
  s.p[s.layer.attention.out_proj.bias] *= 2;
  s.forward();
  CHECK(s.y.allFinite());
  CHECK(distance(s.y, y) > 1e-3);
  auto f = block<float>(4, 2, 3);
  f.begin({0, 1, 4, 2}, {2, 3, 5, 0});
  check_sight(f, full());
}

TEST_CASE("SetAttentionBlock has names") {
  auto s = block<float>(4, 2, 3);
  std::string all;
  for (const auto& e : s.layout.entries()) all += e.name + " ";
  CHECK(all ==
        "attention.q_proj_weight attention.k_proj_weight attention.v_proj_weight attention.in_proj_bias "
        "attention.out_proj.weight attention.out_proj.bias linear.weight linear.bias norm1.weight norm1.bias "
        "norm2.weight norm2.bias ");
}

TEST_CASE("SetAttentionBlock: wrong shapes, heads and counts") {
  auto s = block<double>(4, 2, 3);
  s.begin({2, 3}, {1, 4});
  check_shapes(s, "SetAttentionBlock", {"x", "source"});
  check_complaint("dim 10 is not a multiple of heads 4", [] { block<float>(10, 4, 10); });
  s.begin({2, 3}, {1, 4, 0});
  check_complaint("SetAttentionBlock: 2 sequences of queries, but 3 of keys", [&] { s.forward(); });
}
