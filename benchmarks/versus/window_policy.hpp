#pragma once
// An attention policy for windows that are given whole, as other libraries batch them: heed's own AttentionPolicy slides its
// window over an episode and embeds each observation once, which no peer could be asked to match.

#include <heed/layers/activation.hpp>
#include <heed/layers/additive_pooling.hpp>
#include <heed/layers/linear.hpp>

namespace versus {

/// tokens: We x + be + PE    c: additive pooling of each window    logits = Wp tanh(Wh c + bh) + bp
class WindowPolicy {
  using S = float;
  using Index = heed::Index;

 public:
  heed::Axis time, windows;
  heed::Linear<S> embedding, hidden, policy;
  heed::Weight<> positions;
  heed::AdditivePooling<S> attention;
  heed::Activation<S> activation{heed::Nonlinearity::tanh};
  heed::Columns<> tokens, context, before, features, logits;

  WindowPolicy(heed::Scope at, Index observation, Index window, Index width, Index hidden_width, Index actions)
      : time(at.axis()),
        windows(at.child_axis()),
        embedding(at / "embedding", observation, width),
        hidden(at / "hidden", width, hidden_width),
        policy(at / "policy", hidden_width, actions),
        positions(at.weight<heed::Dynamic, heed::Dynamic>("positions", {window, width}, heed::sinusoidal(),
                                                          {.trained = false, .decays = false})),
        attention(at.along(windows) / "attention", width, width),
        tokens(at.along(windows).columns(width)),
        context(at.columns(width)),
        before(at.columns(hidden_width)),
        features(at.columns(hidden_width)),
        logits(at.columns(actions)) {}

  void forward(heed::ParametersView<const S> p, heed::Read<S> x, heed::ActivationsView<S> a) const {
    embedding.forward(p, x, a[tokens]);
    const Index window = positions.rows;
    for (Index first = 0; first < x.cols(); first += window)
      a[tokens].middleCols(first, window) += p[positions].transpose();
    attention.forward(p, a[tokens], a[context], a);
    hidden.forward(p, a[context], a[before]);
    activation.forward(a[before], a[features]);
    policy.forward(p, a[features], a[logits]);
  }

  void backward(heed::ParametersView<const S> p, heed::Read<S> x, heed::ActivationsView<S> a,
                heed::ParametersView<S> g) const {
    policy.backward(p, a[features], a.d(logits), g, a.d(features));
    activation.backward(a[before], a[features], a.d(features), a.d(before));
    hidden.backward(p, a[context], a.d(before), g, a.d(context));
    attention.backward(p, a[tokens], a.d(context), a, g, a.d(tokens));
    embedding.backward(p, x, a.d(tokens), g, heed::no_gradient);
  }
};

}  // namespace versus
