#pragma once
// Attention policies for windows that are given whole, as other libraries batch them: heed's own AttentionPolicy slides its
// window over an episode and embeds each observation once, which no peer could be asked to match.

#include <heed/layers/activation.hpp>
#include <heed/layers/additive_pooling.hpp>
#include <heed/layers/linear.hpp>
#include <heed/layers/window_pooling.hpp>

namespace versus {

using heed::Index;

/// Additive attention over the observations of a window, each with its place a token as it is.
template <int D = heed::Dynamic, int Width = heed::Dynamic>
class TokenPooling {
  using S = float;

 public:
  static constexpr int answer = D;
  heed::Axis windows;
  Index width;  // of what it answers
  heed::Weight<> positions;
  heed::AdditivePooling<S, D, Width> attention;
  heed::Columns<D> tokens;

  TokenPooling(heed::Scope at, Index observation, Index length, Index alignment)
      : windows(at.child_axis()),
        width(observation),
        positions(at.weight<heed::Dynamic, heed::Dynamic>("positions", {length, observation}, heed::sinusoidal(),
                                                          {.trained = false, .decays = false})),
        attention(at.along(windows) / "attention", observation, alignment),
        tokens(at.along(windows).columns<D>(observation)) {}

  void forward(heed::ParametersView<const S> p, heed::Read<S> x, heed::Write<S, D> y,
               heed::ActivationsView<S> a) const {
    const float *from = x.data(), *place = p[positions].data();
    float* to = a[tokens].data();
    for (Index first = 0, n = positions.rows * width; first < x.size(); first += n)
      for (Index i = 0; i < n; ++i) to[first + i] = from[first + i] + place[i];
    attention.forward(p, a[tokens], y, a);
  }
  void backward(heed::ParametersView<const S> p, heed::Read<S>, heed::Read<S, D> dy, heed::ActivationsView<S> a,
                heed::ParametersView<S> g, heed::Gradient<S, D> dx) const {
    attention.backward(p, a[tokens], dy, a, g, dx);
  }
};

/// The same over observations that are embedded first.
class EmbeddedPooling : public heed::WindowPooling<float> {
 public:
  static constexpr int answer = heed::Dynamic;
  Index width;
  EmbeddedPooling(heed::Scope at, Index observation, Index length, Index width_)
      : WindowPooling(at, observation, length, width_, heed::Windows::given), width(width_) {}
};

/// c: attention over each window of observations    logits = Wp tanh(Wh c + bh) + bp
template <class Attention, int Hidden = heed::Dynamic, int Actions = heed::Dynamic>
class WindowPolicy {
  using S = float;

 public:
  Attention attention;
  heed::Linear<S, Attention::answer, Hidden> hidden;
  heed::Linear<S, Hidden, Actions> policy;
  heed::Axis windows = attention.windows;
  heed::Activation<S> activation{heed::Nonlinearity::tanh};
  heed::Columns<Attention::answer> context;
  heed::Columns<Hidden> before, features;
  heed::Columns<Actions> logits;

  WindowPolicy(heed::Scope at, Index observation, Index window, Index width, Index hidden_width, Index actions)
      : attention(at, observation, window, width),
        hidden(at / "hidden", attention.width, hidden_width),
        policy(at / "policy", hidden_width, actions),
        context(at.columns<Attention::answer>(attention.width)),
        before(at.columns<Hidden>(hidden_width)),
        features(at.columns<Hidden>(hidden_width)),
        logits(at.columns<Actions>(actions)) {}

  void forward(heed::ParametersView<const S> p, heed::Read<S> x, heed::ActivationsView<S> a) const {
    attention.forward(p, x, a[context], a);
    hidden.forward(p, a[context], a[before]);
    activation.forward(a[before], a[features]);
    policy.forward(p, a[features], a[logits]);
  }

  void backward(heed::ParametersView<const S> p, heed::Read<S> x, heed::ActivationsView<S> a,
                heed::ParametersView<S> g) const {
    policy.backward(p, a[features], a.d(logits), g, a.d(features));
    activation.backward(a[before], a[features], a.d(features), a.d(before));
    hidden.backward(p, a[context], a.d(before), g, a.d(context));
    attention.backward(p, x, a.d(context), a, g, heed::no_gradient);
  }
};

}  // namespace versus
