// Layers that go from step to step.
#include "harness.hpp"

namespace {

using namespace layers;

/// The state of each step above what was seen of the source.
Tokens<S> states_and_contexts(Size s) { return Tokens<S>::Random(2 * s.dim, s.tokens()); }

[[maybe_unused]] const bool registered = [] {
  layer("gru", [](Scope at, Size s) { return Gru<S>(at, {.in = s.dim, .hidden = s.dim}); }, {.sizes = many_sizes});
  layer("lstm", [](Scope at, Size s) { return Lstm<S>(at, {.in = s.dim, .hidden = s.dim}); });
  layer<2>("attention_decoder",
           [](Scope at, Axis source, Size s) {
             return AttentionDecoder<S>(at, source,
                                        {.in = s.dim, .source_dim = s.dim, .hidden = s.dim, .width = s.dim});
           },
           {.out = states_and_contexts});
  layer<2>("luong_decoder", [](Scope at, Axis source, Size s) {
    return LuongDecoder<S>(at, source, {.in = s.dim, .source_dim = s.dim, .hidden = s.dim});
  });
  return true;
}();

}  // namespace
