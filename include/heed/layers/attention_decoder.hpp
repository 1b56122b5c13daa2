#pragma once
#include "heed/core/graph.hpp"
#include "heed/layers/additive_attention.hpp"
#include "heed/layers/gru.hpp"

namespace heed {

/// The decoder of Bahdanau et al. (2015, sec. 3.1 and A.2.2): a GRU that looks at a source before each of its steps.
///
///   e_ij = v' tanh(W s_(i-1) + U h_j)    a_i = softmax(e_i) over the source of the sequence    c_i = sum_j a_ij h_j
///   s_i = GRU([x_i; c_i], s_(i-1))    s_0 = tanh(Ws h_1 + bs), zero where there is no source    y_i = [s_i; c_i]
///
///   x: in x n, along the axis of its scope    h: source_dim x m, along `source`, usually of a bidirectional GRU
///   y: (hidden + source_dim) x n
///   W, U, v: as AdditiveAttention's ("attention")    Ws, bs: a Linear ("initial")    GRU as torch.nn.GRUCell ("gru")
///
/// In the paper Ws reads of h_1 the reverse half alone, and the GRU applies r before the product with W_hn.
template <class S>
class AttentionDecoder {
 public:
  struct Config {
    Index in, source_dim, hidden;  ///< rows of what goes in, of the source and of the state
    Index width;                   ///< of the alignment model
  };
  detail::Lockstep lockstep;                         ///< goes through the steps of all sequences together
  detail::RecurrentUnit<S, detail::GruCell<S>> gru;  ///< the state's cell
  AdditiveAttention<S> attention;                    ///< its queries along the steps
  Linear<S> initial;
  Columns<> input, projected, after;  ///< along the steps: [x; c], W_ih [x; c] + b_ih, and the states
  State<> state;

  AttentionDecoder(Scope at, Axis source, Config c)
      : lockstep(at),
        gru(at / "gru", lockstep.steps, c.in + c.source_dim, c.hidden),
        attention(at.along(lockstep.steps) / "attention", source,
                  {.query_dim = c.hidden, .key_dim = c.source_dim, .width = c.width}),
        initial(at / "initial", c.source_dim, c.hidden),
        input(at.along(lockstep.steps).columns(c.in + c.source_dim)),
        projected(at.along(lockstep.steps).columns(gru.input.out())),
        after(at.along(lockstep.steps).columns(c.hidden)),
        state(at.state(c.hidden)) {
    if (c.in < 1) detail::fail("AttentionDecoder: in %ld must be at least 1", long(c.in));
  }

  Index in() const { return gru.input.in() - source_dim(); }
  Index source_dim() const { return attention.key.in(); }
  Index out() const { return gru.hidden() + source_dim(); }

  void forward(ParametersView<const S> p, Read<S> x, Read<S> source, Write<S> y, ActivationsView<S> a) const {
    check(x, source, "y", y, a);
    attention.key.forward(p, source, a[attention.projected_key]);
    run(p, x, source, y, a, nullptr);
  }

  /// Forward for new steps of each lane, and for new columns of its source. Columns that come after the first step are
  /// seen from then on, but s_0 stays as it was: only a source that is whole by then gives what forward gives.
  void extend(ParametersView<const S> p, Read<S> x, Read<S> source, Write<S> y, MemoryView<S> m,
              ActivationsView<S> a) const {
    const auto all = check(x, source, "y", y, a);
    attention.key.forward(p, source, a[attention.projected_key]);
    m.begin(lockstep.time, a.sequences(lockstep.time));
    m.begin(attention.key_axis, a.sequences(attention.key_axis));
    all.each([&](detail::SequencePair lane) {
      const Source more = source_of(lane.sequence, source, a, nullptr);
      m.write(attention.past_projected, lane.sequence, more.projected);
      m.write(attention.past_keys, lane.sequence, more.h);
    });
    m.next(state) = m[state];
    run(p, x, source, y, a, &m);
  }

  // From the last step to the first, each read upwards:
  //
  //   ds_i = dy_i + what step i + 1 wants    d[x_i; c_i] = W_ih' dsums    dc_i = dy_i + of it
  //   dh, dU h, dv += of c_i, and dq_i    ds_(i-1) = of the GRU + W' dq_i    at last dh_1 += Ws' (ds_0 o (1 - s_0^2))
  void backward(ParametersView<const S> p, Read<S> x, Read<S> source, Read<S> dy, ActivationsView<S> a,
                ParametersView<S> g, Gradient<S> dx, Gradient<S> dsource) const {
    check(x, source, "dy", dy, a);
    detail::expect_gradient("AttentionDecoder", "dx", dx, in(), x.cols());
    detail::expect_gradient("AttentionDecoder", "dsource", dsource, source_dim(), source.cols());
    dsource.start();
    a.d(attention.projected_query).setZero();
    a.d(attention.projected_key).setZero();
    for (Index t = a.sequences(lockstep.steps).count(); t-- > 0;) {
      gru_backward(p, t, dy, a);
      lockstep.each(a, t, forwards, [&](detail::Lockstep::Place at) {
        auto dinput = a.d(input).col(at.now);
        dinput.tail(source_dim()) += dy.col(at.column).tail(source_dim());
        if (dx.wanted()) dx.put(at.column, dinput.head(in()));
        attend_backward(p, at, source, a, g, dsource);
      });
      detail::multiply(step(a.d(gru.before), t, a), p[attention.query.weight].transpose(),
                       step(a.d(attention.projected_query), t, a), true);
    }
    lockstep.each(a, 0, forwards, [&](detail::Lockstep::Place at) { start_backward(p, at, source, a, g, dsource); });
    gru.input.backward(p, a[input], a.d(projected), g, no_gradient);
    gru.backward_weights(p, a, g);
    attention.query.backward(p, a[gru.before], a.d(attention.projected_query), g, no_gradient);
    attention.key.backward(p, source, a.d(attention.projected_key), g,
                           dsource.part(0, dsource.rows(), 0, dsource.cols()));
  }

  /// The weights a_ij of one sequence after a forward, source columns x steps.
  void weights(ParametersView<const S> p, ActivationsView<S> a, Index sequence, Write<S> w) const {
    const auto s = pairs(a)[sequence];
    detail::expect_shape("AttentionDecoder", "weights", w, s.keys, s.queries);
    const auto keys = a[attention.projected_key].middleCols(s.key, s.keys);
    for (Index t = 0; t < s.queries; ++t)
      lockstep.each(a, t, forwards, [&](detail::Lockstep::Place at) {
        if (at.sequence != sequence) return;
        detail::attention_weights<S>(score(p, at.now, keys, a), {}, lse_of(at.now, a), w.middleCols(t, 1));
      });
  }

  template <class... Nodes>
  Node graph(Graph& g, const Nodes&...) const {
    return g.unsupported("AttentionDecoder");
  }

 private:
  static constexpr auto forwards = detail::Direction::forward;
  struct Source {
    Read<S> projected, h;
  };

  /// The columns of a step.
  template <class M>
  auto step(M m, Index t, ActivationsView<S> a) const {
    const SequencesView steps = a.sequences(lockstep.steps);
    return m.middleCols(steps.first(t), steps.length(t));
  }
  Source source_of(Index sequence, const Read<S>& source, ActivationsView<S> a, const MemoryView<S>* m) const {
    if (m) return {(*m)(attention.past_projected, sequence), (*m)(attention.past_keys, sequence)};
    const SequencesView s = a.sequences(attention.key_axis);
    const Index first = s.first(sequence), n = s.length(sequence);
    return {a[attention.projected_key].middleCols(first, n), source.middleCols(first, n)};
  }
  detail::AdditiveScore<S> score(ParametersView<const S> p, Index now, Read<S> keys, ActivationsView<S> a) const {
    return {a[attention.projected_query].middleCols(now, 1), keys, p[attention.v]};
  }
  auto lse_of(Index now, ActivationsView<S> a) const { return a[attention.lse].row(0).segment(now, 1); }

  /// From s_0, or from the states in m where a lane has begun; there the last states go.
  void run(ParametersView<const S> p, const Read<S>& x, const Read<S>& source, Write<S>& y, ActivationsView<S> a,
           const MemoryView<S>* m) const {
    lockstep.begin(a);
    auto before = a[gru.before], states = a[after], inputs = a[input];
    for (Index t = 0; t < a.sequences(lockstep.steps).count(); ++t) {
      if (t == 0)
        lockstep.each(a, t, forwards, [&](detail::Lockstep::Place at) {
          if (m && m->length(lockstep.time, at.sequence) > 0)
            before.col(at.now) = (*m)[state].col(at.sequence);
          else
            start(p, source_of(at.sequence, source, a, m).h, before.middleCols(at.now, 1));
        });
      attention.query.forward(p, step(before, t, a), step(a[attention.projected_query], t, a));
      lockstep.each(a, t, forwards, [&](detail::Lockstep::Place at) {
        inputs.col(at.now).head(in()) = x.col(at.column);
        attend(p, at, source_of(at.sequence, source, a, m), a);
      });
      gru_forward(p, t, a);
      lockstep.each(a, t, forwards, [&](detail::Lockstep::Place at) {
        y.col(at.column).head(gru.hidden()) = states.col(at.now);
        y.col(at.column).tail(source_dim()) = inputs.col(at.now).tail(source_dim());
        if (at.after >= 0)
          before.col(at.after) = states.col(at.now);
        else if (m)
          m->next(state).col(at.sequence) = states.col(at.now);
      });
    }
  }

  void start(ParametersView<const S> p, const Read<S>& h, Write<S> s0) const {
    if (h.cols() == 0) return void(s0.setZero());
    initial.forward(p, h.leftCols(1), s0);
    detail::tangent_in_place(s0);
  }
  void start_backward(ParametersView<const S> p, detail::Lockstep::Place at, const Read<S>& source,
                      ActivationsView<S> a, ParametersView<S> g, Gradient<S>& dsource) const {
    const SequencesView s = a.sequences(attention.key_axis);
    if (s.length(at.sequence) == 0) return;
    const Index first = s.first(at.sequence);
    auto ds0 = a.d(gru.before).middleCols(at.now, 1);
    ds0.array() *= 1 - a[gru.before].col(at.now).array().square();
    initial.backward(p, source.middleCols(first, 1), ds0, g, dsource.part(0, source_dim(), first, 1));
  }

  void attend(ParametersView<const S> p, detail::Lockstep::Place at, const Source& of, ActivationsView<S> a) const {
    detail::attention_forward<S>(score(p, at.now, of.projected, a), {}, of.h,
                                 a[input].middleCols(at.now, 1).bottomRows(source_dim()), lse_of(at.now, a));
  }
  void attend_backward(ParametersView<const S> p, detail::Lockstep::Place at, const Read<S>& source,
                       ActivationsView<S> a, ParametersView<S> g, Gradient<S>& dsource) const {
    const SequencesView s = a.sequences(attention.key_axis);
    const Index first = s.first(at.sequence), n = s.length(at.sequence), rows = source_dim();
    const Source of = source_of(at.sequence, source, a, nullptr);
    const detail::AdditiveScore<S> score{a[attention.projected_query].middleCols(at.now, 1),
                                         of.projected,
                                         p[attention.v],
                                         a.d(attention.projected_query).middleCols(at.now, 1),
                                         a.d(attention.projected_key).middleCols(first, n),
                                         g[attention.v]};
    detail::attention_backward<S>(score, {}, of.h, a[input].middleCols(at.now, 1).bottomRows(rows), lse_of(at.now, a),
                                  a.d(input).middleCols(at.now, 1).bottomRows(rows), dsource.part(0, rows, first, n));
  }

  void gru_forward(ParametersView<const S> p, Index t, ActivationsView<S> a) const {
    const SequencesView steps = a.sequences(lockstep.steps);
    gru.input.forward(p, step(a[input], t, a), step(a[projected], t, a));
    gru.place(step(a[projected], t, a), step(a[gru.gates], t, a));
    gru.forward(p, steps.first(t), steps.length(t), step(a[after], t, a), a);
  }
  /// Up to d[x; c] and what reaches the states before past the query.
  void gru_backward(ParametersView<const S> p, Index t, const Read<S>& dy, ActivationsView<S> a) const {
    const SequencesView steps = a.sequences(lockstep.steps);
    auto dstates = a.d(after), dbefore = a.d(gru.before);
    lockstep.each(a, t, forwards, [&](detail::Lockstep::Place at) {
      dstates.col(at.now) = dy.col(at.column).head(gru.hidden());
      if (at.after >= 0) dstates.col(at.now) += dbefore.col(at.after);
    });
    gru.backward(p, steps.first(t), steps.length(t), step(dstates, t, a), a);
    gru.fetch(step(a.d(gru.gates), t, a), step(a.d(projected), t, a));
    detail::multiply(step(a.d(input), t, a), p[gru.input.weight].transpose(), step(a.d(projected), t, a));
  }

  detail::SequencePairs pairs(ActivationsView<S> a) const {
    return {"AttentionDecoder", a.sequences(lockstep.time), a.sequences(attention.key_axis)};
  }
  template <class Y>
  detail::SequencePairs check(const Read<S>& x, const Read<S>& source, const char* what, const Y& y,
                              ActivationsView<S> a) const {
    const detail::SequencePairs all = pairs(a);
    detail::expect_shape("AttentionDecoder", "x", x, in(), all.queries());
    detail::expect_shape("AttentionDecoder", "source", source, source_dim(), all.keys());
    detail::expect_shape("AttentionDecoder", what, y, out(), all.queries());
    return all;
  }
};

}  // namespace heed
