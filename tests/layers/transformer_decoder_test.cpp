#include "heed/layers/transformer_decoder.hpp"

#include "transformer_formulas.hpp"

using namespace support;
using heed::Nonlinearity, heed::TransformerDecoder;

namespace {

const BlockKind kind{causal(), true, Nonlinearity::gelu};

template <class S, int D = Dynamic>
auto decoder(Index layers, bool norm, Index dim = 4, Index source_dim = 3) {
  using Layer = TransformerDecoder<S, D>;
  return Rig<S, Layer, 2>({dim, source_dim}, dim, [=](Subject<S>& s) {
    s.axes = {s.time, s.source};
    return Layer(
        s.at(), s.source,
        {.layers = layers,
         .block = {.dim = dim, .heads = 2, .inner = 5, .source_dim = source_dim, .activation = kind.activation},
         .norm = norm});
  });
}

}  // namespace

TEST_CASE("TransformerDecoder is its blocks, one after the other, with one source") {
  for (const Index layers : {1, 3})
    for (const bool norm : {false, true}) {
      INFO(layers << " layers, norm " << norm);
      auto s = decoder<double>(layers, norm);
      s.begin({0, 1, 5, 2, 40}, {2, 3, 4, 0, 50});
      check_formula(s, [&](const auto& values) {
        return plain_stack(values, s.layer.stack, values.x[0], [&](const auto& block, const auto& x) {
          return plain_decoder_block(values, block, kind, full(), x, values.x[1], s.time_lengths, s.source_lengths);
        });
      });
    }
}

TEST_CASE("TransformerDecoder: gradients") {
  for (const Index layers : {1, 3})
    for (const bool norm : {false, true}) {
      INFO(layers << " layers, norm " << norm);
      auto s = decoder<double>(layers, norm);
      auto fixed = decoder<double, 4>(layers, norm);
      for (Subject<double>* each : {(Subject<double>*)&s, (Subject<double>*)&fixed}) {
        each->begin({0, 1, 3, 2}, {2, 3, 2, 0});
        check_gradients(*each);
        check_targets(*each);
      }
      check_same(s, fixed);
    }
}

TEST_CASE("TransformerDecoder: extend while the source stays") {
  for (const bool norm : {false, true}) {
    auto s = decoder<double>(2, norm);
    Lanes<double> lanes(s, 2, {.columns = 60});
    for (int i = 0; i < 10; ++i) lanes.step({i % 3, 1}, {i == 0 ? 4 : 0, i == 0 ? 1 : 0});
    Lanes<double>(s, 3, {.columns = 60}).wander(40, 5, 40, false, true);
  }
}

TEST_CASE("TransformerDecoder: names, wrong shapes and counts") {
  const auto named = decoder<float>(2, true);
  CHECK(named.layout.entries().size() == 2 * 20 + 2);  // apart, as the source is narrower: two more weights a block
  bool found = false;
  for (const auto& e : named.layout.entries()) found = found || e.name == "layers.1.multihead_attn.k_proj_weight";
  CHECK(found);
  for (const bool norm : {false, true}) {
    auto s = decoder<double>(2, norm);
    s.begin({2, 3}, {1, 4});
    heed::Memory<double> m(s.layout, 2, 8);
    check_shapes(s, "TransformerDecoder", {"x", "source"}, &m);
    s.begin({2, 3}, {1, 4, 0});
    check_complaint("2 sequences of queries, but 3 of keys", [&] { s.forward(); });
  }
  check_complaint("0 layers, but at least 1 is needed", [] { decoder<float>(0, true); });
}
