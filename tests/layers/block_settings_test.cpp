// What the blocks of transformers share: dropout, and attention that learns from episodes in segments.
#include "../support.hpp"
#include "heed/layers/gated_block.hpp"
#include "heed/layers/segment_attention.hpp"
#include "heed/layers/stack.hpp"
#include "heed/layers/transformer_block.hpp"
#include "heed/layers/transformer_decoder_block.hpp"

using namespace support;
using heed::GatedBlock, heed::SegmentAttention, heed::Stack, heed::TransformerBlock, heed::TransformerDecoderBlock;

namespace {

template <class Block>
auto block(typename Block::Config c) {
  return Rig<double, Block>({c.dim}, c.dim, [=](Subject<double>& s) { return Block(s.at() / "block", c); });
}

/// In training: gradients for what is dropped, which the seed says. In evaluation: as without dropout.
template <class Block>
void check_dropout(typename Block::Config c) {
  c.dropout = 0.4;
  auto s = block<Block>(c);
  c.dropout = 0;
  auto whole = block<Block>(c);
  s.begin({0, 1, 4}), whole.begin({0, 1, 4});
  s.forward(), whole.forward();
  CHECK(distance(s.y, whole.y) <= 1e-14);
  s.a.mode = {true, 1};
  check_gradients(s);
  check_targets(s);
  s.forward();
  const Tokens<double> first = s.y;
  CHECK(distance(first, whole.y) > 1e-3);
  s.a.mode.seed = 2;
  s.forward();
  CHECK(distance(first, s.y) > 1e-3);
}

template <class Block>
auto stack() {
  using Layer = Stack<double, Block>;
  const typename Block::Config c{.dim = 4,
                                 .heads = 2,
                                 .inner = 5,
                                 .mask = heed::Window(4),
                                 .position = heed::relative(),
                                 .activation = heed::Nonlinearity::tanh};
  return Rig<double, Layer>({4}, 4,
                            [=](Subject<double>& s) { return Layer(s.at(), {.layers = 2, .block = c, .norm = true}); });
}

/// Segments through a ring as long as the window are the windowed full pass, layer upon layer, and their gradients take the
/// past as constant.
template <class Block, class Segments>
void check_segments() {
  auto segments = stack<Segments>();
  auto whole = stack<Block>();
  Lanes<double>(segments, whole, 3, {.chunk = 5}).wander(30, 5, 30, false, false);

  heed::Memory<double> m(segments.layout, 2, {.chunk = 5});
  segments.begin({5, 2});
  segments.extend(m);
  m.advance();
  segments.begin({3, 4});
  const auto forward = [&]() -> const Tokens<double>& {
    segments.extend(m);
    return segments.y;
  };
  // Differences see only what the last segment does: the inputs of the past, at every layer, stay what they were.
  const auto report =
      heed::testing::gradient_check(segments.layout, segments.p, {{"x", segments.x[0], segments.dx[0]}}, forward,
                                    [&](const Tokens<double>& dy, Parameters<double>& g) { segments.backward(dy, g); });
  for (const auto& row : report.rows) {
    INFO(row.name);
    CHECK(row.error <= 1e-6);
  }
}

}  // namespace

TEST_CASE("TransformerBlock: dropout") {
  for (const bool norm_first : {true, false})
    check_dropout<TransformerBlock<double>>(
        {.dim = 4, .heads = 2, .inner = 5, .norm_first = norm_first, .activation = heed::Nonlinearity::tanh});
}

TEST_CASE("GatedBlock: dropout") {
  check_dropout<GatedBlock<double>>({.dim = 4, .heads = 2, .inner = 5, .activation = heed::Nonlinearity::tanh});
}

TEST_CASE("TransformerDecoderBlock: dropout") {
  auto s = Rig<double, TransformerDecoderBlock<double>, 2>({4, 3}, 4, [](Subject<double>& at) {
    at.axes = {at.time, at.source};
    return TransformerDecoderBlock<double>(
        at.at() / "block", at.source,
        {.dim = 4, .heads = 2, .inner = 5, .source_dim = 3, .activation = heed::Nonlinearity::tanh, .dropout = 0.4});
  });
  s.begin({0, 1, 4}, {2, 0, 3});
  s.a.mode = {true, 1};
  check_gradients(s);
  check_targets(s);
}

TEST_CASE("TransformerBlock: segments with a constant past") {
  check_segments<TransformerBlock<double>, TransformerBlock<double, Dynamic, SegmentAttention<double>>>();
}

TEST_CASE("GatedBlock: segments with a constant past") {
  check_segments<GatedBlock<double>, GatedBlock<double, Dynamic, SegmentAttention<double>>>();
}
