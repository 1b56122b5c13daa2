#include "heed/layers/stack.hpp"

#include "heed/layers/gated_block.hpp"
#include "heed/layers/transformer_block.hpp"
#include "transformer_formulas.hpp"

using namespace support;
using heed::GatedBlock, heed::Nonlinearity, heed::Stack, heed::TransformerBlock;

namespace {

const BlockKind kind{causal(), true, Nonlinearity::gelu};

template <class S, class Block>
auto stack(Index layers, bool norm, typename Block::Config config) {
  using Layer = Stack<S, Block>;
  return Rig<S, Layer>({config.dim}, config.dim,
                       [=](Subject<S>& s) { return Layer(s.at(), {.layers = layers, .block = config, .norm = norm}); });
}
template <class S, int D = Dynamic>
auto transformers(Index layers, bool norm, Index dim = 4) {
  return stack<S, TransformerBlock<S, D>>(
      layers, norm, {.dim = dim, .heads = 2, .inner = 5, .mask = kind.mask.mask, .activation = kind.activation});
}

}  // namespace

TEST_CASE("Stack is its blocks, one after the other") {
  for (const Index layers : {1, 2, 3})
    for (const bool norm : {false, true}) {
      INFO(layers << " layers, norm " << norm);
      auto s = transformers<double>(layers, norm);
      s.begin({0, 1, 5, 40});
      check_formula(s, [&](const auto& values) {
        return plain_stack(values, s.layer, values.x[0], [&](const auto& block, const auto& x) {
          return plain_block(values, block, kind, x, s.time_lengths);
        });
      });
    }
}

TEST_CASE("Stack: gradients") {
  for (const Index layers : {1, 2, 3})
    for (const bool norm : {false, true}) {
      INFO(layers << " layers, norm " << norm);
      auto s = transformers<double>(layers, norm);
      auto fixed = transformers<double, 4>(layers, norm);
      for (Subject<double>* each : {(Subject<double>*)&s, (Subject<double>*)&fixed}) {
        each->begin({0, 1, 4});
        check_gradients(*each);
        check_targets(*each);
      }
      check_same(s, fixed);
    }
}

TEST_CASE("Stack: no token sees a later one, or another sequence") {
  auto s = transformers<float>(3, true, 8);
  s.begin({0, 1, 5, 3});
  check_sight(s, causal());
}

TEST_CASE("Stack: extend by any split is forward, of blocks of any kind") {
  for (const bool norm : {false, true}) {
    auto s = transformers<double>(3, norm);
    check_extend(s, {.columns = 60, .chunk = 5});
    auto gated = stack<double, GatedBlock<double>>(
        2, norm, {.dim = 4, .heads = 2, .inner = 5, .mask = heed::Causal(), .position = heed::relative()});
    gated.begin({0, 1, 4});
    check_gradients(gated);
    check_extend(gated, {.columns = 60, .chunk = 5});
  }
}

TEST_CASE("Stack: names, wrong shapes and depths") {
  const auto s = transformers<float>(12, true);
  std::size_t in_layer_11 = 0, of_norm = 0;
  for (const auto& e : s.layout.entries()) {
    in_layer_11 += e.name.starts_with("layers.11.");
    of_norm += e.name.starts_with("norm.");
  }
  CHECK(in_layer_11 == 12);
  CHECK(of_norm == 2);
  CHECK(s.layout.entries().size() == 12 * 12 + 2);
  CHECK(transformers<float>(2, false).layout.entries().size() == 2 * 12);
  for (const bool norm : {false, true}) {
    auto wrong = transformers<double>(2, norm);
    wrong.begin({2, 3});
    heed::Memory<double> m(wrong.layout, 2, 8);
    check_shapes(wrong, "Stack", {"x"}, &m);
  }
  check_complaint("Stack: 0 layers, but at least 1 is needed", [] { transformers<float>(0, true); });
}
