// Layers over sets, most of which make one column of each.
#include "harness.hpp"

namespace {

using namespace layers;

void pooling(const std::string& name, PoolingKind kind) {
  layer(name, [=](Scope at, Size) { return Pooling<S>(at, kind); }, {.sets = true, .out = sequences});
}
void pointer(const std::string& name, PointerScore score) {
  layer<2>(name,
           [=](Scope at, Axis steps, Size s) {
             return Pointer<S>(at.along(steps), at.axis(),
                               {.query_dim = s.dim, .key_dim = s.dim, .width = s.dim, .score = score});
           },
           {.sets = true, .first = sequences, .out = scores});
}

[[maybe_unused]] const bool registered = [] {
  pooling("pooling/mean", PoolingKind::mean);
  pooling("pooling/max", PoolingKind::max);
  pooling("pooling/last", PoolingKind::last);
  layer("additive_pooling", [](Scope at, Size s) { return AdditivePooling<S>(at, s.dim, s.dim); },
        {.sets = true, .out = sequences});
  layer("window_pooling", [](Scope at, Size s) { return WindowPooling<S>(at, s.dim, s.length, s.dim); });
  layer("pooling_by_attention",
        [](Scope at, Size s) { return PoolingByAttention<S>(at, {.dim = s.dim, .heads = s.heads}); },
        {.sets = true, .out = sequences});
  layer<2>("set_attention_block", [](Scope at, Axis source, Size s) {
    return SetAttentionBlock<S>(at, source, {.dim = s.dim, .heads = s.heads});
  });
  layer("induced_set_attention",
        [](Scope at, Size s) { return InducedSetAttention<S>(at, {.dim = s.dim, .heads = s.heads, .points = 8}); },
        {.sets = true});
  pointer("pointer/dot", PointerScore::dot);
  pointer("pointer/additive", PointerScore::additive);
  return true;
}();

}  // namespace
