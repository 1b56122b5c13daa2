// Blocks, stacks of them, and what they are made of beside attention.
#include "harness.hpp"

namespace {

using namespace layers;

/// Around nothing: y = x + norm(x), or norm(x + x).
struct EmptyResidual {
  Residual<S> residual;

  EmptyResidual(Scope at, Index dim, bool norm_first)
      : residual(at, LayerNorm<S>(at / "norm", dim), Dropout<S>(at / "dropout", 0), norm_first) {}
  void forward(ParametersView<const S> p, Read<S> x, Write<S> y, ActivationsView<S> a) const {
    residual.forward(p, x, y, a, [](Read<S> from, Write<S> to) { to = from; });
  }
  void backward(ParametersView<const S> p, Read<S> x, Read<S> dy, ActivationsView<S> a, ParametersView<S> g,
                Gradient<S> dx) const {
    residual.backward(p, x, dy, a, g, dx, [](Read<S>, Read<S> dto, Gradient<S> dfrom) { dfrom.put(0, dto); });
  }
};

TransformerBlock<S>::Config block(Size s) { return {.dim = s.dim, .heads = s.heads, .activation = Nonlinearity::gelu}; }

[[maybe_unused]] const bool registered = [] {
  layer("residual/norm_first", [](Scope at, Size s) { return EmptyResidual(at, s.dim, true); });
  layer("residual/norm_last", [](Scope at, Size s) { return EmptyResidual(at, s.dim, false); });
  layer<2>("gated_residual", [](Scope at, Size s) { return GatedResidual<S>(at, s.dim); });
  layer("feed_forward", [](Scope at, Size s) { return FeedForward<S>(at, s.dim, 0, Nonlinearity::gelu); });
  layer("transformer_block", [](Scope at, Size s) { return TransformerBlock<S>(at, block(s)); }, {.sizes = many_sizes});
  layer<2>("transformer_decoder_block", [](Scope at, Axis source, Size s) {
    return TransformerDecoderBlock<S>(at, source, {.dim = s.dim, .heads = s.heads});
  });
  layer("gated_block", [](Scope at, Size s) { return GatedBlock<S>(at, {.dim = s.dim, .heads = s.heads}); });
  layer("stack/gated_block", [](Scope at, Size s) {
    return Stack<S, GatedBlock<S>>(at, {.layers = 2, .block = {.dim = s.dim, .heads = s.heads}});
  });
  layer("transformer_encoder",
        [](Scope at, Size s) { return TransformerEncoder<S>(at, {.layers = 2, .block = block(s), .norm = true}); });
  layer<2>("transformer_decoder", [](Scope at, Axis source, Size s) {
    return TransformerDecoder<S>(at, source, {.layers = 2, .block = {.dim = s.dim, .heads = s.heads}, .norm = true});
  });
  layer<2>("transformer", [](Scope at, Axis source, Size s) {
    return Transformer<S>(at, source, {.dim = s.dim, .heads = s.heads, .encoder_layers = 2, .decoder_layers = 2});
  });
  return true;
}();

}  // namespace
