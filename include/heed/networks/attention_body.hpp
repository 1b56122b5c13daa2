#pragma once
#include "heed/core/memory.hpp"
#include "heed/layers/activation.hpp"
#include "heed/layers/additive_pooling.hpp"
#include "heed/layers/linear.hpp"

namespace heed {

/// Additive attention over a window of observations: what it computes for time step t depends on the last T observations,
/// each a token.
///
///   e_i = We x_i + be    tokens: e_i + PE(i - t + T - 1) for i = t - T + 1 ... t (fewer at the start of an episode)
///   c_t = additive pooling of the tokens    features: tanh(Wh c_t + bh)
///
///   x: observation x time steps    e, c: width    features: hidden    PE: sinusoidal, by the place in the window
///
/// We is applied once a time step, not once a window; acting remembers e of the last T steps in a ring.
template <class S>
class AttentionBody {
 public:
  using Scalar = S;
  Axis time, windows;  // a window is a sequence of the axis `windows`, and belongs to a time step
  Index window;
  Linear<S> embedding, hidden;
  Weight<> positions;  // the last row is for the newest
  AdditivePooling<S> attention;
  Activation<S> activation{Nonlinearity::tanh};
  Columns<> embedded, tokens, context, before, features;
  Remembered<> past;

  /// Config: observation, window, width, hidden.
  template <class Config>
  AttentionBody(Scope at, const Config& c)
      : time(at.axis()),
        windows(at.child_axis()),
        window(checked(c.window)),
        embedding(at / "embedding", c.observation, c.width, LinearInit::orthogonal(std::sqrt(double(c.width)))),
        hidden(at / "hidden", c.width, c.hidden),
        positions(at.weight<Dynamic, Dynamic>("positions", {c.window, c.width}, sinusoidal(),
                                              {.trained = false, .decays = false})),
        attention(at.along(windows) / "attention", c.width, c.width),
        embedded(at.columns(c.width)),
        tokens(at.along(windows).columns(c.width)),
        context(at.columns(c.width)),
        before(at.columns(c.hidden)),
        features(at.columns(c.hidden)),
        past(at.remembered(c.width, c.window)) {}

  Index observation() const { return embedding.in(); }
  Axis input() const { return time; }

  void forward(ParametersView<const S> p, Read<S> x, ActivationsView<S> a) const {
    embedding.forward(p, x, a[embedded]);
    const SequencesView s = a.sequences(time);
    attend(p, a, [&](Index column) {
      const Index first = s.first(s.sequence_of(column)), begin = std::max(first, column + 1 - window);
      return Read<S>(a[embedded].middleCols(begin, column + 1 - begin));
    });
  }

  void extend(ParametersView<const S> p, Read<S> x, MemoryView<S> m, ActivationsView<S> a) const {
    const SequencesView s = a.sequences(time);
    embedding.forward(p, x, a[embedded]);
    m.begin(time, s);
    for (Index lane = 0; lane < m.lanes(); ++lane)
      m.write(past, lane, a[embedded].middleCols(s.first(lane), s.length(lane)));
    attend(p, a, [&](Index column) {
      const Index lane = s.sequence_of(column), to_come = s.first(lane) + s.length(lane) - column - 1;
      const auto seen = m(past, lane);
      const Index end = seen.cols() - to_come, begin = std::max(Index(0), end - window);
      return Read<S>(seen.middleCols(begin, end - begin));
    });
  }

  void backward(ParametersView<const S> p, Read<S> x, ActivationsView<S> a, ParametersView<S> g, Gradient<S> dx) const {
    activation.backward(a[before], a[features], a.d(features), a.d(before));
    hidden.backward(p, a[context], a.d(before), g, a.d(context));
    attention.backward(p, a[tokens], a.d(context), a, g, a.d(tokens));
    a.d(embedded).setZero();
    const SequencesView of = a.sequences(windows);
    for (Index c = 0; c < of.count(); ++c)
      a.d(embedded).middleCols(c + 1 - of.length(c), of.length(c)) += a.d(tokens).middleCols(of.first(c), of.length(c));
    embedding.backward(p, x, a.d(embedded), g, dx);
  }

 private:
  /// window_of(column): the embedded observations that this time step looks at.
  template <class WindowOf>
  void attend(ParametersView<const S> p, ActivationsView<S> a, WindowOf window_of) const {
    a.begin(windows, a.columns(time), [&](Index column) { return window_of(column).cols(); });
    const SequencesView of = a.sequences(windows);
    for (Index c = 0; c < of.count(); ++c)
      a[tokens].middleCols(of.first(c), of.length(c)) = window_of(c) + p[positions].transpose().rightCols(of.length(c));
    attention.forward(p, a[tokens], a[context], a);
    hidden.forward(p, a[context], a[before]);
    activation.forward(a[before], a[features]);
  }
  static Index checked(Index window) {
    if (window < 1) detail::fail("AttentionPolicy: window %ld must be at least 1", long(window));
    return window;
  }
};

}  // namespace heed
