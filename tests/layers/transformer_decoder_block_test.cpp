#include "heed/layers/transformer_decoder_block.hpp"

#include "transformer_formulas.hpp"

using namespace support;
using heed::Nonlinearity, heed::TransformerDecoderBlock;

namespace {

template <class S, int D = Dynamic>
auto block(Index dim, Index heads, Index source_dim, const BlockKind& kind, const NamedMask& source_mask = full()) {
  using Block = TransformerDecoderBlock<S, D>;
  return Rig<S, Block, 2>({dim, source_dim == 0 ? dim : source_dim}, dim, [=](Subject<S>& s) {
    s.axes = {s.time, s.source};
    return Block(s.at(), s.source,
                 {.dim = dim,
                  .heads = heads,
                  .inner = 5,
                  .source_dim = source_dim,
                  .mask = kind.mask.mask,
                  .source_mask = source_mask.mask,
                  .norm_first = kind.norm_first,
                  .activation = kind.activation});
  });
}

auto formula(const auto& subject, const BlockKind& kind, const NamedMask& source_mask = full()) {
  return [&subject, kind, source_mask](const auto& values) {
    return plain_decoder_block(values, subject.layer, kind, source_mask, values.x[0], values.x[1], subject.time_lengths,
                               subject.source_lengths);
  };
}

}  // namespace

TEST_CASE("TransformerDecoderBlock is PyTorch's formula") {
  for (const BlockKind& kind : block_kinds())
    for (const NamedMask& source_mask : {full(), window(3)}) {
      INFO(kind.mask.name << ", source " << source_mask.name << ", norm first " << kind.norm_first);
      auto s = block<double>(4, 2, 3, kind, source_mask);
      s.begin({0, 1, 5, 2, 70}, {2, 3, 4, 0, 90});
      check_formula(s, formula(s, kind, source_mask));
      auto f = block<float>(8, 4, 0, kind, source_mask);
      f.begin({0, 1, 5, 40}, {2, 3, 0, 9});
      check_formula(f, formula(f, kind, source_mask));
    }
}

TEST_CASE("TransformerDecoderBlock: gradients") {
  for (const BlockKind& kind : block_kinds()) {
    INFO(kind.mask.name << ", norm first " << kind.norm_first << ", activation " << int(kind.activation));
    auto s = block<double>(4, 2, 3, kind);
    auto fixed = block<double, 4>(4, 2, 3, kind);
    for (Subject<double>* each : {(Subject<double>*)&s, (Subject<double>*)&fixed}) {
      each->begin({0, 1, 4, 2}, {2, 3, 2, 0});
      check_gradients(*each);
      check_targets(*each);
    }
    REQUIRE(s.a[s.layer.feed_forward.inner].cwiseAbs().minCoeff() > 1e-3);  // away from the kink of ReLU
    check_same(s, fixed);
    s.x[0].colwise() = random<double>(4, 1, 1).col(0).eval();
    check_gradients(s);
    s.x[0].setZero(), s.x[1].setZero();
    check_slopes(s, formula(s, kind));
    for (std::size_t i = 0; i < 2; ++i) s.x[i] = saturated<double>(s.rows[i], s.x[i].cols(), i + 1);
    check_slopes(s, formula(s, kind), 1e4);
  }
}

TEST_CASE("TransformerDecoderBlock: a token sees what the masks show it") {
  const NamedMask source_mask = window(2);
  for (const BlockKind& kind : block_kinds()) {
    INFO(kind.mask.name << ", norm first " << kind.norm_first);
    auto s = block<float>(8, 2, 0, kind, source_mask);
    s.begin({0, 1, 5, 3}, {2, 1, 6, 0});
    s.forward();
    const Tokens<float> before = s.y;
    const auto check = [&](std::size_t input, const Lengths& lengths, const NamedMask& mask) {
      Index column = 0;
      for (std::size_t changed = 0; changed < lengths.size(); ++changed)
        for (Index t = 0; t < lengths[changed]; ++t, ++column) {
          const Tokens<float> kept = s.x[input];
          s.x[input].col(column).array() += 0.25f + s.x[input].col(column).array().square();
          s.forward();
          s.x[input] = kept;
          Index u = 0;
          for (std::size_t other = 0; other < s.time_lengths.size(); ++other)
            for (Index i = 0; i < s.time_lengths[other]; ++i, ++u) {
              INFO("input " << input << ", sequence " << changed << " token " << t << " from " << other << " " << i);
              CHECK(same_bits(s.y.col(u), before.col(u)) != (other == changed && mask.sees(i, t)));
            }
        }
    };
    check(0, s.time_lengths, kind.mask);
    check(1, s.source_lengths, source_mask);
  }
}

TEST_CASE("TransformerDecoderBlock: extend, with a source that stays and with one that grows") {
  for (const BlockKind& kind : block_kinds()) {
    INFO(kind.mask.name << ", norm first " << kind.norm_first);
    auto s = block<double>(4, 2, 3, kind);
    check_extend(s, {.columns = 60, .chunk = 5});
  }
}

TEST_CASE("TransformerDecoderBlock has PyTorch's names") {
  const auto s = block<float>(4, 2, 0, {causal(), true, Nonlinearity::relu});
  std::string all;
  for (const auto& e : s.layout.entries()) all += e.name + " " + std::to_string(e.shape.rows()) + " ";
  CHECK(all ==
        "self_attn.in_proj_weight 12 self_attn.in_proj_bias 12 self_attn.out_proj.weight 4 self_attn.out_proj.bias 4 "
        "multihead_attn.in_proj_weight 12 multihead_attn.in_proj_bias 12 multihead_attn.out_proj.weight 4 "
        "multihead_attn.out_proj.bias 4 linear1.weight 5 linear1.bias 5 linear2.weight 4 linear2.bias 4 norm1.weight 4 "
        "norm1.bias 4 norm2.weight 4 norm2.bias 4 norm3.weight 4 norm3.bias 4 ");
}

TEST_CASE("TransformerDecoderBlock: wrong shapes and counts") {
  for (const bool norm_first : {true, false}) {
    auto s = block<double>(4, 2, 3, {causal(), norm_first, Nonlinearity::relu});
    s.begin({2, 3}, {1, 4});
    heed::Memory<double> m(s.layout, 2, 8);
    check_shapes(s, "TransformerDecoderBlock", {"x", "source"}, &m);
    s.begin({2, 3}, {1, 4, 0});
    const char* counts = "TransformerDecoderBlock: 2 sequences of queries, but 3 of keys";
    check_complaint(counts, [&] { s.forward(); });
    check_complaint(counts, [&] { s.extend(m); });
  }
  check_complaint("dim 10 is not a multiple of heads 4", [] {
    block<float>(10, 4, 0, {full(), true, Nonlinearity::relu});
  });
}
