#pragma once
#include "heed/core/policy.hpp"
#include "heed/detail/selection.hpp"
#include "heed/layers/pointer.hpp"
#include "heed/networks/entity_body.hpp"

namespace heed {

/// Of PointerPolicy.
struct PointerPolicyConfig {
  Index observation = 0;  ///< rows of an entity's column
  Index types = 0;  ///< of entities: the first row of a column is its type, 0 to types - 1; 0: there is no such row
  Index width = 32, heads = 4;             ///< of a token, and of the attention
  Index layers = 1;                        ///< blocks over time
  Index inner = 0;                         ///< width of the feed-forward parts; 0: 4 width
  Index window = 0;                        ///< how many steps back it sees, the newest included; 0: the whole episode
  PointerScore score = PointerScore::dot;  ///< how a query and an entity are compared
  double clip = 0;                         ///< the logits stay within +-clip; 0: no limit
  bool value = false;                      ///< whether it learns a value, too
};

/// A policy whose action is to choose one of the entities in sight: action i of a step is its i-th entity.
///
///   logits = pointer(features, encoded)    value = wv features + bv
///
///   features: width x time steps, encoded: width x entities, see EntityBody    logits: 1 x entities
///   pointer ("pointer"): see Pointer    wv ("value"): orthogonal
template <class Real>
class PointerPolicy {
 public:
  using Scalar = Real;
  using S = Real;
  using Config = PointerPolicyConfig;
  EntityBody<S> body;
  Pointer<S> pointer;
  Linear<S> value_head;
  Columns<1> logits;  ///< along the entities
  Columns<1> value;   ///< empty where there is no learned value
  Axis time, input;
  Index observation;  ///< rows of what is seen

  PointerPolicy(Scope at, const Config& c)
      : body(at, c),
        pointer(at / "pointer", body.entities,
                {.query_dim = c.width, .key_dim = c.width, .width = c.width, .score = c.score, .clip = c.clip}),
        value_head({}, {}),
        logits(at.along(body.entities).template columns<1>()),
        time(at.axis()),
        input(body.input()),
        observation(body.observation()) {
    if (!c.value) return;
    value_head = Linear<S>(at / "value", c.width, 1, LinearInit::orthogonal(1));
    value = at.columns<1>();
  }

  void forward(ParametersView<const S> p, Read<S> x, ActivationsView<S> a) const {
    body.forward(p, x, a);
    heads(p, a);
  }
  void extend(ParametersView<const S> p, Read<S> x, MemoryView<S> m, ActivationsView<S> a) const {
    body.extend(p, x, m, a);
    heads(p, a);
  }
  /// From a.d(logits) and a.d(value).
  void backward(ParametersView<const S> p, Read<S> x, ActivationsView<S> a, ParametersView<S> g, Gradient<S> dx) const {
    pointer.backward(p, a[body.features], a[body.encoded], a[logits], a.d(logits), a, g, a.d(body.features),
                     a.d(body.encoded));
    if (value) value_head.backward(p, a[body.features], a.d(value), g, add_to(a.d(body.features)));
    body.backward_of_both(p, x, a, g, dx);
  }

  /// See attention_weights: those of the body, then the probabilities of the entities to choose from.
  template <class Visit>
  void attentions(Visit visit) const {
    body.attentions(visit);
    visit(AttentionLayer{"pointer", body.entities, body.pool.seeds}, [this](auto, auto a, Index step, Index, auto w) {
      if (w.rows() == 0) return;
      w.col(0) = a[logits].segment(a.sequences(body.entities).first(step), w.rows()).transpose();
      detail::softmax<S>({w.data(), w.rows()});
    });
  }

  void graph(Graph& g) const {
    const auto [features, encoded] = body.graph_of_both(g, g.input("observation", input, observation));
    g.output("logits", pointer.graph(g, features, encoded), body.entities);
    if (value) g.output("value", value_head.graph(g, features), time);
  }

 private:
  void heads(ParametersView<const S> p, ActivationsView<S> a) const {
    pointer.forward(p, a[body.features], a[body.encoded], a[logits], a);
    if (value) value_head.forward(p, a[body.features], a[value]);
  }
};

}  // namespace heed
