#include "heed/layers/gated_block.hpp"

#include "transformer_formulas.hpp"

using namespace support;
using heed::GatedBlock, heed::Nonlinearity;

namespace {

struct Kind {
  NamedMask mask;
  Nonlinearity activation = Nonlinearity::gelu;
  heed::Position position = {};
};
std::vector<Kind> kinds() {
  std::vector<Kind> all;
  for (const NamedMask& mask : masks()) all.push_back({mask});
  all.push_back({causal(), Nonlinearity::relu});
  return all;
}

template <class S, int D = Dynamic>
auto block(Index dim, Index heads, Index inner, const Kind& kind) {
  using Block = GatedBlock<S, D>;
  return Rig<S, Block>({dim}, dim, [=](Subject<S>& s) {
    return Block(s.at(), {.dim = dim,
                          .heads = heads,
                          .inner = inner,
                          .mask = kind.mask.mask,
                          .position = kind.position,
                          .activation = kind.activation,
                          .gate_bias = 1});
  });
}

auto formula(const auto& subject, const Kind& kind) {
  return [&subject, kind](const auto& values) {
    const auto& layer = subject.layer;
    const auto relu = [](auto x) {
      for (auto& v : x.v) v = plain_nonlinearity(Nonlinearity::relu, v);
      return x;
    };
    const auto& x = values.x[0];
    const auto e = relu(plain_self_attention(values, layer.attention, kind.mask,
                                             plain_layer_norm(values, layer.norm1, x), subject.time_lengths));
    const auto h = plain_gate(values, layer.gate1, x, e);
    const auto f =
        relu(plain_feed_forward(values, layer.feed_forward, kind.activation, plain_layer_norm(values, layer.norm2, h)));
    return plain_gate(values, layer.gate2, h, f);
  };
}

}  // namespace

TEST_CASE("GatedBlock is the formula of the paper") {
  for (const Kind& kind : kinds()) {
    INFO(kind.mask.name);
    auto s = block<double>(4, 2, 7, kind);
    s.begin({0, 1, 5, 70});
    check_formula(s, formula(s, kind));
    auto f = block<float>(8, 4, 0, kind);
    f.begin({0, 1, 5, 40});
    check_formula(f, formula(f, kind));
  }
}

TEST_CASE("GatedBlock: gradients") {
  for (const Kind& kind : kinds()) {
    INFO(kind.mask.name << ", activation " << int(kind.activation));
    auto s = block<double>(4, 2, 5, kind);
    auto fixed = block<double, 4>(4, 2, 5, kind);
    for (Subject<double>* each : {(Subject<double>*)&s, (Subject<double>*)&fixed}) {
      each->begin({0, 1, 4});
      check_gradients(*each);
      check_targets(*each);
    }
    check_same(s, fixed);
    s.x[0].colwise() = random<double>(4, 1, 1).col(0).eval();
    check_gradients(s);
    s.x[0].setZero();
    check_slopes(s, formula(s, kind));
    s.x[0] = saturated<double>(4, 5, 1, 1e3);
    check_slopes(s, formula(s, kind), 1e3);
  }
}

TEST_CASE("GatedBlock: the positions of its attention") {
  for (const heed::Position& position : {heed::relative(), heed::rotary(), heed::alibi()}) {
    INFO("position " << int(position.kind));
    auto s = block<double>(4, 2, 5, {causal(), Nonlinearity::gelu, position});
    auto without = block<double>(4, 2, 5, {causal()});
    s.begin({0, 1, 6});
    without.begin({0, 1, 6});
    check_gradients(s);
    s.forward(), without.forward();
    CHECK(distance(s.y, without.y) > 1e-6);
    check_extend(s, {.columns = 60, .chunk = 5});
  }
}

TEST_CASE("GatedBlock: a gate that is shut passes the stream") {
  heed::Layout layout;
  const Axis time = layout.axis();
  const GatedBlock<double> shut(Scope(layout, time), {.dim = 4, .heads = 2, .gate_bias = 40});
  const Parameters<double> p(layout, 1);
  heed::Activations<double> a(layout);
  a.begin(time, {7});
  const Tokens<double> x = random<double>(4, 7, 1);
  Tokens<double> y(4, 7);
  shut.forward(p, x, y, a);
  CHECK(distance(y, x) <= 1e-14);
}

TEST_CASE("GatedBlock: nothing leaks") {
  for (const Kind& kind : kinds()) {
    INFO(kind.mask.name);
    auto s = block<float>(8, 2, 5, kind);
    s.begin({0, 1, 5, 3});
    check_sight(s, kind.mask);
  }
}

TEST_CASE("GatedBlock: extend by any split is forward") {
  for (const Kind& kind : kinds()) {
    INFO(kind.mask.name);
    auto s = block<double>(4, 2, 5, kind);
    check_extend(s, {.columns = 60, .chunk = 5});
  }
}

TEST_CASE("GatedBlock: names") {
  const auto s = block<float>(4, 2, 0, {full()});
  std::string all;
  for (const auto& e : s.layout.entries()) all += e.name + " " + std::to_string(e.shape.rows()) + " ";
  CHECK(all ==
        "self_attn.in_proj_weight 12 self_attn.in_proj_bias 12 self_attn.out_proj.weight 4 self_attn.out_proj.bias 4 "
        "linear1.weight 16 linear1.bias 16 linear2.weight 4 linear2.bias 4 norm1.weight 4 norm1.bias 4 norm2.weight 4 "
        "norm2.bias 4 gate1.weight_ih 12 gate1.weight_hh 12 gate1.gate_bias 4 gate2.weight_ih 12 gate2.weight_hh 12 "
        "gate2.gate_bias 4 ");
}

TEST_CASE("GatedBlock: wrong shapes") {
  auto s = block<double>(4, 2, 5, {causal()});
  s.begin({2, 3});
  heed::Memory<double> m(s.layout, 2, 8);
  check_shapes(s, "GatedBlock", {"x"}, &m);
  check_complaint("dim 10 is not a multiple of heads 4", [] { block<float>(10, 4, 5, {full()}); });
}
