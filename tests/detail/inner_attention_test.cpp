// The projections of multi-head layers around every attention that the library has.
#include "heed/layers/cross_attention.hpp"
#include "heed/layers/hard_attention.hpp"
#include "heed/layers/linear_attention.hpp"
#include "heed/layers/multi_head_attention.hpp"
#include "heed/layers/selective_attention.hpp"

#include "../support.hpp"

using namespace support;
using heed::HardAttention, heed::LinearAttention, heed::SelectiveAttention;

namespace {

template <class Attention>
auto over_one_axis(const typename Attention::Config& c) {
  using Layer = heed::MultiHeadAttention<double, Dynamic, Attention>;
  return Rig<double, Layer>({c.dim}, c.dim, [=](Subject<double>& s) { return Layer(s.at(), c); });
}
template <class Attention>
auto over_two_axes(const typename Attention::Config& c) {
  using Layer = heed::CrossAttention<double, Dynamic, Attention>;
  return Rig<double, Layer, 3>({c.dim, 3, 5}, c.dim, [=](Subject<double>& s) {
    s.axes = {s.time, s.source, s.source};
    return Layer(s.at(), s.source, c, 3, 5);
  });
}

/// What the layer says is what its parts do one after the other.
template <class Attention>
void check_parts(const typename Attention::Config& c) {
  auto s = over_one_axis<Attention>(c);
  s.begin({0, 1, 3, 7});
  s.forward();
  Tokens<double> qkv(3 * c.dim, 11), mixed(c.dim, 11), y(c.dim, 11);
  s.layer.in_proj.forward(s.p, s.x[0], qkv);
  s.layer.attention.forward(qkv.topRows(c.dim), qkv.middleRows(c.dim, c.dim), qkv.bottomRows(c.dim), mixed, s.a);
  s.layer.out_proj.forward(s.p, mixed, y);
  CHECK(same_bits(s.y, y));
  Tokens<double> w(7, 7), exact(7, 7);
  s.layer.weights(s.p, s.a, 3, 1, w);
  s.layer.attention.weights(qkv.topRows(c.dim), qkv.middleRows(c.dim, c.dim), s.a, 3, 1, exact);
  CHECK(same_bits(w, exact));
}
template <class Attention>
void check_all(const typename Attention::Config& c, const typename Attention::Config& across) {
  check_parts<Attention>(c);
  auto s = over_one_axis<Attention>(c);
  s.begin({0, 1, 3, 7});
  check_gradients(s);
  check_targets(s);
  check_extend(s, {.columns = 60}, 5, 40);
  auto cross = over_two_axes<Attention>(across);
  cross.begin({0, 1, 3, 2, 5}, {2, 3, 0, 1, 4});
  check_gradients(cross);
  check_targets(cross);
  check_extend(cross, {.columns = 60}, 5, 40);
}

}  // namespace

TEST_CASE("multi-head linear attention") {
  check_all<LinearAttention<double>>({.dim = 4, .heads = 2, .mask = heed::Causal()}, {.dim = 4, .heads = 2});
}

TEST_CASE("multi-head top-k and sparsemax attention") {
  for (const auto selection : {heed::Selection::top_k, heed::Selection::sparsemax}) {
    const SelectiveAttention<double>::Config c{
        .dim = 4, .heads = 2, .mask = heed::Causal(), .selection = selection, .k = 2};
    check_all<SelectiveAttention<double>>(c, c);
  }
}

TEST_CASE("multi-head hard attention") {
  check_parts<HardAttention<double>>({.dim = 4, .heads = 2, .mask = heed::Causal()});
  auto s = over_one_axis<HardAttention<double>>({.dim = 4, .heads = 2, .mask = heed::Causal()});
  check_extend(s, {.columns = 60}, 5, 40);
}
