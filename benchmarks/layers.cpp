// Every layer: forward, forward with backward, and a step of acting where it has one. Attention is here, the other layers and
// the networks that stand on them in the directory of this name.
//   sh benchmarks/run.sh layers [--benchmark_filter=...]
#include "layers/harness.hpp"

namespace {

using namespace layers;

/// Attention between projections, told all but its width.
template <class Attention>
void multi_head(const std::string& name, typename Attention::Config c) {
  layer(name,
        [=](Scope at, Size s) mutable {
          c.dim = s.dim, c.heads = s.heads;
          return MultiHeadAttention<S, Dynamic, Attention>(at, c);
        },
        {.sizes = many_sizes});
}
/// Without projections.
template <class Attention>
void alone(const std::string& name, typename Attention::Config c) {
  layer<3>(name, [=](Scope at, Size s) mutable {
    c.dim = s.dim, c.heads = s.heads;
    return Attention(at, at.axis(), c);
  });
}
void luong(const std::string& name, LuongScore score, LuongReach reach) {
  layer<2>(name, [=](Scope at, Axis source, Size s) {
    return LuongAttention<S>(at, source, {.query_dim = s.dim, .key_dim = s.dim, .score = score, .reach = reach});
  });
}

[[maybe_unused]] const bool registered = [] {
  const auto softmax = multi_head<DotProductAttention<S>>;
  softmax("multi_head_attention", {});
  softmax("multi_head_attention/causal", {.mask = Causal()});
  softmax("multi_head_attention/rotary", {.position = rotary()});
  softmax("multi_head_attention/alibi", {.position = alibi()});
  softmax("multi_head_attention/relative", {.position = relative()});
  softmax("multi_head_attention/multi_query", {.key_heads = 1});
  softmax("multi_head_attention/normalise", {.normalise = true});
  softmax("multi_head_attention/dropout", {.dropout = 0.1});
  multi_head<LinearAttention<S>>("linear_attention/causal", {.mask = Causal()});
  multi_head<SelectiveAttention<S>>("selective_attention/top_8", {.k = 8});
  multi_head<SelectiveAttention<S>>("selective_attention/sparsemax", {.selection = Selection::sparsemax});
  multi_head<HardAttention<S>>("hard_attention", {});
  alone<DotProductAttention<S>>("dot_product_attention", {});
  alone<LinearAttention<S>>("linear_attention/alone", {});
  alone<SelectiveAttention<S>>("selective_attention/alone", {.k = 8});
  alone<HardAttention<S>>("hard_attention/alone", {});

  layer<3>(
      "cross_attention",
      [](Scope at, Axis source, Size s) { return CrossAttention<S>(at, source, {.dim = s.dim, .heads = s.heads}); },
      {.sizes = many_sizes});
  layer("segment_attention",
        [](Scope at, Size s) { return SegmentAttention<S>(at, {.dim = s.dim, .heads = s.heads, .mask = Window(16)}); });
  layer<2>("additive_attention", [](Scope at, Axis source, Size s) {
    return AdditiveAttention<S>(at, source, {.query_dim = s.dim, .key_dim = s.dim, .width = s.dim});
  });
  luong("luong_attention/dot", LuongScore::dot, LuongReach::global);
  luong("luong_attention/general", LuongScore::general, LuongReach::global);
  luong("luong_attention/concat", LuongScore::concat, LuongReach::global);
  luong("luong_attention/monotonic", LuongScore::general, LuongReach::monotonic);
  luong("luong_attention/predictive", LuongScore::general, LuongReach::predictive);
  return true;
}();

}  // namespace
