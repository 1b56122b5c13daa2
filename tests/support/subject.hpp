#pragma once
// A Subject is a layer with all that surrounds it, so that one check serves every layer.
#include "support/masks.hpp"

namespace support {

enum class Put { over, add, skip };

/// The place of a layer, its weights, its inputs and its output.
template <class S>
struct Subject {
  heed::Layout layout;
  Axis time, source;
  Parameters<S> p;
  heed::Activations<S> a;
  std::vector<Axis> axes;  // of the inputs
  Lengths rows;            // of the inputs
  Index out;               // rows of y, which lies along time
  std::vector<Tokens<S>> x, dx;
  Tokens<S> y;
  Lengths time_lengths, source_lengths;

  /// For a layer that pools, the source is a child of time.
  Subject(Lengths rows_, Index out_, bool pools = false)
      : time(layout.axis()),
        source(pools ? layout.axis(time) : layout.axis()),
        p(layout),
        a(layout),
        axes(rows_.size(), pools ? source : time),
        rows(std::move(rows_)),
        out(out_),
        x(rows.size()),
        dx(rows.size()) {}
  Subject(const Subject&) = delete;
  virtual ~Subject() = default;

  virtual void forward() = 0;
  virtual void extend(heed::MemoryView<S> m) = 0;
  virtual void run_backward(const Tokens<S>& dy, Parameters<S>& g, std::vector<heed::Gradient<S>>& to) = 0;
  void backward(const Tokens<S>& dy, Parameters<S>& g, Put how = Put::over) {
    std::vector<heed::Gradient<S>> to;
    for (Tokens<S>& d : dx)
      if (how == Put::over)
        to.emplace_back(d);
      else if (how == Put::add)
        to.emplace_back(heed::add_to(d));
      else
        to.emplace_back(heed::no_gradient);
    run_backward(dy, g, to);
  }

  Scope at() { return Scope(layout, time); }
  Index columns(std::size_t input) { return a.columns(axes[input]); }

  /// Begins a batch, with random inputs.
  void begin(const Lengths& of_time, const Lengths& of_source = {}, std::uint64_t seed = 7) {
    time_lengths = of_time;
    source_lengths = of_source;
    const auto begin = [this](Axis axis, const Lengths& lengths) {
      a.begin(axis, Index(lengths.size()), [&](Index i) { return lengths[std::size_t(i)]; });
    };
    begin(time, of_time);
    if (!of_source.empty()) begin(source, of_source);
    for (std::size_t i = 0; i < x.size(); ++i) {
      x[i] = random<S>(rows[i], columns(i), seed + i);
      dx[i].setConstant(rows[i], columns(i), S(-3));
    }
    y.setConstant(out, a.columns(time), S(-3));
  }
};

/// A Subject with a layer of one, two or three inputs. This is the one place that knows how layers are called.
template <class S, class Layer, int Inputs = 1>
struct Rig : Subject<S> {
  using Base = Subject<S>;
  using Base::p, Base::a, Base::x, Base::y, Base::layout;
  Layer layer;

  template <class Make>
  Rig(Lengths rows_, Index out_, Make make, std::vector<Axis> axes_ = {}, bool pools = false)
      : Base(std::move(rows_), out_, pools), layer(make(static_cast<Base&>(*this))) {
    if (!axes_.empty()) this->axes = axes_;
    p = Parameters<S>(layout);
    p.flat = random<S>(layout.parameters(), 1, 5, 0.7);
    a = heed::Activations<S>(layout);
  }

  void forward() override {
    const Layer& l = layer;
    if constexpr (Inputs == 1) {
      if constexpr (requires { l.forward(p, x[0], y, a); })
        l.forward(p, x[0], y, a);
      else if constexpr (requires { l.forward(p, x[0], y); })
        l.forward(p, x[0], y);
      else if constexpr (requires { l.forward(x[0], y, a); })
        l.forward(x[0], y, a);
      else
        l.forward(x[0], y);
    } else if constexpr (Inputs == 2) {
      l.forward(p, x[0], x[1], y, a);
    } else {
      if constexpr (requires { l.forward(p, x[0], x[1], x[2], y, a); })
        l.forward(p, x[0], x[1], x[2], y, a);
      else
        l.forward(x[0], x[1], x[2], y, a);
    }
  }
  void extend([[maybe_unused]] heed::MemoryView<S> m) override {
    const Layer& l = layer;
    if constexpr (Inputs == 1) {
      if constexpr (requires { l.extend(p, x[0], y, m, a); })
        l.extend(p, x[0], y, m, a);
      else if constexpr (requires { l.extend(x[0], y, m, a); })
        l.extend(x[0], y, m, a);
    } else if constexpr (Inputs == 2) {
      if constexpr (requires { l.extend(p, x[0], x[1], y, m, a); }) l.extend(p, x[0], x[1], y, m, a);
    } else {
      if constexpr (requires { l.extend(p, x[0], x[1], x[2], y, m, a); })
        l.extend(p, x[0], x[1], x[2], y, m, a);
      else
        l.extend(x[0], x[1], x[2], y, m, a);
    }
  }

  void run_backward(const Tokens<S>& dy, [[maybe_unused]] Parameters<S>& g,
                    std::vector<heed::Gradient<S>>& to) override {
    const Layer& l = layer;
    if constexpr (Inputs == 1) {
      if constexpr (requires { l.backward(p, x[0], dy, a, g, to[0]); })
        l.backward(p, x[0], dy, a, g, to[0]);
      else if constexpr (requires { l.backward(p, x[0], dy, g, to[0]); })
        l.backward(p, x[0], dy, g, to[0]);
      else if constexpr (requires { l.backward(x[0], dy, a, to[0]); })
        l.backward(x[0], dy, a, to[0]);
      else if constexpr (requires { l.backward(x[0], y, dy, to[0]); })
        l.backward(x[0], y, dy, to[0]);
      else if constexpr (requires { l.backward(dy, a, to[0]); })
        l.backward(dy, a, to[0]);
      else
        l.backward(dy, to[0]);
    } else if constexpr (Inputs == 2) {
      if constexpr (requires { l.backward(p, x[0], x[1], y, dy, a, g, to[0], to[1]); })
        l.backward(p, x[0], x[1], y, dy, a, g, to[0], to[1]);
      else
        l.backward(p, x[0], x[1], dy, a, g, to[0], to[1]);
    } else {
      if constexpr (requires { l.backward(p, x[0], x[1], x[2], dy, a, g, to[0], to[1], to[2]); })
        l.backward(p, x[0], x[1], x[2], dy, a, g, to[0], to[1], to[2]);
      else if constexpr (requires { l.backward(p, x[0], x[1], x[2], y, dy, a, g, to[0], to[1], to[2]); })
        l.backward(p, x[0], x[1], x[2], y, dy, a, g, to[0], to[1], to[2]);
      else
        l.backward(x[0], x[1], x[2], y, dy, a, to[0], to[1], to[2]);
    }
  }
};
}  // namespace support
