#pragma once
// An attention policy for windows that are given whole, as other libraries batch them: heed's own AttentionPolicy slides its
// window over an episode and embeds each observation once, which no peer could be asked to match.

#include <heed/layers/activation.hpp>
#include <heed/layers/linear.hpp>
#include <heed/layers/window_pooling.hpp>

namespace versus {

/// c: attention over each window of observations    logits = Wp tanh(Wh c + bh) + bp
class WindowPolicy {
  using S = float;
  using Index = heed::Index;

 public:
  heed::WindowPooling<S> attention;
  heed::Linear<S> hidden, policy;
  heed::Axis windows = attention.windows;
  heed::Activation<S> activation{heed::Nonlinearity::tanh};
  heed::Columns<> context, before, features, logits;

  WindowPolicy(heed::Scope at, Index observation, Index window, Index width, Index hidden_width, Index actions)
      : attention(at, observation, window, width, heed::Windows::given),
        hidden(at / "hidden", width, hidden_width),
        policy(at / "policy", hidden_width, actions),
        context(at.columns(width)),
        before(at.columns(hidden_width)),
        features(at.columns(hidden_width)),
        logits(at.columns(actions)) {}

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
