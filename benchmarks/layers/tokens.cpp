// Layers that look at each token, or each image, by itself.
#include "harness.hpp"

namespace {

using namespace layers;

/// As many as an Embedding knows.
constexpr Index symbols = 64;
Tokens<S> numbers(Size s) {
  return Tokens<S>::NullaryExpr(1, s.tokens(), [](Index i) { return S(i * 7 % symbols); });
}
/// Four rows of tokens.
Grid grid(Size s) { return {4, s.length / 4}; }
constexpr Grid patch{2, 2};
Tokens<S> patches(Size s) { return Tokens<S>::Random(s.dim, s.tokens() / patch.cells()); }

void activation(const std::string& name, Nonlinearity kind) {
  layer("activation/" + name, [=](Scope, Size) { return Activation<S>(kind); });
}

[[maybe_unused]] const bool registered = [] {
  using enum Nonlinearity;
  activation("identity", identity);
  activation("tanh", tanh);
  activation("relu", relu);
  activation("gelu", gelu);
  activation("gelu_tanh", gelu_tanh);
  activation("silu", silu);
  activation("sigmoid", sigmoid);
  activation("softplus", softplus);
  layer("linear", [](Scope at, Size s) { return Linear<S>(at, s.dim, s.dim); });
  layer("layer_norm", [](Scope at, Size s) { return LayerNorm<S>(at, s.dim); });
  layer("dropout", [](Scope at, Size) { return Dropout<S>(at, 0.1); });
  layer("fractional_difference", [](Scope, Size) { return FractionalDifference<S>(0.5); });
  layer("embedding", [](Scope at, Size s) { return Embedding<S>(at, symbols, s.dim); }, {.first = numbers});
  layer("positional_encoding", [](Scope at, Size) { return SinusoidalPositionalEncoding<S>(at); });
  layer("learned_positional_encoding",
        [](Scope at, Size s) { return LearnedPositionalEncoding<S>(at, s.length, s.dim); });
  layer("sinusoidal_grid_encoding", [](Scope at, Size s) { return SinusoidalGridEncoding<S>(at, grid(s), s.dim); });
  layer("learned_grid_encoding", [](Scope at, Size s) { return LearnedGridEncoding<S>(at, grid(s), s.dim); });
  layer("convolution",
        [](Scope at, Size s) {
          return Convolution<S>(at, {.in = s.dim, .out = s.dim, .image = grid(s), .kernel = {3, 3}, .padding = {1}});
        },
        {.sets = true});
  layer("patch_embedding",
        [](Scope at, Size s) {
          return PatchEmbedding<S>(at, {.in = s.dim, .dim = s.dim, .image = grid(s), .patch = patch});
        },
        {.sets = true, .out = patches});
  return true;
}();

}  // namespace
