#pragma once
// What the tests of recurrent layers share.
#include "support/complaints.hpp"
#include "support/gradients.hpp"
#include "support/lanes.hpp"

namespace support {

template <class T>
T plain_sigmoid(T x) {
  using std::tanh;
  return T(0.5L) + T(0.5L) * tanh(T(0.5L) * x);  // without overflow
}
/// A step of a GRU from W_ih x + b_ih, W_hh h + b_hh and h, for one column each.
template <class T>
void plain_gru(const Table<T>& of_x, const Table<T>& of_h, Table<T>& h) {
  using std::tanh;
  const Index n = h.rows;
  for (Index i = 0; i < n; ++i) {
    const T r = plain_sigmoid(of_x(i, 0) + of_h(i, 0)), z = plain_sigmoid(of_x(n + i, 0) + of_h(n + i, 0));
    h(i, 0) = (T(1) - z) * tanh(of_x(2 * n + i, 0) + r * of_h(2 * n + i, 0)) + z * h(i, 0);
  }
}
/// The same of an LSTM, whose state is h and below it c.
template <class T>
void plain_lstm(const Table<T>& of_x, const Table<T>& of_h, Table<T>& state) {
  using std::tanh;
  const Index n = state.rows / 2;
  const auto sum = [&](Index gate, Index i) { return of_x(gate * n + i, 0) + of_h(gate * n + i, 0); };
  for (Index i = 0; i < n; ++i) {
    state(n + i, 0) = plain_sigmoid(sum(1, i)) * state(n + i, 0) + plain_sigmoid(sum(0, i)) * tanh(sum(2, i));
    state(i, 0) = plain_sigmoid(sum(3, i)) * tanh(state(n + i, 0));
  }
}

/// One layer in one direction; step(of_x, of_h, state) as above. Answers h.
template <class T, class Unit, class Step>
Table<T> plain_recurrence(const Values<T>& values, const Unit& unit, bool reverse, const Table<T>& x,
                          const Lengths& lengths, Step step) {
  Table<T> y(unit.hidden(), x.cols);
  const Table<T> of_x = plain_linear(values, unit.input, x);
  Index first = 0;
  for (const Index length : lengths) {
    Table<T> state(unit.before.rows, 1);
    for (Index t = 0; t < length; ++t) {
      const Index column = first + (reverse ? length - 1 - t : t);
      const Table<T> of_h = plain_linear(values, unit.recurrent, rows_of(state, 0, y.rows));
      Table<T> now(of_x.rows, 1);
      for (Index i = 0; i < now.rows; ++i) now(i, 0) = of_x(i, column);
      step(now, of_h, state);
      for (Index i = 0; i < y.rows; ++i) y(i, column) = state(i, 0);
    }
    first += length;
  }
  return y;
}

/// All checks of a recurrent layer, by its plain step.
template <template <class> class Layer, class Step>
class RecurrentChecks {
 public:
  RecurrentChecks(const char* name, Index gates, Step step) : name_(name), gates_(gates), step_(step) {}

  template <class S>
  static auto subject(Index in, Index hidden, Index layers, bool bidirectional) {
    return Rig<S, Layer<S>>({in}, bidirectional ? 2 * hidden : hidden, [=](Subject<S>& s) {
      return Layer<S>(s.at(), {.in = in, .hidden = hidden, .layers = layers, .bidirectional = bidirectional});
    });
  }

  void formula() const {
    each_form([&](Index layers, bool both) {
      auto s = subject<double>(3, 4, layers, both);
      s.begin({0, 1, 5, 2, 9, 2, 0});
      check_formula(s, formula_of(s));
      s.begin({0, 0});
      check_formula(s, formula_of(s));
      auto f = subject<float>(7, 19, layers, both);  // neither is a multiple of a register
      f.begin({1, 30, 0, 7, 7});
      check_formula(f, formula_of(f));
    });
  }

  void gradients() const {
    each_form([&](Index layers, bool both) {
      auto s = subject<double>(2, 3, layers, both);
      for (const Lengths& lengths : {Lengths{0, 1, 4, 2, 3}, Lengths{3}, Lengths{4, 1, 0}}) {
        s.begin(lengths);
        check_gradients(s);
        check_targets(s);
      }
      s.x[0].setZero();
      check_gradients(s);
      s.begin({0, 0});
      check_targets(s);
    });
  }

  /// Gates that are shut or open for good, and states that explode if they can.
  void saturated_inputs() const {
    each_form([&](Index layers, bool both) {
      auto s = subject<double>(2, 3, layers, both);
      s.begin({1, 4, 0, 2});
      s.x[0] = saturated<double>(2, 7, 3);
      check_slopes(s, formula_of(s), 1e4);
      s.x[0] *= 1e-3;
      check_slopes(s, formula_of(s));
      auto f = subject<float>(2, 3, layers, both);
      f.begin({1, 200, 0, 2});
      f.x[0] = saturated<float>(2, 203, 3, 1e30);
      f.forward();
      Parameters<float> g(f.layout);
      f.backward(random<float>(f.y.rows(), 203, 1), g);
      CHECK(f.y.allFinite());
      CHECK(f.dx[0].allFinite());
    });
  }

  void sight() const {
    each_form([&](Index layers, bool both) {
      auto s = subject<float>(3, 4, layers, both);
      s.begin({0, 1, 4, 2});
      check_sight(s, both ? full() : causal());
    });
  }

  void extend() const {
    for (const Index layers : {1, 2}) {
      auto s = subject<double>(3, 4, layers, false);
      check_extend(s, {});
    }
    auto s = subject<double>(3, 4, 1, true);
    s.begin({1, 2});
    heed::Memory<double> m(s.layout, 2);
    check_complaint(name_ + ": a bidirectional layer cannot be extended", [&] { s.extend(m); });
  }

  void names_and_start() const {
    heed::Layout layout;
    const Axis time = layout.axis();
    const Layer<double> layer(Scope(layout, time, "memory"),
                              {.in = 3, .hidden = 25, .layers = 2, .bidirectional = true});
    std::size_t found = 0;
    for (const Index l : {0, 1})
      for (const char* direction : {"", "_reverse"})
        for (const char* part : {"ih", "hh"})
          for (const char* what : {"weight", "bias"})
            for (const heed::Entry& e : layout.entries()) {
              if (e.name != "memory." + std::string(what) + "_" + part + "_l" + std::to_string(l) + direction) continue;
              ++found;
              const Index in = *part == 'h' ? 25 : l == 0 ? 3 : 50;
              CHECK(e.shape == (*what == 'b' ? heed::Shape{gates_ * 25} : heed::Shape{gates_ * 25, in}));
              CHECK(Parameters<double>(layout, 1).flat.segment(e.offset, e.size()).cwiseAbs().maxCoeff() ==
                    Approx(0.2).epsilon(0.1));
            }
    CHECK(found == 16);
    CHECK(layout.entries().size() == 16);
    CHECK(layer.in() == 3);
    CHECK(layer.out() == 50);
    CHECK(layer.layers() == 2);
  }

  void complaints() const {
    auto s = subject<double>(3, 4, 2, false), both = subject<double>(3, 4, 1, true);
    s.begin({2, 3});
    heed::Memory<double> m(s.layout, 2);
    check_shapes(s, name_, {"x"}, &m);
    both.begin({2, 3});
    check_shapes(both, name_, {"x"});
    const std::string must = " must be at least 1";
    check_complaint(name_ + ": in 0, hidden 4 and layers 1" + must, [] { subject<double>(0, 4, 1, false); });
    check_complaint(name_ + ": in 3, hidden 0 and layers 1" + must, [] { subject<double>(3, 0, 1, false); });
    check_complaint(name_ + ": in 3, hidden 4 and layers 0" + must, [] { subject<double>(3, 4, 0, true); });
    s.begin({2, 3, 1});
    check_complaint("Memory: 3 sequences on axis 0, but there are 2 lanes", [&] { s.extend(m); });
  }

 private:
  template <class F>
  static void each_form(F f) {
    for (const Index layers : {1, 2})
      for (const bool both : {false, true}) {
        INFO(layers << " layers" << (both ? ", both directions" : ""));
        f(layers, both);
      }
  }
  auto formula_of(const auto& subject) const {
    return [&subject, step = step_]<class T>(const Values<T>& values) {
      Table<T> x = values.x[0];
      const auto& layer = subject.layer;
      for (std::size_t unit = 0; unit < layer.units.size(); unit += std::size_t(layer.directions)) {
        Table<T> y(layer.out(), x.cols);
        for (Index d = 0; d < layer.directions; ++d) {
          const Table<T> h =
              plain_recurrence(values, layer.units[unit + std::size_t(d)], d == 1, x, subject.time_lengths, step);
          for (Index j = 0; j < x.cols; ++j)
            for (Index i = 0; i < h.rows; ++i) y(d * h.rows + i, j) = h(i, j);
        }
        x = y;
      }
      return x;
    };
  }

  std::string name_;
  Index gates_;
  Step step_;
};

}  // namespace support
