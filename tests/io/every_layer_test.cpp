// The weights of every layer and every network go into a file and come back bit for bit.
#include <set>

#include "heed/io/safetensors.hpp"
#include "heed/layers/attention_decoder.hpp"
#include "heed/layers/convolution.hpp"
#include "heed/layers/gated_block.hpp"
#include "heed/layers/hard_attention.hpp"
#include "heed/layers/induced_set_attention.hpp"
#include "heed/layers/learned_grid_encoding.hpp"
#include "heed/layers/learned_positional_encoding.hpp"
#include "heed/layers/linear_attention.hpp"
#include "heed/layers/lstm.hpp"
#include "heed/layers/luong_decoder.hpp"
#include "heed/layers/segment_attention.hpp"
#include "heed/layers/selective_attention.hpp"
#include "heed/layers/transformer.hpp"
#include "heed/layers/window_pooling.hpp"
#include "heed/networks/attention_policy.hpp"
#include "heed/networks/attention_q.hpp"
#include "heed/networks/encoder_decoder.hpp"
#include "heed/networks/entity_policy.hpp"
#include "heed/networks/entity_q.hpp"
#include "heed/networks/mlp_policy.hpp"
#include "heed/networks/mlp_q.hpp"
#include "heed/networks/patch_policy.hpp"
#include "heed/networks/patch_q.hpp"
#include "heed/networks/pointer_policy.hpp"
#include "heed/networks/signal_policy.hpp"
#include "heed/networks/transformer_policy.hpp"
#include "heed/networks/transformer_q.hpp"
#include "heed/networks/with_critic.hpp"
#include "support/files.hpp"

namespace {

namespace fs = std::filesystem;
using namespace heed;
using support::Folder;

template <class S>
std::string bits(const Parameters<S>& p) {
  return {reinterpret_cast<const char*>(p.flat.data()), std::size_t(p.flat.size()) * sizeof(S)};
}

/// Saves and loads what is built in layouts, and notes of which headers it was.
template <class S>
struct RoundTrips {
  Folder folder;
  std::set<std::string> headers;

  /// A layer, built by make(at, source): a dozen features for all of them.
  template <class Make>
  void layer(const char* header, Make make) {
    headers.insert(std::string("layers/") + header);
    Layout layout;
    const Axis time = layout.axis();
    make(Scope(layout, time, "the.place"), layout.axis());
    INFO(header);
    check(layout);
  }
  /// A network of the body in `body`, if it has one.
  template <class Net>
  void network(const char* header, const typename Net::Config& c, const char* body = nullptr) {
    headers.insert(std::string("networks/") + header);
    if (body) headers.insert(std::string("networks/") + body);
    INFO(header);
    check(Agent<Net>(c).layout);
  }

 private:
  void check(const Layout& layout) {
    REQUIRE(layout.parameters() > 0);
    Parameters<S> saved(layout), loaded(layout);
    Random random(layout.entries()[0].name.size());
    for (Index i = 0; i < saved.flat.size(); ++i)  // of all magnitudes
      saved.flat[i] = S(std::ldexp(random.uniform(-1, 1), int(random.below(240)) - 120));
    const fs::path path = folder / "weights.safetensors";
    save(path, layout, saved);
    CHECK(load(path, layout, loaded) == layout.entries().size());
    CHECK(bits(loaded) == bits(saved));
    const detail::EntryFile file(path);
    for (const Entry& e : layout.entries()) {
      INFO(e.name);
      const detail::TensorInfo* const t = file.find(e.name);
      REQUIRE(t);
      CHECK(t->shape == detail::sizes_of(e.shape));
      CHECK(e.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_.") == std::string::npos);
    }
  }
};

/// The layers that learn and those that are made of them.
template <class S>
void check_layers(RoundTrips<S>& all) {
  constexpr Index n = 12;
  all.layer("additive_attention", [](Scope at, Axis source) {
    return AdditiveAttention<S>(at, source, {.query_dim = n, .key_dim = 5, .width = 7});
  });
  all.layer("additive_pooling", [](Scope at, Axis) { return AdditivePooling<S>(at, n, 7); });
  all.layer("attention_decoder", [](Scope at, Axis source) {
    return AttentionDecoder<S>(at, source, {.in = 3, .source_dim = 5, .hidden = n, .width = 7});
  });
  all.layer("convolution", [](Scope at, Axis) {
    return Convolution<S>(at, {.in = 2, .out = 3, .image = {6, 5}, .kernel = {3, 2}});
  });
  all.layer("cross_attention",
            [](Scope at, Axis source) { return CrossAttention<S>(at, source, {.dim = n, .heads = 3}, 5, 7); });
  all.layer("dot_product_attention", [](Scope at, Axis source) {
    return DotProductAttention<S>(
        at, source, {.dim = n, .heads = 3, .position = relative(), .normalise = true, .memory_tokens = 2});
  });
  all.layer("embedding", [](Scope at, Axis) { return Embedding<S>(at, 7, n); });
  all.layer("feed_forward", [](Scope at, Axis) { return FeedForward<S>(at, n); });
  all.layer("gated_block",
            [](Scope at, Axis) { return GatedBlock<S>(at, {.dim = n, .heads = 3, .position = relative()}); });
  all.layer("gated_residual", [](Scope at, Axis) { return GatedResidual<S>(at, n); });
  all.layer("gru", [](Scope at, Axis) { return Gru<S>(at, {.in = 5, .hidden = n, .layers = 2}); });
  all.layer("induced_set_attention",
            [](Scope at, Axis) { return InducedSetAttention<S>(at, {.dim = n, .heads = 3, .points = 2}); });
  all.layer("layer_norm", [](Scope at, Axis) { return LayerNorm<S>(at, n); });
  all.layer("learned_grid_encoding", [](Scope at, Axis) { return LearnedGridEncoding<S>(at, Grid{3, 4}, n); });
  all.layer("learned_positional_encoding", [](Scope at, Axis) { return LearnedPositionalEncoding<S>(at, 9, n); });
  all.layer("linear", [](Scope at, Axis) { return Linear<S>(at, 5, n); });
  all.layer("lstm", [](Scope at, Axis) { return Lstm<S>(at, {.in = 5, .hidden = n, .bidirectional = true}); });
  all.layer("luong_attention", [](Scope at, Axis source) {
    return LuongAttention<S>(
        at, source, {.query_dim = n, .key_dim = 5, .score = LuongScore::concat, .reach = LuongReach::predictive});
  });
  all.layer("luong_decoder",
            [](Scope at, Axis source) { return LuongDecoder<S>(at, source, {.in = 3, .source_dim = 5, .hidden = n}); });
  all.layer("multi_head_attention",
            [](Scope at, Axis) { return MultiHeadAttention<S>(at, {.dim = n, .heads = 4, .key_heads = 2}); });
  all.layer("patch_embedding", [](Scope at, Axis) {
    return PatchEmbedding<S>(at, {.in = 2, .dim = n, .image = {6, 4}, .patch = {3, 2}});
  });
  all.layer("pointer", [](Scope at, Axis source) {
    return Pointer<S>(at, source, {.query_dim = n, .key_dim = 5, .width = 7, .score = PointerScore::additive});
  });
  all.layer("pooling_by_attention", [](Scope at, Axis) {
    return PoolingByAttention<S>(at.along(at.child_axis()), {.dim = n, .heads = 3, .seeds = 2});
  });
  all.layer("segment_attention",
            [](Scope at, Axis) { return SegmentAttention<S>(at, {.dim = n, .heads = 3, .mask = Window(4)}); });
  all.layer("set_attention_block", [](Scope at, Axis source) {
    return SetAttentionBlock<S>(at, source, {.dim = n, .heads = 3, .source_dim = 5});
  });
  all.layer("stack", [](Scope at, Axis) {
    return Stack<S, GatedBlock<S>>(at, {.layers = 2, .block = {.dim = n, .heads = 3}, .norm = true});
  });
  all.layer("transformer", [](Scope at, Axis source) {
    return Transformer<S>(at, source, {.dim = n, .heads = 3, .encoder_layers = 2, .decoder_layers = 1});
  });
  all.layer("transformer_block", [](Scope at, Axis) { return TransformerBlock<S>(at, {.dim = n, .heads = 3}); });
  all.layer("transformer_decoder", [](Scope at, Axis source) {
    return TransformerDecoder<S>(at, source, {.layers = 2, .block = {.dim = n, .heads = 3}});
  });
  all.layer("transformer_decoder_block", [](Scope at, Axis source) {
    return TransformerDecoderBlock<S>(at, source, {.dim = n, .heads = 3, .source_dim = 5});
  });
  all.layer("transformer_encoder", [](Scope at, Axis) {
    return TransformerEncoder<S>(at, {.layers = 2, .block = {.dim = n, .heads = 3}, .norm = true});
  });
  all.layer("window_pooling", [](Scope at, Axis) { return WindowPooling<S>(at, 5, 4, n); });
  // Without weights of their own, where they come between projections.
  all.layer("hard_attention", [](Scope at, Axis) {
    return MultiHeadAttention<S, Dynamic, HardAttention<S>>(at, {.dim = n, .heads = 3});
  });
  all.layer("linear_attention", [](Scope at, Axis) {
    return MultiHeadAttention<S, Dynamic, LinearAttention<S>>(at, {.dim = n, .heads = 3});
  });
  all.layer("selective_attention", [](Scope at, Axis) {
    return MultiHeadAttention<S, Dynamic, SelectiveAttention<S>>(at, {.dim = n, .heads = 3, .k = 2});
  });
}

template <class S>
void check_networks(RoundTrips<S>& all) {
  all.template network<MlpPolicy<S>>("mlp_policy", {.observation = 3, .actions = 2, .value = true}, "mlp_body");
  all.template network<MlpPolicy<S>>("policy_network", {.observation = 3, .actions = 2});
  all.template network<StaticMlpPolicy<S, 3, 2, 8>>("static_mlp_body", {.value = true});
  all.template network<MlpMultiPolicy<S>>("mlp_policy", {.observation = 3, .choices = {2, 3}});
  all.template network<MlpGaussianPolicy<S>>("gaussian_policy_network", {.observation = 3, .actions = 2});
  all.template network<MlpQ<S>>("mlp_q", {.observation = 3, .actions = 2});
  all.template network<MlpQ<S>>("q_network", {.observation = 3, .actions = 2, .dueling = true});
  all.template network<MlpValue<S>>("value_network", {.observation = 3});
  all.template network<AttentionPolicy<S>>("attention_policy", {.observation = 3, .actions = 2}, "attention_body");
  all.template network<AttentionQ<S>>("attention_q", {.observation = 3, .actions = 2});
  all.template network<EntityPolicy<S>>("entity_policy", {.observation = 3, .actions = 2, .types = 2}, "entity_body");
  all.template network<EntityQ<S>>("entity_q", {.observation = 3, .actions = 2});
  all.template network<PatchPolicy<S>>("patch_policy", {.actions = 2, .image = {6, 4}, .patch = {3, 2}}, "patch_body");
  all.template network<PatchQ<S>>("patch_q", {.actions = 2, .image = {6, 4}, .patch = {3, 2}});
  all.template network<PointerPolicy<S>>("pointer_policy", {.observation = 3});
  all.template network<SignalPolicy<S>>("signal_policy", {.observation = 5, .actions = 2, .samples = 3}, "signal_body");
  all.template network<TransformerPolicy<S>>("transformer_policy", {.observation = 3, .actions = 2, .layers = 2},
                                             "transformer_body");
  all.template network<TransformerQ<S>>("transformer_q", {.observation = 3, .actions = 2});
  all.template network<BahdanauNetwork<S>>("encoder_decoder", {.symbols = 5});
  all.template network<LuongNetwork<S>>("encoder_decoder", {.symbols = 5});
  all.template network<WithCritic<TransformerPolicy<S>, MlpValue<S>>>(
      "with_critic", {.actor = {.observation = 3, .actions = 2}, .critic = {.observation = 3}});
}

}  // namespace

TEMPLATE_TEST_CASE("safetensors: the weights of every layer and every network make the round trip", "", float, double) {
  RoundTrips<TestType> all;
  check_layers(all);
  check_networks(all);

  // What has no weights at all.
  for (const char* header : {"activation", "attention_config", "dropout", "fractional_difference", "pooling",
                             "positional_encoding", "positions", "residual", "sinusoidal_grid_encoding"})
    all.headers.insert(std::string("layers/") + header);
  std::set<std::string> there;
  const fs::path root = fs::path(HEED_TEST_DATA) / ".." / ".." / "include" / "heed";
  for (const char* folder : {"layers", "networks"})
    for (const auto& file : fs::directory_iterator(root / folder))
      there.insert(std::string(folder) + "/" + file.path().stem().string());
  CHECK(all.headers == there);
}
