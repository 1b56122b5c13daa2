#pragma once
#include <optional>

#include "heed/core/attention_weights.hpp"
#include "heed/layers/embedding.hpp"
#include "heed/layers/pooling_by_attention.hpp"
#include "heed/layers/positional_encoding.hpp"
#include "heed/layers/transformer_encoder.hpp"

namespace heed {

/// Attention over the entities seen at each step, then over time.
///
///   e_i = We x_i + be + E[type_i]    h = block(e), each entity seeing all of its step    c_t = PMA_1(h)
///   features: norm(layers(c + PE(t))), each step seeing those so far; with 0 layers c itself, without memory
///
///   x: observation x entities, along the axis `entities`; the entities of sequence i are those of time step i
///   With types, the first row of x is the type of each entity, a whole number. Without, there is no E ("types").
///   e, h ("encoded"): width x entities    c, features: width x time steps    PMA_1: see PoolingByAttention
///
/// The order of the entities does not matter, and a step may show none. Acting remembers keys and values of c; entities
/// belong to their step.
template <class S>
class EntityBody {
 public:
  using Scalar = S;
  Axis time, entities;
  Linear<S> embedding;
  std::optional<Embedding<S>> types;
  TransformerBlock<S> block;
  PoolingByAttention<S> pool;
  /// Of the steps.
  struct OverTime {
    SinusoidalPositionalEncoding<S> position;
    TransformerEncoder<S> encoder;
  };
  std::optional<OverTime> over_time;  ///< none with 0 layers
  Columns<> embedded, encoded;        ///< along the entities
  Columns<> pooled, features;         ///< along time

  /// Config: observation, types, width, heads, layers (over time), inner (0: 4 width), window (0: no limit).
  template <class Config>
  EntityBody(Scope at, const Config& c) : EntityBody(at, at.along(at.child_axis()), c) {}

  Index observation() const { return first_feature() + embedding.in(); }
  Axis input() const { return entities; }

  void forward(ParametersView<const S> p, Read<S> x, ActivationsView<S> a) const {
    see(p, x, a);
    if (!over_time) return;
    over_time->position.forward(a[pooled], a[pooled], a);
    over_time->encoder.forward(p, a[pooled], a[features], a);
  }
  void extend(ParametersView<const S> p, Read<S> x, MemoryView<S> m, ActivationsView<S> a) const {
    see(p, x, a);
    if (!over_time) return m.begin(time, a.sequences(time));
    over_time->position.extend(a[pooled], a[pooled], m, a);
    over_time->encoder.extend(p, a[pooled], a[features], m, a);
  }

  /// From a.d(features).
  void backward(ParametersView<const S> p, Read<S> x, ActivationsView<S> a, ParametersView<S> g, Gradient<S> dx) const {
    a.d(encoded).setZero();
    backward_of_both(p, x, a, g, dx);
  }
  /// From a.d(features) and a.d(encoded): for a head that reads the entities, too.
  void backward_of_both(ParametersView<const S> p, Read<S> x, ActivationsView<S> a, ParametersView<S> g,
                        Gradient<S> dx) const {
    detail::expect_gradient("EntityBody", "dx", dx, x.rows(), x.cols());
    if (over_time) over_time->encoder.backward(p, a[pooled], a.d(features), a, g, a.d(pooled));
    pool.backward(p, a[encoded], a.d(pooled), a, g, add_to(a.d(encoded)));
    block.backward(p, a[embedded], a.d(encoded), a, g, a.d(embedded));
    if (types) types->backward(x.topRows(1), a.d(embedded), g);
    dx.start();  // types have no gradient
    embedding.backward(p, x.bottomRows(embedding.in()), a.d(embedded), g,
                       dx.part(first_feature(), embedding.in(), 0, x.cols()));
  }

  /// See attention_weights: among the entities of a step, the pooling of a step, then over time.
  template <class Visit>
  void attentions(Visit visit) const {
    detail::visit_heads("entities", entities, entities, true, block.attention, visit);
    pool.attentions("pool", visit);
    if (over_time) detail::visit_blocks("time.layers.", over_time->encoder, visit);
  }

  Node graph(Graph& g, const Node& x) const { return graph_of_both(g, x).features; }
  /// Both that the graph computes.
  struct Nodes {
    Node features, encoded;  ///< along time, and along the entities
  };
  /// As graph, with the encoded entities.
  Nodes graph_of_both(Graph& g, const Node& x) const {
    Node e = embedding.graph(g, types ? g.part(x, 1, embedding.in()) : x);
    if (types) e = g.add(e, types->graph(g, g.part(x, 0, 1)));
    const Node among = block.graph(g, e), c = pool.graph(g, among);
    if (!over_time) return {c, among};
    return {over_time->encoder.graph(g, over_time->position.graph(g, c)), among};
  }

 private:
  template <class Config>
  EntityBody(Scope at, Scope of_entities, const Config& c)
      : time(at.axis()),
        entities(of_entities.axis()),
        embedding(at / "embedding", c.observation - (c.types > 0), c.width,
                  LinearInit::orthogonal(std::sqrt(double(c.width)))),
        block(of_entities / "entities", block_config(c, Full())),
        pool(of_entities / "pool", {.dim = c.width, .heads = c.heads}),
        over_time(c.layers > 0 ? std::optional<OverTime>(make_over_time(at, c)) : std::nullopt),
        embedded(of_entities.columns(c.width)),
        encoded(of_entities.columns(c.width)),
        pooled(at.columns(c.width)),
        features(over_time ? at.columns(c.width) : pooled) {
    if (c.layers < 0) detail::fail("EntityBody: %ld layers", long(c.layers));
    if (c.types < 0) detail::fail("EntityBody: %ld types of entities", long(c.types));
    if (c.types > 0) types.emplace(at / "types", c.types, c.width);
  }

  void see(ParametersView<const S> p, const Read<S>& x, ActivationsView<S> a) const {
    detail::expect_shape("EntityBody", "x", x, observation(), a.columns(entities));
    embedding.forward(p, x.bottomRows(embedding.in()), a[embedded]);
    if (types) types->add(p, x.topRows(1), a[embedded]);
    block.forward(p, a[embedded], a[encoded], a);
    pool.forward(p, a[encoded], a[pooled], a);
  }
  Index first_feature() const { return types ? 1 : 0; }
  template <class Config>
  static OverTime make_over_time(Scope at, const Config& c) {
    const Mask mask = c.window == 0 ? Mask(Causal()) : Mask(Window(c.window));
    return {SinusoidalPositionalEncoding<S>(at),
            TransformerEncoder<S>(at / "time", {.layers = c.layers, .block = block_config(c, mask), .norm = true})};
  }
  template <class Config>
  static auto block_config(const Config& c, const Mask& mask) {
    return typename TransformerBlock<S>::Config{
        .dim = c.width, .heads = c.heads, .inner = c.inner, .mask = mask, .activation = Nonlinearity::gelu_tanh};
  }
};

}  // namespace heed
