#include "heed/layers/transformer_block.hpp"

#include "transformer_formulas.hpp"

using namespace support;
using heed::Nonlinearity, heed::TransformerBlock;

namespace {

template <class S, int D = Dynamic>
auto block(Index dim, Index heads, Index inner, const BlockKind& kind) {
  using Block = TransformerBlock<S, D>;
  return Rig<S, Block>({dim}, dim, [=](Subject<S>& s) {
    return Block(s.at(), {.dim = dim,
                          .heads = heads,
                          .inner = inner,
                          .mask = kind.mask.mask,
                          .norm_first = kind.norm_first,
                          .activation = kind.activation});
  });
}

auto formula(const auto& subject, const BlockKind& kind) {
  return [&subject, kind](const auto& values) {
    return plain_block(values, subject.layer, kind, values.x[0], subject.time_lengths);
  };
}

}  // namespace

TEST_CASE("TransformerBlock is PyTorch's formula") {
  for (const BlockKind& kind : block_kinds()) {
    INFO(kind.mask.name << ", norm first " << kind.norm_first);
    auto s = block<double>(4, 2, 7, kind);
    s.begin({0, 1, 5, 70});
    check_formula(s, formula(s, kind));
    auto f = block<float>(8, 4, 0, kind);
    f.begin({0, 1, 5, 40});
    check_formula(f, formula(f, kind));
  }
}

TEST_CASE("TransformerBlock: gradients") {
  for (const BlockKind& kind : block_kinds()) {
    INFO(kind.mask.name << ", norm first " << kind.norm_first << ", activation " << int(kind.activation));
    auto s = block<double>(4, 2, 5, kind);
    auto fixed = block<double, 4>(4, 2, 5, kind);
    for (Subject<double>* each : {(Subject<double>*)&s, (Subject<double>*)&fixed}) {
      each->begin({0, 1, 4});
      check_gradients(*each);
      check_targets(*each);
    }
    REQUIRE(s.a[s.layer.feed_forward.inner].cwiseAbs().minCoeff() > 1e-3);  // away from the kink of ReLU
    check_same(s, fixed);
    s.x[0].colwise() = random<double>(4, 1, 1).col(0).eval();
    check_gradients(s);
    s.x[0].setZero();
    check_slopes(s, formula(s, kind));
    s.x[0] = saturated<double>(4, 5, 1);
    check_slopes(s, formula(s, kind), 1e4);
  }
}

TEST_CASE("TransformerBlock: gradients over several tiles of queries and keys") {
  for (const bool norm_first : {true, false}) {
    auto s = block<double>(2, 1, 2, {causal(), norm_first, Nonlinearity::tanh});
    s.p.flat = random<double>(s.layout.parameters(), 1, 6);
    s.begin({70});
    s.x[0].row(1) -= s.x[0].row(0);  // two features that differ enough for the norms
    check_slopes(s, formula(s, {causal(), norm_first, Nonlinearity::tanh}));
  }
}

TEST_CASE("TransformerBlock: nothing leaks") {
  for (const BlockKind& kind : block_kinds()) {
    INFO(kind.mask.name << ", norm first " << kind.norm_first);
    auto s = block<float>(8, 2, 5, kind);
    s.begin({0, 1, 5, 3});
    check_sight(s, kind.mask);
  }
}

TEST_CASE("TransformerBlock: extend by any split is forward") {
  for (const BlockKind& kind : block_kinds()) {
    INFO(kind.mask.name << ", norm first " << kind.norm_first);
    auto s = block<double>(4, 2, 5, kind);
    check_extend(s, {.columns = 60, .chunk = 5});
  }
}

TEST_CASE("TransformerBlock has PyTorch's names") {
  const auto s = block<float>(4, 2, 0, {full(), true, Nonlinearity::relu});
  std::string all;
  for (const auto& e : s.layout.entries()) all += e.name + " " + std::to_string(e.shape.rows()) + " ";
  CHECK(all ==
        "self_attn.in_proj_weight 12 self_attn.in_proj_bias 12 self_attn.out_proj.weight 4 self_attn.out_proj.bias 4 "
        "linear1.weight 16 linear1.bias 16 linear2.weight 4 linear2.bias 4 norm1.weight 4 norm1.bias 4 norm2.weight 4 "
        "norm2.bias 4 ");
}

TEST_CASE("TransformerBlock: wrong shapes") {
  for (const bool norm_first : {true, false}) {
    auto s = block<double>(4, 2, 5, {causal(), norm_first, Nonlinearity::relu});
    s.begin({2, 3});
    heed::Memory<double> m(s.layout, 2, 8);
    check_shapes(s, "TransformerBlock", {"x"}, &m);
  }
  check_complaint("dim 10 is not a multiple of heads 4", [] {
    block<float>(10, 4, 5, {full(), true, Nonlinearity::relu});
  });
}
