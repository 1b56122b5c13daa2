#include "heed/layers/transformer.hpp"

#include "transformer_formulas.hpp"

using namespace support;
using heed::Nonlinearity, heed::Transformer;

namespace {

/// The target first, as it lies along time.
template <class S>
struct TargetFirst {
  Transformer<S> layer;
  void forward(heed::ParametersView<const S> p, heed::Read<S> target, heed::Read<S> source, heed::Write<S> y,
               heed::ActivationsView<S> a) const {
    layer.forward(p, source, target, y, a);
  }
  void extend(heed::ParametersView<const S> p, heed::Read<S> target, heed::Read<S> source, heed::Write<S> y,
              heed::MemoryView<S> m, heed::ActivationsView<S> a) const {
    layer.extend(p, source, target, y, m, a);
  }
  void backward(heed::ParametersView<const S> p, heed::Read<S> target, heed::Read<S> source, heed::Read<S> dy,
                heed::ActivationsView<S> a, heed::ParametersView<S> g, heed::Gradient<S> dtarget,
                heed::Gradient<S> dsource) const {
    layer.backward(p, source, target, dy, a, g, dsource, dtarget);
  }
};

struct Kind {
  NamedMask source_mask, target_mask, memory_mask;
  bool norm_first;
};
std::vector<Kind> kinds() {
  return {{full(), causal(), full(), true}, {causal(), window(3), window(2), true}, {full(), causal(), full(), false}};
}

template <class S>
auto transformer(const Kind& kind, Index dim = 4) {
  using Layer = TargetFirst<S>;
  return Rig<S, Layer, 2>({dim, dim}, dim, [=](Subject<S>& s) {
    s.axes = {s.time, s.source};
    return Layer{Transformer<S>(s.at(), s.source,
                                {.dim = dim,
                                 .heads = 2,
                                 .encoder_layers = 2,
                                 .decoder_layers = 3,
                                 .inner = 5,
                                 .norm_first = kind.norm_first,
                                 .activation = Nonlinearity::gelu,
                                 .source_mask = kind.source_mask.mask,
                                 .target_mask = kind.target_mask.mask,
                                 .memory_mask = kind.memory_mask.mask})};
  });
}

auto formula(const auto& subject, const Kind& kind) {
  return [&subject, kind](const auto& values) {
    const auto& layer = subject.layer.layer;
    const auto encoded = plain_stack(values, layer.encoder, values.x[1], [&](const auto& block, const auto& x) {
      return plain_block(values, block, {kind.source_mask, kind.norm_first, Nonlinearity::gelu}, x,
                         subject.source_lengths);
    });
    return plain_stack(values, layer.decoder.stack, values.x[0], [&](const auto& block, const auto& x) {
      return plain_decoder_block(values, block, {kind.target_mask, kind.norm_first, Nonlinearity::gelu},
                                 kind.memory_mask, x, encoded, subject.time_lengths, subject.source_lengths);
    });
  };
}

}  // namespace

TEST_CASE("Transformer is an encoder and a decoder") {
  for (const Kind& kind : kinds()) {
    INFO("source " << kind.source_mask.name << ", norm first " << kind.norm_first);
    auto s = transformer<double>(kind);
    s.begin({0, 1, 5, 2, 40}, {2, 3, 4, 0, 50});
    check_formula(s, formula(s, kind));
    auto f = transformer<float>(kind, 16);
    f.begin({0, 1, 5, 40}, {2, 3, 0, 9});
    check_formula(f, formula(f, kind));
  }
}

TEST_CASE("Transformer: gradients") {
  for (const Kind& kind : kinds()) {
    INFO("source " << kind.source_mask.name << ", norm first " << kind.norm_first);
    auto s = transformer<double>(kind);
    s.begin({0, 1, 3, 2}, {2, 3, 2, 0});
    check_gradients(s);
    check_targets(s);
    s.x[0].setZero(), s.x[1].setZero();
    check_slopes(s, formula(s, kind));
  }
}

TEST_CASE("Transformer: no target sees a later one, or another sequence") {
  auto s = transformer<float>(kinds()[0], 8);
  s.begin({0, 1, 5, 3}, {2, 1, 6, 0});
  s.forward();
  const Tokens<float> before = s.y;
  for (std::size_t input = 0; input < 2; ++input) {
    const Lengths& lengths = input == 0 ? s.time_lengths : s.source_lengths;
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
            CHECK(same_bits(s.y.col(u), before.col(u)) != (other == changed && (input == 1 || i >= t)));
          }
      }
  }
}

TEST_CASE("Transformer: the target is extended while the source stays") {
  for (const Kind& kind : kinds()) {
    INFO("source " << kind.source_mask.name << ", norm first " << kind.norm_first);
    auto s = transformer<double>(kind);
    Lanes<double> lanes(s, 2, {.columns = 60, .chunk = 5});
    lanes.step({0, 0}, {4, 1});  // the source alone, and then the target token by token
    for (int i = 0; i < 10; ++i) lanes.step({1, i % 3}, {0, 0});
    Lanes<double>(s, 3, {.columns = 60, .chunk = 5}).wander(40, 5, 40, false, true);
  }
}

TEST_CASE("Transformer: a source that sees itself causally may come in pieces") {
  auto s = transformer<double>({causal(), causal(), full(), true});
  Lanes<double> lanes(s, 2, {.columns = 60, .chunk = 5});
  for (const Index i : {0, 1, 2}) lanes.step({0, 0}, {i, 1});
  for (const Index i : {1, 0, 3}) lanes.step({i, 2}, {0, 0});
}

TEST_CASE("Transformer has PyTorch's names") {
  const auto s = transformer<float>(kinds()[0]);
  const auto& all = s.layout.entries();
  CHECK(all.size() == 2 * 12 + 2 + 3 * 18 + 2);
  for (const char* name :
       {"encoder.layers.1.self_attn.in_proj_weight", "encoder.norm.weight",
        "decoder.layers.2.multihead_attn.out_proj.bias", "decoder.layers.0.norm3.weight", "decoder.norm.bias"}) {
    INFO(name);
    CHECK(std::count_if(all.begin(), all.end(), [&](const auto& e) { return e.name == name; }) == 1);
  }
}

TEST_CASE("Transformer: wrong shapes and counts") {
  auto s = transformer<double>(kinds()[0]);
  s.begin({2, 3}, {1, 4});
  heed::Memory<double> m(s.layout, 2, 8);
  check_shapes(s, "Transformer", {"target", "source"}, &m);
  s.begin({2, 3}, {1, 4, 0});
  check_complaint("2 sequences of queries, but 3 of keys", [&] { s.forward(); });
  check_complaint("dim 5 is not a multiple of heads 2", [] { transformer<float>(kinds()[0], 5); });
}
