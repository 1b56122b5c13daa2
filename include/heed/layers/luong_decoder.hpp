#pragma once
#include "heed/core/graph.hpp"
#include "heed/layers/gru.hpp"
#include "heed/layers/luong_attention.hpp"

namespace heed {

/// The decoder of Luong et al. (2015, sec. 3 and fig. 2, without input feeding): a GRU, and at each of its states a look at
/// a source, which the next state does not know of.
///
///   s_i = GRU(x_i, s_(i-1))    y_i = the attentional output of s_i over the source, see LuongAttention
///
///   x: in x n, along the axis of its scope    h: source_dim x m, along `source`    y: hidden x n
///   GRU ("gru"), attention ("attention")    Ws, bs: a Linear ("initial"), source_dim to in
///
/// The first input of a sequence is x_1 + Ws h_m + bs, h_m the last column of the source: what the encoder ended with.
template <class S>
class LuongDecoder {
 public:
  struct Config {
    Index in, source_dim, hidden;            ///< rows of what goes in, of the source and of the state
    Index width = 0;                         ///< of a concat score
    LuongScore score = LuongScore::general;  ///< how a query and a key are compared
    LuongReach reach = LuongReach::global;   ///< how much of the source is looked at
    Index half_window = 5;                   ///< of a local reach
  };
  Gru<S> gru;
  LuongAttention<S> attention;
  Linear<S> initial;
  Columns<> input, states, answers;

  LuongDecoder(Scope at, Axis source, const Config& c)
      : gru(at / "gru", {.in = c.in, .hidden = c.hidden}),
        attention(at / "attention", source,
                  {.query_dim = c.hidden,
                   .key_dim = c.source_dim,
                   .score = c.score,
                   .width = c.width,
                   .reach = c.reach,
                   .half_window = c.half_window}),
        initial(at / "initial", c.source_dim, c.in),
        input(at.columns(c.in)),
        states(at.columns(c.hidden)),
        answers(at.columns(c.hidden)) {}

  Index in() const { return gru.in(); }
  Index source_dim() const { return initial.in(); }
  Index out() const { return attention.output.out(); }

  void forward(ParametersView<const S> p, Read<S> x, Read<S> source, Write<S> y, ActivationsView<S> a) const {
    check(x, source, "y", y, a);
    start(p, x, source, a, [](Index) { return true; });
    gru.forward(p, a[input], a[states], a);
    attention.forward(p, a[states], source, a[answers], a);
    y = a[answers];
  }

  /// Forward for new steps of each lane; its whole source comes with its first step, and stays.
  void extend(ParametersView<const S> p, Read<S> x, Read<S> source, Write<S> y, MemoryView<S> m,
              ActivationsView<S> a) const {
    check(x, source, "y", y, a);
    m.begin(input.axis, a.sequences(input.axis));
    m.begin(attention.source, a.sequences(attention.source));
    const SequencesView steps = a.sequences(input.axis);
    for (Index lane = 0; lane < m.lanes(); ++lane)
      if (steps.length(lane) > 0 && m.length(input.axis, lane) == 0 && m.length(attention.source, lane) > 0)
        detail::fail("LuongDecoder: lane %ld was shown its source before its first step, and not with it", long(lane));
    start(p, x, source, a, [&](Index lane) { return m.length(input.axis, lane) == 0; });
    gru.extend(p, a[input], a[states], m, a);
    attention.extend(p, a[states], source, a[answers], m, a);
    y = a[answers];
  }

  void backward(ParametersView<const S> p, Read<S> x, Read<S> source, Read<S> dy, ActivationsView<S> a,
                ParametersView<S> g, Gradient<S> dx, Gradient<S> dsource) const {
    check(x, source, "dy", dy, a);
    detail::expect_gradient("LuongDecoder", "dx", dx, in(), x.cols());
    detail::expect_gradient("LuongDecoder", "dsource", dsource, source_dim(), source.cols());
    attention.backward(p, a[states], source, a[answers], dy, a, g, a.d(states), dsource);
    gru.backward(p, a[input], a.d(states), a, g, a.d(input));
    if (dx.wanted()) dx.put(0, a.d(input));
    each_start(a, [&](Index first, Index last) {
      initial.backward(p, source.middleCols(last, 1), a.d(input).middleCols(first, 1), g,
                       dsource.part(0, dsource.rows(), last, 1));
    });
  }

  /// The attention weights of one sequence after a forward, source columns x steps.
  void weights(ParametersView<const S> p, Read<S> source, ActivationsView<S> a, Index sequence, Write<S> w) const {
    attention.weights(p, a[states], source, a, sequence, w);
  }

  template <class... Nodes>
  Node graph(Graph& g, const Nodes&...) const {
    return g.unsupported("LuongDecoder");
  }

 private:
  template <class Y>
  void check(const Read<S>& x, const Read<S>& source, const char* what, const Y& y, ActivationsView<S> a) const {
    detail::expect_shape("LuongDecoder", "x", x, in(), a.columns(input.axis));
    detail::expect_shape("LuongDecoder", "source", source, source_dim(), a.columns(attention.source));
    detail::expect_shape("LuongDecoder", what, y, out(), x.cols());
  }
  /// The sequences that have both: f(first step, last column of the source).
  template <class F>
  void each_start(ActivationsView<S> a, F f) const {
    detail::SequencePairs("LuongDecoder", a.sequences(input.axis), a.sequences(attention.source))
        .each([&](detail::SequencePair s) {
          if (s.queries > 0 && s.keys > 0) f(s.query, s.key + s.keys - 1);
        });
  }
  template <class Starts>
  void start(ParametersView<const S> p, const Read<S>& x, const Read<S>& source, ActivationsView<S> a,
             Starts starts) const {
    a[input] = x;
    each_start(a, [&](Index first, Index last) {
      if (!starts(a.sequences(input.axis).sequence_of(first))) return;
      auto of = a[input].middleCols(first, 1);
      detail::multiply(of, p[initial.weight], source.middleCols(last, 1), true);
      of += p[initial.bias];
    });
  }
};

}  // namespace heed
