// Decoders and whole transformers: the same numbers as PyTorch.
#include "parity.hpp"

#include <heed/layers/transformer.hpp>

using namespace parity;
using heed::Axis, heed::Layout, heed::Nonlinearity, heed::Scope;
namespace nn = torch::nn;

namespace {

// Python's modules have norm_first; LibTorch's have not, so there the layers of a module are called one by one.

template <class Module>
Tensor feed_forward(Module& module, bool relu, const Tensor& x) {
  const Tensor inner = module.linear1(x);
  return module.linear2(relu ? torch::relu(inner) : torch::gelu(inner));
}
template <class Attention>
Tensor attend(Attention& attention, const Tensor& x, const Tensor& source, const Tensor& bias) {
  return std::get<0>(attention(x, source, source, Tensor(), false, bias));
}
Tensor encoder_layer(nn::TransformerEncoderLayerImpl& module, bool norm_first, const Tensor& x, const Tensor& bias) {
  if (!norm_first) return module.forward(x, bias);
  const Tensor normed = module.norm1(x), h = x + attend(module.self_attn, normed, normed, bias);
  return h + feed_forward(module, false, module.norm2(h));
}
Tensor decoder_layer(nn::TransformerDecoderLayerImpl& module, bool norm_first, bool relu, const Tensor& x,
                     const Tensor& source, const Tensor& bias, const Tensor& source_bias) {
  if (!norm_first) return module.forward(x, source, bias, source_bias);
  const Tensor normed = module.norm1(x), h1 = x + attend(module.self_attn, normed, normed, bias);
  const Tensor h2 = h1 + attend(module.multihead_attn, module.norm2(h1), source, source_bias);
  return h2 + feed_forward(module, relu, module.norm3(h2));
}

Tensor encode(nn::TransformerEncoderImpl& module, bool norm_first, Tensor x, const Tensor& bias) {
  if (!norm_first) return module.forward(x, bias);
  for (const auto& layer : *module.layers)
    x = encoder_layer(*layer->as<nn::TransformerEncoderLayerImpl>(), true, x, bias);
  return module.norm.is_empty() ? x : module.norm.forward(x);
}
Tensor decode(nn::TransformerDecoderImpl& module, bool norm_first, Tensor x, const Tensor& source, const Tensor& bias,
              const Tensor& source_bias) {
  if (!norm_first) return module.forward(x, source, bias, source_bias);
  for (const auto& layer : *module.layers)
    x = decoder_layer(*layer->as<nn::TransformerDecoderLayerImpl>(), true, false, x, source, bias, source_bias);
  return module.norm.is_empty() ? x : module.norm.forward(x);
}

/// Each target with its source: f(target [time, 1, features], source, their numbers of tokens).
template <class F>
Tensor each_with_source(const Tensor& x, const Sequences& targets, const Tensor& source, const Sequences& sources,
                        F f) {
  std::vector<Tensor> all;
  for (Index i = 0; i < targets.count(); ++i)
    if (targets.length(i) > 0)
      all.push_back(f(tokens_of(x, targets, i).unsqueeze(1), tokens_of(source, sources, i).unsqueeze(1),
                      targets.length(i), sources.length(i))
                        .squeeze(1));
  return torch::cat(all);
}

/// Sources of at least two tokens: without any, PyTorch's softmax fails, and where there is one, the gradient of a query is
/// zero but for rounding.
Sequences several_tokens(Draw& draw, Index count) {
  Sequences drawn = draw.lengths(count), all;
  for (Index i = 0; i < count; ++i) all.append(std::max(drawn.length(i), Index(2)));
  return all;
}

/// Gains of norms around one, as they are in use: smaller ones make tokens nearly alike, and of a gradient that goes through
/// differences of theirs little but rounding is left.
template <class S>
void lift_norms(Trial<S>& trial) {
  const torch::NoGradGuard no_gradient;
  for (const heed::Entry& e : trial.layout.entries()) {
    if (e.name.find("norm") == std::string::npos || !e.name.ends_with(".weight")) continue;
    trial.p.flat.segment(e.offset, e.size()).array() += 1;
    trial[e.name].copy_(torch::from_blob(trial.p.flat.data() + e.offset, {e.size()}, dtype<S>()));
  }
}

/// What a transformer of random sizes is made of. In float it is wider: norms of few numbers, one after the other, magnify
/// rounding, that of PyTorch as much as that of heed.
struct Sizes {
  Index heads, dim, inner;
  bool norm_first;
  Sight sight, source_sight;
  Sequences targets, sources;

  template <class S>
  static Sizes draw(Draw& draw) {
    const Index heads = draw.between(1, 4), count = draw.between(1, 5);
    return {heads,
            heads * (std::is_same_v<S, float> ? draw.between(16, 24) : draw.between(6, 12)),
            draw.size<S>(60),
            draw.coin(),
            Sight::draw(draw),
            draw.coin() ? Sight{heed::Full()} : Sight{heed::Causal(), 1000000, 0},
            draw.lengths(count),
            several_tokens(draw, count)};
  }
};

/// A decoder on both sides: expected(target, source, bias of targets, bias of sources) is PyTorch's answer for one sequence.
/// `skip` says after heed's passes whether this draw is to be left out.
template <class S, class Layer, class Expected, class Skip>
void compare_decoders(Trial<S>& trial, Comparison<S>& comparison, const Layer& layer, const Sizes& n, Axis time,
                      Axis source, Skip skip, Expected expected) {
  Draw& draw = comparison.draw;
  Variable<S> x(draw, n.dim, n.targets.columns()), from(draw, n.dim, n.sources.columns());
  Tokens<S> y(n.dim, n.targets.columns());
  const auto dy = draw.tokens<S>(n.dim, n.targets.columns());
  trial.a.begin(time, n.targets);
  trial.a.begin(source, n.sources);
  layer.forward(trial.p, x.value, from.value, y, trial.a);
  layer.backward(trial.p, x.value, from.value, dy, trial.a, trial.g, x.gradient, from.gradient);
  if (skip()) {
    --comparison.drawn;
    return;
  }
  const Tensor answers =
      each_with_source(x.tensor, n.targets, from.tensor, n.sources,
                       [&](const Tensor& target, const Tensor& memory, Index targets, Index sources) {
                         return expected(target, memory, n.sight.bias(targets, targets, dtype<S>()),
                                         n.source_sight.bias(targets, sources, dtype<S>()));
                       });
  trial.compare(y, dy, answers, {{"x", &x}, {"source", &from}});
}

}  // namespace

TEMPLATE_TEST_CASE("TransformerDecoderBlock", "", float, double) {
  using S = TestType;
  Comparison<S> comparison("TransformerDecoderBlock");
  Draw& draw = comparison.draw;
  while (comparison.drawn < 2 * draws) {
    const Sizes n = Sizes::draw<S>(draw);
    const bool relu = draw.coin();
    Layout layout;
    const Axis time = layout.axis(), source = layout.axis();
    const heed::TransformerDecoderBlock<S> layer(Scope(layout, time), source,
                                                 {.dim = n.dim,
                                                  .heads = n.heads,
                                                  .inner = n.inner,
                                                  .mask = n.sight.mask,
                                                  .source_mask = n.source_sight.mask,
                                                  .norm_first = n.norm_first,
                                                  .activation = relu ? Nonlinearity::relu : Nonlinearity::gelu});
    Trial<S> trial(comparison, layout);
    lift_norms(trial);
    nn::TransformerDecoderLayerOptions options(n.dim, n.heads);
    options.dim_feedforward(n.inner).dropout(0);
    if (!relu) options.activation(torch::kGELU);
    nn::TransformerDecoderLayer module(options);
    trial.load(*module);

    // So close to ReLU's kink that rounding chooses the side.
    const auto near_kink = [&] {
      return relu && trial.a[layer.feed_forward.inner].cwiseAbs().minCoeff() < tolerance<S>;
    };
    compare_decoders(
        trial, comparison, layer, n, time, source, near_kink,
        [&](const Tensor& target, const Tensor& memory, const Tensor& target_bias, const Tensor& memory_bias) {
          return decoder_layer(*module, n.norm_first, relu, target, memory, target_bias, memory_bias);
        });
  }
}

TEMPLATE_TEST_CASE("TransformerEncoder", "", float, double) {
  using S = TestType;
  Comparison<S> comparison("TransformerEncoder");
  Draw& draw = comparison.draw;
  while (comparison.drawn < draws) {
    const Sizes n = Sizes::draw<S>(draw);
    const Index layers = draw.between(1, 3);
    const bool norm = draw.coin();
    Layout layout;
    const Axis time = layout.axis();
    const heed::TransformerEncoder<S> layer(Scope(layout, time), {.layers = layers,
                                                                  .block = {.dim = n.dim,
                                                                            .heads = n.heads,
                                                                            .inner = n.inner,
                                                                            .mask = n.sight.mask,
                                                                            .norm_first = n.norm_first,
                                                                            .activation = Nonlinearity::gelu},
                                                                  .norm = norm});
    Trial<S> trial(comparison, layout);
    lift_norms(trial);
    nn::TransformerEncoderLayer one(nn::TransformerEncoderLayerOptions(n.dim, n.heads)
                                        .dim_feedforward(n.inner)
                                        .dropout(0)
                                        .activation(torch::kGELU));
    nn::TransformerEncoderOptions options(one, layers);
    if (norm) options.norm(nn::AnyModule(nn::LayerNorm(nn::LayerNormOptions({n.dim}))));
    nn::TransformerEncoder module(options);
    trial.load(*module);

    Variable<S> x(draw, n.dim, n.targets.columns());
    Tokens<S> y(n.dim, n.targets.columns());
    const auto dy = draw.tokens<S>(n.dim, n.targets.columns());
    trial.a.begin(time, n.targets);
    layer.forward(trial.p, x.value, y, trial.a);
    layer.backward(trial.p, x.value, dy, trial.a, trial.g, x.gradient);
    const Tensor expected =
        ragged(x.tensor, n.targets, n.sight, false, [&](const Tensor& tokens, const Tensor& bias, const Tensor&) {
          return encode(*module, n.norm_first, tokens, bias);
        });
    trial.compare(y, dy, expected, {{"x", &x}});
  }
}

TEMPLATE_TEST_CASE("TransformerDecoder", "", float, double) {
  using S = TestType;
  Comparison<S> comparison("TransformerDecoder");
  Draw& draw = comparison.draw;
  while (comparison.drawn < draws) {
    const Sizes n = Sizes::draw<S>(draw);
    const Index layers = draw.between(1, 3);
    const bool norm = draw.coin();
    Layout layout;
    const Axis time = layout.axis(), source = layout.axis();
    const heed::TransformerDecoder<S> layer(Scope(layout, time), source,
                                            {.layers = layers,
                                             .block = {.dim = n.dim,
                                                       .heads = n.heads,
                                                       .inner = n.inner,
                                                       .mask = n.sight.mask,
                                                       .source_mask = n.source_sight.mask,
                                                       .norm_first = n.norm_first,
                                                       .activation = Nonlinearity::gelu},
                                             .norm = norm});
    Trial<S> trial(comparison, layout);
    lift_norms(trial);
    nn::TransformerDecoderLayer one(nn::TransformerDecoderLayerOptions(n.dim, n.heads)
                                        .dim_feedforward(n.inner)
                                        .dropout(0)
                                        .activation(torch::kGELU));
    nn::TransformerDecoderOptions options(one, layers);
    if (norm) options.norm(nn::AnyModule(nn::LayerNorm(nn::LayerNormOptions({n.dim}))));
    nn::TransformerDecoder module(options);
    trial.load(*module);

    compare_decoders(
        trial, comparison, layer, n, time, source, [] { return false; },
        [&](const Tensor& target, const Tensor& memory, const Tensor& target_bias, const Tensor& memory_bias) {
          return decode(*module, n.norm_first, target, memory, target_bias, memory_bias);
        });
  }
}

TEMPLATE_TEST_CASE("Transformer", "", float, double) {
  using S = TestType;
  Comparison<S> comparison("Transformer");
  Draw& draw = comparison.draw;
  while (comparison.drawn < draws) {
    const Sizes n = Sizes::draw<S>(draw);
    const Index encoder_layers = draw.between(1, 2), decoder_layers = draw.between(1, 2);
    const Sight encoder_sight = Sight::draw(draw);
    Layout layout;
    const Axis time = layout.axis(), source = layout.axis();
    const heed::Transformer<S> layer(Scope(layout, time), source,
                                     {.dim = n.dim,
                                      .heads = n.heads,
                                      .encoder_layers = encoder_layers,
                                      .decoder_layers = decoder_layers,
                                      .inner = n.inner,
                                      .norm_first = n.norm_first,
                                      .activation = Nonlinearity::gelu,
                                      .source_mask = encoder_sight.mask,
                                      .target_mask = n.sight.mask,
                                      .memory_mask = n.source_sight.mask});
    Trial<S> trial(comparison, layout);
    lift_norms(trial);
    nn::Transformer module(nn::TransformerOptions(n.dim, n.heads, encoder_layers, decoder_layers)
                               .dim_feedforward(n.inner)
                               .dropout(0)
                               .activation(torch::kGELU));
    trial.load(*module);

    Variable<S> from(draw, n.dim, n.sources.columns()), x(draw, n.dim, n.targets.columns());
    Tokens<S> y(n.dim, n.targets.columns());
    const auto dy = draw.tokens<S>(n.dim, n.targets.columns());
    trial.a.begin(time, n.targets);
    trial.a.begin(source, n.sources);
    layer.forward(trial.p, from.value, x.value, y, trial.a);
    layer.backward(trial.p, from.value, x.value, dy, trial.a, trial.g, from.gradient, x.gradient);
    const Tensor expected = each_with_source(
        x.tensor, n.targets, from.tensor, n.sources,
        [&](const Tensor& target, const Tensor& tokens, Index targets, Index sources) {
          const Tensor source_bias = encoder_sight.bias(sources, sources, dtype<S>());
          const Tensor target_bias = n.sight.bias(targets, targets, dtype<S>());
          const Tensor memory_bias = n.source_sight.bias(targets, sources, dtype<S>());
          if (!n.norm_first) return module(tokens, target, source_bias, target_bias, memory_bias);
          const Tensor memory = encode(*module->encoder.get<nn::TransformerEncoder>(), true, tokens, source_bias);
          return decode(*module->decoder.get<nn::TransformerDecoder>(), true, target, memory, target_bias, memory_bias);
        });
    trial.compare(y, dy, expected, {{"source", &from}, {"target", &x}});
  }
}
