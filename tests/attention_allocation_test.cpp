// After the largest batch was seen, nothing is allocated: attention of every kind, and what is made of it.
#include "allocation.hpp"
#include "heed/core/agent.hpp"
#include "heed/layers/dropout.hpp"
#include "heed/layers/gated_block.hpp"
#include "heed/layers/hard_attention.hpp"
#include "heed/layers/induced_set_attention.hpp"
#include "heed/layers/learned_grid_encoding.hpp"
#include "heed/layers/learned_positional_encoding.hpp"
#include "heed/layers/linear_attention.hpp"
#include "heed/layers/lstm.hpp"
#include "heed/layers/patch_embedding.hpp"
#include "heed/layers/segment_attention.hpp"
#include "heed/layers/selective_attention.hpp"
#include "heed/layers/sinusoidal_grid_encoding.hpp"
#include "heed/layers/transformer.hpp"
#include "heed/networks/encoder_decoder.hpp"
#include "heed/networks/entity_policy.hpp"
#include "heed/networks/pointer_policy.hpp"

using namespace support;
using heed::AttentionConfig, heed::MultiHeadAttention, heed::Sequences;
using Kind = heed::Position::Kind;

namespace {

const Lengths few{9, 0, 6}, few_keys{5, 8, 0};
const Lengths many{70, 0, 40}, many_keys{50, 30, 0};  // more than a tile of attention
const Lengths sets{4, 0, 9, 1};                       // of columns of time {1, 3}

/// Attention over one axis. Where it needs places, these are the first rows of x.
template <class S>
struct Placed {
  heed::Columns<> place;
  MultiHeadAttention<S> attention;

  Placed(Scope at, AttentionConfig c) : place(at.columns(2)), attention(at, complete(c, place)) {}
  static AttentionConfig complete(AttentionConfig c, heed::Columns<> place) {
    if (c.position.kind == Kind::distance) c.position = heed::distance(place, place);
    return c;
  }
  void forward(heed::ParametersView<const S> p, heed::Read<S> x, heed::Write<S> y, heed::ActivationsView<S> a) const {
    a[place] = x.topRows(2);
    attention.forward(p, x, y, a);
  }
  void extend(heed::ParametersView<const S> p, heed::Read<S> x, heed::Write<S> y, heed::MemoryView<S> m,
              heed::ActivationsView<S> a) const {
    a[place] = x.topRows(2);
    attention.extend(p, x, y, m, a);
  }
  void backward(heed::ParametersView<const S> p, heed::Read<S> x, heed::Read<S> dy, heed::ActivationsView<S> a,
                heed::ParametersView<S> g, heed::Gradient<S> dx) const {
    a.d(place).setZero();
    attention.backward(p, x, dy, a, g, dx);
  }
};

/// Points at the entities of each step; its logits lie along the entities, and y is nothing.
struct Pointing {
  heed::Pointer<float> pointer;
  heed::Columns<> logits;

  void forward(heed::ParametersView<const float> p, heed::Read<float> q, heed::Read<float> k, heed::Write<float>,
               heed::ActivationsView<float> a) const {
    pointer.forward(p, q, k, a[logits], a);
  }
  void backward(heed::ParametersView<const float> p, heed::Read<float> q, heed::Read<float> k, heed::Read<float>,
                heed::ActivationsView<float> a, heed::ParametersView<float> g, heed::Gradient<float> dq,
                heed::Gradient<float> dk) const {
    a.d(logits).setOnes();
    pointer.backward(p, q, k, a[logits], a.d(logits), a, g, dq, dk);
  }
};

/// A layer of in x time and out x time, made at a place.
template <class S, class Layer>
void check(const char* name, Index in, Index out, const Lengths& time, auto make, Acts acts = Acts::yes,
           bool training = false) {
  Rig<S, Layer> s({in}, out, [&](Subject<S>& at) { return Layer(make(at.at())); });
  s.a.mode.training = training;
  check_layer(name, s, time, {}, acts);
}
/// The same of its Config.
template <class S, class Layer>
void check(const char* name, Index in, Index out, const Lengths& time, const typename Layer::Config& c,
           Acts acts = Acts::yes, bool training = false) {
  check<S, Layer>(
      name, in, out, time, [&](Scope at) { return Layer(at, c); }, acts, training);
}
/// A layer that looks at a source of `in` features, too.
template <class Layer>
void check_with_source(const char* name, Index in, Index out, const typename Layer::Config& c, Acts acts = Acts::yes) {
  Rig<float, Layer, 2> s({in, in}, out, [&](Subject<float>& at) {
    at.axes = {at.time, at.source};
    return Layer(at.at(), at.source, c);
  });
  check_layer(name, s, few, few_keys, acts);
}

/// What comes between projections, alone: its keys along the source.
template <class Attention>
void check_inner(const char* name, const typename Attention::Config& c, Acts acts = Acts::yes) {
  Rig<float, Attention, 3> s({8, 8, 8}, 8, [&](Subject<float>& at) {
    at.axes = {at.time, at.source, at.source};
    return Attention(at.at(), at.source, c);
  });
  check_layer(name, s, few, few_keys, acts);
}

/// All that an attention may be told, at once or not at all.
template <class S>
void check_positions(Index width, const Lengths& time, const std::vector<heed::Mask>& masks) {
  for (const heed::Position& position : {heed::Position{}, heed::rotary(), heed::rotary(true), heed::alibi(),
                                         heed::relative(), heed::Position{.kind = Kind::distance}})
    for (const heed::Mask& mask : masks)
      for (const bool all : {false, true}) {
        INFO("position " << int(position.kind) << ", stride " << mask.stride << (all ? ", all settings" : ""));
        AttentionConfig c{.dim = width, .heads = 4, .mask = mask, .position = position};
        if (all) {
          c.key_heads = position.kind == Kind::relative ? 4 : 2;
          c.normalise = c.sink = true;
          c.memory_tokens = 3;
          c.dropout = 0.3;
        }
        const Acts acts = position.kind == Kind::relative ? Acts::growing : Acts::yes;
        check<S, Placed<S>>(
            "MultiHeadAttention", width, width, time, [&](Scope at) { return Placed<S>(at, c); }, acts, all);
      }
}

/// A network that looks at its entities: learns from episodes, from fewer, and acts.
template <class Net>
void check_entities(const char* name, typename Net::Config c) {
  INFO(name);
  c.observation = 4, c.types = 3, c.width = 8, c.heads = 2, c.layers = 2, c.value = true;
  heed::Agent<Net> agent(c, 1);
  const Net& net = agent.net;
  heed::Activations<float> a(agent.layout);
  Parameters<float> g(agent.layout);
  heed::Memory<float> m(agent.layout, 2, 4);
  Tokens<float> x = random<float>(4, 10, 1), dx = x;
  x.row(0) << 0, 1, 2, 0, 1, 2, 0, 1, 2, 0;
  const auto learn = [&](const Sequences& steps, const Sequences& seen) {
    a.begin(net.time, steps);
    a.begin(net.input, seen);
    const auto now = x.leftCols(seen.columns());
    net.forward(agent.p, now, a);
    a.d(net.logits).setOnes();
    a.d(net.value).setOnes();
    net.backward(agent.p, now, a, g, dx.leftCols(seen.columns()));
    net.backward(agent.p, now, a, g, heed::no_gradient);
  };
  const auto act = [&](const Sequences& steps, const Sequences& seen) {
    a.begin(net.time, steps);
    a.begin(net.input, seen);
    net.extend(agent.p, x.leftCols(seen.columns()), m, a);
    m.advance();
  };
  const Sequences steps{3, 0, 2}, seen{2, 0, 4, 1, 3}, less{0, 2}, less_seen{3, 0}, step{1, 1}, one{1, 0}, none{3};
  learn(steps, seen);
  check_quiet("learn", [&] { learn(steps, seen); });
  check_quiet("learn from less", [&] { learn(less, less_seen); });
  check_quiet("act", [&] {
    act(step, less_seen);
    act(one, none);
    act(step, less_seen);
  });
}

/// A network from symbols to symbols.
template <class Net>
void check_symbols(const char* name) {
  INFO(name);
  heed::Agent<Net> agent({.symbols = 5, .width = 8, .hidden = 8}, 1);
  const Net& net = agent.net;
  heed::Activations<float> a(agent.layout);
  Parameters<float> g(agent.layout);
  heed::Memory<float> m(agent.layout, 2, 20);
  const Tokens<float> symbols = Tokens<float>::Constant(1, 20, 3);
  const auto begin = [&](const Sequences& target, const Sequences& source) {
    a.begin(net.target, target);
    a.begin(net.source, source);
    return std::pair(symbols.leftCols(source.columns()), symbols.leftCols(target.columns()));
  };
  const auto learn = [&](const Sequences& target, const Sequences& source) {
    const auto [from, to] = begin(target, source);
    net.forward(agent.p, from, to, a);
    a.d(net.logits).setOnes();
    net.backward(agent.p, from, to, a, g);
  };
  const auto act = [&](const Sequences& target, const Sequences& source) {
    const auto [from, to] = begin(target, source);
    net.extend(agent.p, from, to, m, a);
    m.advance();
  };
  const Sequences target{4, 0, 3}, source{6, 5, 0}, less{2, 0}, less_source{0, 4}, step{1, 1}, one{1, 0}, none{0, 0};
  learn(target, source);
  check_quiet("learn", [&] { learn(target, source); });
  check_quiet("learn from less", [&] { learn(less, less_source); });
  check_quiet("act", [&] {
    act(step, less_source);
    act(one, none);
    act(step, none);
  });
}

/// Bytes for forward and backward of one sequence, width 64, 4 heads: weights, tokens and gradients included.
long bytes_of_attention(Index tokens, heed::Mask mask) {
  const long before = allocations::bytes();
  heed::Layout layout;
  const Axis time = layout.axis();
  const heed::MultiHeadAttention<float> layer(Scope(layout, time), 64, 4, mask);
  const Parameters<float> p(layout, 1);
  Parameters<float> g(layout);
  heed::Activations<float> a(layout);
  a.begin(time, {tokens});
  const Tokens<float> x = random<float>(64, tokens, 1), dy = random<float>(64, tokens, 2);
  Tokens<float> y(64, tokens), dx(64, tokens);
  layer.forward(p, x, y, a);
  layer.backward(p, x, dy, a, g, dx);
  return allocations::bytes() - before;
}

}  // namespace

TEST_CASE("no attention allocates, whatever it is told") {
  if (!counted()) return;
  const std::vector<heed::Mask> masks{heed::Causal(), heed::Window(4), heed::Strided(3)};
  check_positions<float>(8, few, masks);
  check_positions<double>(8, few, masks);
  check_positions<float>(200, many, {heed::Strided(8)});
}

TEST_CASE("no attention with a segment memory allocates") {
  if (!counted()) return;
  using Layer = heed::SegmentAttention<float>;
  for (const heed::Position& position : {heed::Position{}, heed::rotary(), heed::alibi(), heed::relative()})
    for (const heed::Mask mask : {heed::Mask(heed::Causal()), heed::Mask(heed::Window(4))}) {
      INFO("position " << int(position.kind));
      Rig<float, Layer> s({8}, 8, [&](Subject<float>& at) {
        return Layer(at.at(), {.dim = 8, .heads = 2, .mask = mask, .position = position});
      });
      check_layer("SegmentAttention", s, few, {}, Acts::growing);

      s.begin(few);
      heed::Memory<float> m(s.layout, 3, {.columns = 60, .chunk = 15});
      Parameters<float> g(s.layout);
      const Tokens<float> dy = s.y;
      std::vector<heed::Gradient<float>> to{s.dx[0]};
      const auto learn = [&] {
        s.extend(m);
        s.run_backward(dy, g, to);
        m.advance();
      };
      learn(), learn(), m.forget();
      check_quiet("backward after extend", [&] { learn(), learn(); });
    }
}

TEST_CASE("no linear, selective or hard attention allocates") {
  if (!counted()) return;
  for (const heed::Mask mask : {heed::Mask(heed::Full()), heed::Mask(heed::Causal()), heed::Mask(heed::Window(4))}) {
    INFO("behind " << mask.behind << ", ahead " << mask.ahead);
    if (mask.behind == heed::unlimited)
      check<float, MultiHeadAttention<float, Dynamic, heed::LinearAttention<float>>>(
          "LinearAttention", 8, 8, few, {.dim = 8, .heads = 2, .mask = mask});
    for (const heed::Selection selection : {heed::Selection::top_k, heed::Selection::sparsemax})
      check<float, MultiHeadAttention<float, Dynamic, heed::SelectiveAttention<float>>>(
          "SelectiveAttention", 8, 8, few, {.dim = 8, .heads = 2, .mask = mask, .selection = selection, .k = 3},
          Acts::growing);
    for (const heed::Estimator estimator : {heed::Estimator::straight_through, heed::Estimator::score_function})
      for (const bool training : {false, true})
        check<float, MultiHeadAttention<float, Dynamic, heed::HardAttention<float>>>(
            "HardAttention", 8, 8, few, {.dim = 8, .heads = 2, .mask = mask, .estimator = estimator}, Acts::growing,
            training);
  }
}

TEST_CASE("no attention without projections allocates") {
  if (!counted()) return;
  check_inner<heed::DotProductAttention<float>>("DotProductAttention",
                                                {.dim = 8, .heads = 2, .position = heed::rotary(), .normalise = true});
  check_inner<heed::LinearAttention<float>>("LinearAttention", {.dim = 8, .heads = 2});
  check_inner<heed::SelectiveAttention<float>>("SelectiveAttention", {.dim = 8, .heads = 2, .k = 3}, Acts::growing);
  check_inner<heed::HardAttention<float>>("HardAttention", {.dim = 8, .heads = 2}, Acts::growing);
}

TEST_CASE("no attention of encoder-decoders allocates") {
  if (!counted()) return;
  for (const heed::LuongScore score : {heed::LuongScore::dot, heed::LuongScore::general, heed::LuongScore::concat})
    for (const heed::LuongReach reach :
         {heed::LuongReach::global, heed::LuongReach::monotonic, heed::LuongReach::predictive}) {
      INFO("score " << int(score) << ", reach " << int(reach));
      check_with_source<heed::LuongAttention<float>>(
          "LuongAttention", 8, 8, {.query_dim = 8, .key_dim = 8, .score = score, .reach = reach, .half_window = 2});
    }
  check_with_source<heed::LuongDecoder<float>>("LuongDecoder", 8, 8, {.in = 8, .source_dim = 8, .hidden = 8});
  check_with_source<heed::AttentionDecoder<float>>("AttentionDecoder", 8, 16,
                                                   {.in = 8, .source_dim = 8, .hidden = 8, .width = 8});
}

TEST_CASE("no recurrent layer allocates") {
  if (!counted()) return;
  for (const bool both : {false, true}) {
    INFO((both ? "both directions" : "one direction"));
    const Index out = both ? 16 : 8;
    const Acts acts = both ? Acts::no : Acts::yes;
    check<float, heed::Gru<float>>("Gru", 8, out, few, {.in = 8, .hidden = 8, .layers = 2, .bidirectional = both},
                                   acts);
    check<float, heed::Lstm<float>>("Lstm", 8, out, few, {.in = 8, .hidden = 8, .layers = 2, .bidirectional = both},
                                    acts);
  }
  check<float, heed::Gru<float>>("Gru", 200, 200, many, {.in = 200, .hidden = 200});
}

TEST_CASE("no attention among sets allocates, nor a pointer at their members") {
  if (!counted()) return;
  check_with_source<heed::SetAttentionBlock<float>>("SetAttentionBlock", 8, 8, {.dim = 8, .heads = 2}, Acts::no);
  check<float, heed::InducedSetAttention<float>>("InducedSetAttention", 8, 8, few, {.dim = 8, .heads = 2, .points = 3},
                                                 Acts::no);
  {
    using Layer = heed::PoolingByAttention<float>;
    Rig<float, Layer> s(
        {8}, 8, [](Subject<float>& at) { return Layer(at.at().along(at.source), {.dim = 8, .heads = 2}); }, {}, true);
    check_layer("PoolingByAttention", s, {1, 3}, sets, Acts::no);
  }
  for (const heed::PointerScore score : {heed::PointerScore::dot, heed::PointerScore::additive}) {
    INFO("score " << int(score));
    Rig<float, Pointing, 2> s(
        {8, 8}, 1,
        [&](Subject<float>& at) {
          at.axes = {at.time, at.source};
          return Pointing{{at.at(), at.source, {.query_dim = 8, .key_dim = 8, .width = 8, .score = score, .clip = 10}},
                          at.at().along(at.source).columns(1)};
        },
        {}, true);
    check_layer("Pointer", s, {1, 3}, sets, Acts::no);
  }
}

TEST_CASE("no image, table or position allocates, nor dropout") {
  if (!counted()) return;
  const auto images = [](const char* name, auto& s, Index cells) {  // for their cells, time stands in
    s.axes = {s.source};
    check_batches(name, s, {{cells, 0, cells}, {144, 0, 144}}, {{0, 0, cells}, {0, 0, 144}}, Acts::no);
  };
  {
    using Layer = heed::Convolution<float>;
    Rig<float, Layer> s({8}, 200, [](Subject<float>& at) {
      return Layer(at.at().along(at.source),
                   {.in = 8, .out = 200, .image = {12}, .kernel = {5}, .stride = {2}, .padding = {1}});
    });
    images("Convolution", s, 25);
  }
  {
    using Layer = heed::PatchEmbedding<float>;
    Rig<float, Layer> s({3}, 8, [](Subject<float>& at) {
      return Layer(at.at().along(at.source), {.in = 3, .dim = 8, .image = {12}, .patch = {4}});
    });
    images("PatchEmbedding", s, 9);
  }
  {
    heed::Layout layout;
    const heed::Embedding<float> embedding(Scope(layout, layout.axis()), 9, 200);
    const Parameters<float> p(layout, 1);
    Parameters<float> g(layout);
    const Tokens<float> x = Tokens<float>::Constant(1, 40, 8);
    Tokens<float> y(200, 40);
    check_quiet("Embedding", [&] {
      embedding.forward(p, x, y);
      embedding.add(p, x, y);
      embedding.backward(x, y, g);
    });
  }
  const auto check_encoding = [](auto of, const char* name, auto... positions) {
    using Layer = typename decltype(of)::type;
    check<float, Layer>(name, 8, 8, few, [&](Scope at) { return Layer(at, positions..., 8); });
  };
  check_encoding(std::type_identity<heed::LearnedPositionalEncoding<float>>(), "LearnedPositionalEncoding", Index(18));
  check_encoding(std::type_identity<heed::SinusoidalGridEncoding<float>>(), "SinusoidalGridEncoding", heed::Grid{5, 4});
  check_encoding(std::type_identity<heed::LearnedGridEncoding<float>>(), "LearnedGridEncoding", heed::Grid{5, 4});
  for (const bool training : {false, true})
    check<float, heed::Dropout<float>>(
        "Dropout", 8, 8, few, [](Scope at) { return heed::Dropout<float>(at, 0.3); }, Acts::no, training);
}

TEST_CASE("no transformer allocates, nor its parts") {
  if (!counted()) return;
  check<float, heed::FeedForward<float>>(
      "FeedForward", 8, 8, few, [](Scope at) { return heed::FeedForward<float>(at, 8); }, Acts::no);
  for (const bool norm_first : {false, true}) {
    INFO((norm_first ? "norms first" : "norms last"));
    check<float, heed::TransformerEncoder<float>>(
        "TransformerEncoder", 8, 8, few,
        {.layers = 2,
         .block = {.dim = 8, .heads = 2, .mask = heed::Causal(), .norm_first = norm_first},
         .norm = norm_first});
    check_with_source<heed::TransformerDecoder<float>>(
        "TransformerDecoder", 8, 8,
        {.layers = 2, .block = {.dim = 8, .heads = 2, .norm_first = norm_first}, .norm = norm_first});
  }
  {
    using Layer = heed::Transformer<float>;
    Rig<float, Layer, 2> s({8, 8}, 8, [](Subject<float>& at) {
      at.axes = {at.source, at.time};
      return Layer(at.at(), at.source, {.dim = 8, .heads = 2, .encoder_layers = 2, .decoder_layers = 2});
    });
    check_layer("Transformer", s, few, few_keys);
  }
  {
    using Layer = heed::GatedResidual<float>;
    Rig<float, Layer, 2> s({8, 8}, 8, [](Subject<float>& at) { return Layer(at.at(), 8); });
    check_layer("GatedResidual", s, few, {}, Acts::no);
  }
  check<float, heed::GatedBlock<float>>("GatedBlock", 8, 8, few,
                                        {.dim = 8, .heads = 2, .mask = heed::Causal(), .position = heed::relative()},
                                        Acts::growing);
}

TEST_CASE("no network of entities allocates") {
  if (!counted()) return;
  check_entities<heed::EntityPolicy<float>>("EntityPolicy", {.actions = 3});
  check_entities<heed::PointerPolicy<float>>("PointerPolicy", {});
}

TEST_CASE("no network of symbols allocates") {
  if (!counted()) return;
  check_symbols<heed::BahdanauNetwork<float>>("BahdanauNetwork");
  check_symbols<heed::LuongNetwork<float>>("LuongNetwork");
}

TEST_CASE("attention needs memory linear in tokens, below 200 MB at 16 384 of width 64") {
  if (!counted()) return;
  const long once = bytes_of_attention(512, heed::Full()), fourfold = bytes_of_attention(2048, heed::Full());
  CHECK(once > 64 * 512 * 4);
  CHECK(double(fourfold) <= 4.1 * double(once));
  // The mask makes no difference, but for the time that it takes.
  CHECK(fourfold == bytes_of_attention(2048, heed::Window(16)));
  CHECK(bytes_of_attention(16384, heed::Window(16)) < 200'000'000);
}
