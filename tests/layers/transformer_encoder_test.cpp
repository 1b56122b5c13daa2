#include "heed/layers/transformer_encoder.hpp"

#include "transformer_formulas.hpp"

using namespace support;
using heed::Nonlinearity, heed::TransformerEncoder;

namespace {

template <class S, int D = Dynamic>
auto encoder(Index dim, const BlockKind& kind) {
  using Layer = TransformerEncoder<S, D>;
  return Rig<S, Layer>({dim}, dim, [=](Subject<S>& s) {
    return Layer(s.at(), {.layers = 2,
                          .block = {.dim = dim,
                                    .heads = 2,
                                    .inner = 5,
                                    .mask = kind.mask.mask,
                                    .norm_first = kind.norm_first,
                                    .activation = kind.activation},
                          .norm = true});
  });
}

}  // namespace

TEST_CASE("TransformerEncoder is PyTorch's formula, with its gradients") {
  for (const BlockKind& kind : block_kinds()) {
    INFO(kind.mask.name << ", norm first " << kind.norm_first);
    const auto formula = [&](const auto& s) {
      return [&](const auto& values) {
        return plain_stack(values, s.layer, values.x[0], [&](const auto& block, const auto& x) {
          return plain_block(values, block, kind, x, s.time_lengths);
        });
      };
    };
    auto s = encoder<double>(4, kind);
    auto fixed = encoder<double, 4>(4, kind);
    s.begin({0, 1, 4}), fixed.begin({0, 1, 4});
    check_slopes(s, formula(s));
    check_same(s, fixed);
    auto f = encoder<float>(8, kind);
    f.begin({0, 1, 5, 40});
    check_formula(f, formula(f));
  }
}

TEST_CASE("TransformerEncoder has PyTorch's names") {
  const auto s = encoder<float>(4, {causal(), true, Nonlinearity::relu});
  const auto& all = s.layout.entries();
  CHECK(all.size() == 2 * 12 + 2);
  for (const char* name : {"layers.0.self_attn.in_proj_weight", "layers.1.linear2.bias", "norm.weight"}) {
    INFO(name);
    CHECK(std::count_if(all.begin(), all.end(), [&](const auto& e) { return e.name == name; }) == 1);
  }
}
