#pragma once
#include <cstdio>
#include <vector>

#include "heed/core/graph.hpp"
#include "heed/core/memory.hpp"
#include "heed/detail/elementwise.hpp"
#include "heed/detail/lockstep.hpp"
#include "heed/layers/linear.hpp"

namespace heed::detail {

// What recurrent layers share. A Cell knows its gates and nothing else; with H rows for each gate and state:
//
//   Cell::gates     how many gates W_ih x + b_ih and W_hh h + b_hh have
//   Cell::apart     for how many of them, the last, the cell needs the two sums apart: first come all those of h, to
//                   which those of x are added except for the last gates, then the last gates of x
//   Cell::states    how many states go on to the next step, h first
//   Cell::forward(gates, before, after)                      turns the sums into gates, and gives the states afterwards
//   Cell::backward(gates, before, dafter, dsums, dbefore)    dbefore: past the sums alone; dafter may be used up

/// One layer in one direction: the weights of a cell, and what is kept of each step for the way back.
template <class S, class Cell>
class RecurrentUnit {
 public:
  Linear<S> input, recurrent;
  Columns<> gates, before;  // along the steps: gates, and states before the step

  /// Weights are named as torch.nn.GRU's, with a suffix such as "_l0_reverse", or without as torch.nn.GRUCell's.
  RecurrentUnit(Scope at, Axis steps, Index in, Index hidden, const char* suffix = "")
      : input(linear(at, "ih", suffix, in, hidden)),
        recurrent(linear(at, "hh", suffix, hidden, hidden)),
        gates(at.along(steps).columns((Cell::gates + Cell::apart) * hidden)),
        before(at.along(steps).columns(Cell::states * hidden)) {}

  Index hidden() const { return recurrent.in(); }

  /// Puts W_ih x + b_ih where the step will find it, and on the way back fetches its gradient.
  template <class From, class To>
  void place(const From& projected, To&& sums) const {
    sums.topRows(together()) = projected.topRows(together());
    sums.middleRows(together(), apart()).setZero();
    sums.bottomRows(apart()) = projected.bottomRows(apart());
  }
  template <class From, class To>
  void fetch(const From& dsums, To&& dprojected) const {
    dprojected.topRows(together()) = dsums.topRows(together());
    dprojected.bottomRows(apart()) = dsums.bottomRows(apart());
  }

  /// A step of `count` columns from `first` on, whose inputs and states are in their places.
  void forward(ParametersView<const S> p, Index first, Index count, Write<S> after, ActivationsView<S> a) const {
    auto sums = a[gates].middleCols(first, count), states = a[before].middleCols(first, count);
    auto of_h = sums.topRows(recurrent.out());
    multiply(of_h, p[recurrent.weight], states.topRows(hidden()), true);
    of_h.colwise() += p[recurrent.bias];
    Cell::forward(sums, states, after);
  }
  // dh = what reaches it past the sums + W_hh' dsums
  void backward(ParametersView<const S> p, Index first, Index count, Write<S> dafter, ActivationsView<S> a) const {
    auto dsums = a.d(gates).middleCols(first, count), dstates = a.d(before).middleCols(first, count);
    Cell::backward(a[gates].middleCols(first, count), a[before].middleCols(first, count), dafter, dsums, dstates);
    multiply(dstates.topRows(hidden()), p[recurrent.weight].transpose(), dsums.topRows(recurrent.out()), true);
  }
  /// After all steps: dW_hh and db_hh.
  void backward_weights(ParametersView<const S> p, ActivationsView<S> a, ParametersView<S> g) const {
    recurrent.backward(p, a[before].topRows(hidden()), a.d(gates).topRows(recurrent.out()), g, no_gradient);
  }

 private:
  Index together() const { return (Cell::gates - Cell::apart) * hidden(); }
  Index apart() const { return Cell::apart * hidden(); }

  static Linear<S> linear(Scope at, const char* part, const char* suffix, Index in, Index hidden) {
    const Initialiser start = uniform(1 / std::sqrt(double(std::max(hidden, Index(1)))));
    char name[64];
    std::snprintf(name, sizeof name, "weight_%s%s", part, suffix);
    const auto weight = at.weight<Dynamic, Dynamic>(name, {Cell::gates * hidden, in}, start);
    std::snprintf(name, sizeof name, "bias_%s%s", part, suffix);
    return {weight, at.weight<Dynamic>(name, {Cell::gates * hidden}, start)};
  }
};

/// Recurrent layers on top of each other, in one direction or both, over ragged sequences that each start from zero. A
/// layer reads the h of both directions of the layer below; at each step the sequences share one product.
template <class S, class Cell>
class Recurrence {
 public:
  struct Config {
    Index in, hidden;
    Index layers = 1;
    bool bidirectional = false;
  };
  Lockstep lockstep;
  Index directions;
  std::vector<RecurrentUnit<S, Cell>> units;  // layer by layer, forward before reverse
  std::vector<Columns<>> between;             // h of each layer but the last
  Columns<> projected;                        // W_ih x + b_ih of one unit at a time
  Columns<> after;                            // its states after each step, along the steps
  State<> state;                              // of all layers, one below the other

  Recurrence(Scope at, Config c) : lockstep(at), directions(c.bidirectional ? 2 : 1) {
    if (c.in < 1 || c.hidden < 1 || c.layers < 1)
      fail("%s: in %ld, hidden %ld and layers %ld must be at least 1", Cell::name, long(c.in), long(c.hidden),
           long(c.layers));
    for (Index i = 0; i < c.layers * directions; ++i) {
      const Index layer = i / directions;
      char suffix[40];
      std::snprintf(suffix, sizeof suffix, "_l%ld%s", long(layer), i % directions ? "_reverse" : "");
      units.emplace_back(at, lockstep.steps, layer == 0 ? c.in : directions * c.hidden, c.hidden, suffix);
      if (i % directions == 0 && layer > 0) between.push_back(at.columns(directions * c.hidden));
    }
    projected = at.columns(Cell::gates * c.hidden);
    after = at.along(lockstep.steps).columns(Cell::states * c.hidden);
    if (directions == 1) state = at.state(c.layers * after.rows);
  }

  Index in() const { return units[0].input.in(); }
  Index out() const { return directions * units[0].hidden(); }
  Index layers() const { return Index(units.size()) / directions; }

  void forward(ParametersView<const S> p, Read<S> x, Write<S> y, ActivationsView<S> a) const {
    check(x, "y", y, a);
    run(p, x, y, a, nullptr);
  }

  /// Forward on from the states of each lane. In one direction only: the other would start at columns yet to come.
  void extend(ParametersView<const S> p, Read<S> x, Write<S> y, MemoryView<S> m, ActivationsView<S> a) const {
    if (directions == 2) fail("%s: a bidirectional layer cannot be extended", Cell::name);
    check(x, "y", y, a);
    m.begin(lockstep.time, a.sequences(lockstep.time));
    m.next(state) = m[state];
    run(p, x, y, a, &m);
  }

  // The dy of a layer is the dx of the one above it; dx is a sum over the directions.
  void backward(ParametersView<const S> p, Read<S> x, Read<S> dy, ActivationsView<S> a, ParametersView<S> g,
                Gradient<S> dx) const {
    check(x, "dy", dy, a);
    expect_gradient(Cell::name, "dx", dx, in(), x.cols());
    for (Index i = Index(units.size()); i-- > 0;) {
      const Index layer = i / directions;
      const Read<S> dout = layer == layers() - 1 ? dy : Read<S>(a.d(h_of(layer)));
      const Gradient<S> into = layer == 0 ? dx : Gradient<S>(a.d(h_of(layer - 1)));
      Gradient<S> din = into;
      run_backward(p, i, layer == 0 ? x : Read<S>(a[h_of(layer - 1)]), dout, a, g,
                   i % directions == directions - 1 ? into : din.part(0, din.rows(), 0, din.cols()));
    }
  }

  Node graph(Graph& g, const Node&) const { return g.unsupported(Cell::name); }

 private:
  Columns<> h_of(Index layer) const { return between[std::size_t(layer)]; }
  Direction direction(Index unit) const { return unit % directions == 0 ? Direction::forward : Direction::reverse; }

  /// All layers, from zero or from the states in m, where those after the last step go.
  void run(ParametersView<const S> p, const Read<S>& x, const Write<S>& y, ActivationsView<S> a,
           const MemoryView<S>* m) const {
    lockstep.begin(a);
    for (Index i = 0; i < Index(units.size()); ++i) {
      const Index layer = i / directions;
      run(p, i, layer == 0 ? x : Read<S>(a[h_of(layer - 1)]), layer == layers() - 1 ? y : Write<S>(a[h_of(layer)]), a,
          m);
    }
  }
  void run(ParametersView<const S> p, Index i, Read<S> x, Write<S> y, ActivationsView<S> a,
           const MemoryView<S>* m) const {
    const RecurrentUnit<S, Cell>& unit = units[std::size_t(i)];
    unit.input.forward(p, x, a[projected]);
    const SequencesView steps = a.sequences(lockstep.steps);
    auto gates = a[unit.gates], before = a[unit.before], states = a[after];
    const Index h = unit.hidden(), row = i % directions * h;
    for (Index t = 0; t < steps.count(); ++t) {
      lockstep.each(a, t, direction(i), [&](Lockstep::Place at) {
        unit.place(a[projected].col(at.column), gates.col(at.now));
        if (t == 0 && m) before.col(at.now) = (*m)[state].col(at.sequence).segment(i * after.rows, after.rows);
        if (t == 0 && !m) before.col(at.now).setZero();
      });
      unit.forward(p, steps.first(t), steps.length(t), states.middleCols(steps.first(t), steps.length(t)), a);
      lockstep.each(a, t, direction(i), [&](Lockstep::Place at) {
        y.col(at.column).segment(row, h) = states.col(at.now).head(h);
        if (at.after >= 0) before.col(at.after) = states.col(at.now);
        if (at.after < 0 && m) m->next(state).col(at.sequence).segment(i * after.rows, after.rows) = states.col(at.now);
      });
    }
  }

  void run_backward(ParametersView<const S> p, Index i, Read<S> x, Read<S> dy, ActivationsView<S> a,
                    ParametersView<S> g, Gradient<S> dx) const {
    const RecurrentUnit<S, Cell>& unit = units[std::size_t(i)];
    const SequencesView steps = a.sequences(lockstep.steps);
    auto dstates = a.d(after), dbefore = a.d(unit.before), dgates = a.d(unit.gates);
    const Index h = unit.hidden(), row = i % directions * h;
    for (Index t = steps.count(); t-- > 0;) {
      lockstep.each(a, t, direction(i), [&](Lockstep::Place at) {
        if (at.after >= 0)
          dstates.col(at.now) = dbefore.col(at.after);
        else
          dstates.col(at.now).setZero();
        dstates.col(at.now).head(h) += dy.col(at.column).segment(row, h);
      });
      unit.backward(p, steps.first(t), steps.length(t), dstates.middleCols(steps.first(t), steps.length(t)), a);
      lockstep.each(a, t, direction(i),
                    [&](Lockstep::Place at) { unit.fetch(dgates.col(at.now), a.d(projected).col(at.column)); });
    }
    unit.backward_weights(p, a, g);
    unit.input.backward(p, x, a.d(projected), g, dx);
  }

  template <class Y>
  void check(const Read<S>& x, const char* what, const Y& y, ActivationsView<S> a) const {
    expect_shape(Cell::name, "x", x, in(), a.columns(lockstep.time));
    expect_shape(Cell::name, what, y, out(), a.columns(lockstep.time));
  }
};

}  // namespace heed::detail
