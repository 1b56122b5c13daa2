#pragma once
#include "heed/core/attention_weights.hpp"
#include "heed/core/graph.hpp"
#include "heed/layers/activation.hpp"
#include "heed/layers/additive_pooling.hpp"
#include "heed/layers/cross_attention.hpp"
#include "heed/layers/fractional_difference.hpp"
#include "heed/layers/selective_attention.hpp"

namespace heed {

/// Attention to where and when a signal of many channels carries what matters, each time step alone: it remembers
/// nothing.
///
///   s_i = (1 - B)^d samples_i    e_i = tanh(W2 gelu(W1 [s_i; place_i] + b1) + b2)
///   g = AdditivePooling(e)       features = MultiHead(beta g, e, e), its weights by sparsemax
///
///   x: observation x tokens, along the axis `tokens`; those of sequence i are seen at time step i
///   A column is a stretch of one channel: first its `samples`, one after the other, then where it is.
///   e: width x tokens    features: width x time steps    (1 - B)^d: see FractionalDifference
///   W1 ("linear1"): orthogonal with gain sqrt(2)    W2 ("linear2"): orthogonal
///   AdditivePooling: "glance"    MultiHead ("look"): see CrossAttention
///
/// What to look for follows from a first glance: a token need not be told from all others, only from those that do not
/// carry what was glimpsed. Sparsemax looks away from the rest, the sharper the larger beta. Values are of their token
/// alone, so that the weights say where the features are from.
template <class S>
class SignalBody {
 public:
  using Scalar = S;
  Axis time, tokens;
  FractionalDifference<S> whitening;
  Linear<S> linear1, linear2;
  Activation<S> gelu{Nonlinearity::gelu_tanh}, tanh{Nonlinearity::tanh};
  AdditivePooling<S> glance;
  Axis sets;  ///< a sibling of the tokens' axis, a column for each of its sequences
  CrossAttention<S, Dynamic, SelectiveAttention<S>> look;
  Index samples;                               ///< numbers of a channel in a token
  S sharpness;                                 ///< beta
  Columns<> seen, inner, activated, embedded;  ///< along the tokens
  Columns<> asked;                             ///< along the sets
  Columns<> features;                          ///< along time

  /// Config: observation, samples, whitening, width, inner, heads, sharpness.
  template <class Config>
  SignalBody(Scope at, const Config& c) : SignalBody(at, at.along(at.child_axis()), c) {}

  Index observation() const { return linear1.in(); }
  Axis input() const { return tokens; }
  Index heads() const { return look.attention.attention.heads; }

  void forward(ParametersView<const S> p, Read<S> x, ActivationsView<S> a) const {
    detail::expect_shape("SignalBody", "x", x, observation(), a.columns(tokens));
    a.begin(sets, a.sequences(tokens).count(), [](Index) { return Index(1); });
    whitening.forward(x.topRows(samples), a[seen].topRows(samples));
    a[seen].bottomRows(places()) = x.bottomRows(places());
    linear1.forward(p, a[seen], a[inner]);
    gelu.forward(a[inner], a[activated]);
    linear2.forward(p, a[activated], a[embedded]);
    tanh.forward(a[embedded], a[embedded]);
    glance.forward(p, a[embedded], a[asked], a);
    a[asked] *= sharpness;
    look.forward(p, a[asked], a[embedded], a[embedded], a[features], a);
  }
  void extend(ParametersView<const S> p, Read<S> x, MemoryView<S> m, ActivationsView<S> a) const {
    m.begin(time, a.sequences(time));
    forward(p, x, a);
  }

  /// From a.d(features).
  void backward(ParametersView<const S> p, Read<S> x, ActivationsView<S> a, ParametersView<S> g, Gradient<S> dx) const {
    detail::expect_shape("SignalBody", "x", x, observation(), a.columns(tokens));
    detail::expect_gradient("SignalBody", "dx", dx, x.rows(), x.cols());
    a.d(embedded).setZero();
    look.backward(p, a[asked], a[embedded], a[embedded], a.d(features), a, g, a.d(asked), add_to(a.d(embedded)),
                  add_to(a.d(embedded)));
    a.d(asked) *= sharpness;
    glance.backward(p, a[embedded], a.d(asked), a, g, add_to(a.d(embedded)));
    tanh.backward(a[embedded], a[embedded], a.d(embedded), a.d(embedded));
    linear2.backward(p, a[activated], a.d(embedded), g, a.d(activated));
    gelu.backward(a[inner], a[activated], a.d(activated), a.d(inner));
    if (!dx.wanted()) return linear1.backward(p, a[seen], a.d(inner), g, no_gradient);
    linear1.backward(p, a[seen], a.d(inner), g, a.d(seen));
    dx.start();
    whitening.backward(a.d(seen).topRows(samples), dx.part(0, samples, 0, x.cols()));
    dx.part(samples, places(), 0, x.cols()).put(0, a.d(seen).bottomRows(places()));
  }

  /// How much each token of a time step counted, in one head, after a forward: tokens x 1.
  void weights(ParametersView<const S> p, ActivationsView<S> a, Index step, Index head, Write<S> w) const {
    look.weights(p, a, step, head, w);
  }
  /// See attention_weights: the first glance, then where it looks.
  template <class Visit>
  void attentions(Visit visit) const {
    visit(AttentionLayer{"glance", tokens, sets},
          [this](auto, auto a, Index step, Index, auto w) { glance.weights_of(a, step, w); });
    detail::visit_heads("look", tokens, sets, false, look, visit);
  }

  Node graph(Graph& g, const Node&) const { return g.unsupported("SignalBody"); }

 private:
  template <class Config>
  SignalBody(Scope at, Scope of_tokens, const Config& c)
      : time(at.axis()),
        tokens(of_tokens.axis()),
        whitening(c.whitening),
        linear1(at / "linear1", c.observation, c.inner, LinearInit::orthogonal(std::sqrt(2.0))),
        linear2(at / "linear2", c.inner, c.width, LinearInit::orthogonal(1)),
        glance(of_tokens / "glance", c.width, c.width),
        sets(of_tokens.sibling_axis()),
        look((at / "look").along(sets), tokens, {.dim = c.width, .heads = c.heads, .selection = Selection::sparsemax}),
        samples(c.samples),
        sharpness(S(c.sharpness)),
        seen(of_tokens.columns(c.observation)),
        inner(of_tokens.columns(c.inner)),
        activated(of_tokens.columns(c.inner)),
        embedded(of_tokens.columns(c.width)),
        asked(at.along(sets).columns(c.width)),
        features(at.columns(c.width)) {
    if (c.samples < 0 || c.samples > c.observation)
      detail::fail("SignalBody: %ld samples in an observation of %ld", long(c.samples), long(c.observation));
    if (!(c.sharpness > 0)) detail::fail("SignalBody: sharpness %g must be positive", c.sharpness);
    if (!(c.whitening >= 0 && c.whitening <= 1))
      detail::fail("SignalBody: whitening %g must be in [0, 1]", c.whitening);
  }
  Index places() const { return observation() - samples; }
};

}  // namespace heed
