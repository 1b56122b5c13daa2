#pragma once
// What the benchmarks of layers share: a layer with all that it reads and writes, and the benchmarks of it.

#include <benchmark/benchmark.h>

#include <array>
#include <heed/heed.hpp>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

namespace layers {

using namespace heed;
using S = float;

/// Sequences, tokens in each, features of a token, heads.
struct Size {
  Index count, length, dim, heads;
  Index tokens() const { return count * length; }
};

inline void few_sizes(benchmark::internal::Benchmark* b) {
  b->ArgNames({"B", "T", "D", "H"})->Args({1, 16, 32, 4})->Args({32, 16, 64, 4});
}
inline void many_sizes(benchmark::internal::Benchmark* b) {
  b->ArgNames({"B", "T", "D", "H"})
      ->Args({1, 16, 32, 4})
      ->Args({32, 16, 32, 4})
      ->Args({32, 16, 64, 4})
      ->Args({64, 64, 64, 4})
      ->Args({16, 128, 128, 8});
}
/// Of `extend`: lanes, and steps until they forget.
inline void lanes(benchmark::internal::Benchmark* b) {
  b->ArgNames({"B", "T", "D", "H"})->Args({1, 64, 32, 4})->Args({16, 64, 32, 4});
}

inline Tokens<S> tokens(Size s) { return Tokens<S>::Random(s.dim, s.tokens()); }
/// A column for each sequence.
inline Tokens<S> sequences(Size s) { return Tokens<S>::Random(s.dim, s.count); }
/// A number for each token.
inline Tokens<S> scores(Size s) { return Tokens<S>::Random(1, s.tokens()); }

/// What is not as with most layers, where all that goes in and out are columns of `dim` numbers along the axis of the layer
/// and another, its source, which hold `count` sequences of `length` tokens each.
struct Form {
  void (*sizes)(benchmark::internal::Benchmark*) = few_sizes;
  bool sets = false;                  ///< the layer's axis is a child of the other, a sequence for each of its columns
  Tokens<S> (*first)(Size) = tokens;  ///< the first of what goes in
  Tokens<S> (*out)(Size) = tokens;    ///< of the shape of what comes out
};

/// Calls f with the first of these tuples that it takes.
template <class F, class... Of, class... Others>
void call_first(F f, std::tuple<Of...> of, const Others&... others) {
  if constexpr (std::is_invocable_v<F, Of...>)
    std::apply(f, of);
  else
    call_first(f, others...);
}

/// make(at, size), or make(at, other, size) of a layer over two axes.
template <class Make>
auto made(Make make, Scope at, Axis other, Size size) {
  if constexpr (std::is_invocable_v<Make, Scope, Size>)
    return make(at, size);
  else
    return make(at, other, size);
}
template <class Make>
using Made = decltype(made(std::declval<Make>(), std::declval<Scope>(), Axis(), Size()));

/// A layer of N inputs, and all that it needs to work on `columns` tokens of each sequence.
template <class Layer, std::size_t N>
struct Bench {
  Layout layout;
  Axis other = layout.axis(), axis;
  Layer layer;
  Parameters<S> p, g;
  Activations<S> a;
  std::array<Tokens<S>, N> x, dx;
  Tokens<S> y, dy;

  template <class Make>
  Bench(Make make, const Form& form, Size size, Index columns)
      : axis(form.sets ? layout.axis(other) : layout.axis()),
        layer(made(make, Scope(layout, axis, "layer"), other, size)),
        p(layout, 1),
        g(layout),
        a(layout) {
    const Size now{size.count, columns, size.dim, size.heads};
    a.begin(other, Sequences::uniform(size.count, form.sets ? 1 : columns));
    a.begin(axis, Sequences::uniform(size.count, columns));
    x.fill(tokens(now));
    x[0] = form.first(now);
    dx = x;
    y = dy = form.out(now);
  }

  void forward() {
    const auto f = [&](auto&... of) -> decltype(layer.forward(of...)) { layer.forward(of...); };
    std::apply(
        [&](auto&... in) {
          call_first(f, std::tie(p, in..., y, a), std::tie(in..., y, a), std::tie(p, in..., y), std::tie(in..., y));
        },
        x);
  }
  void backward() {
    const auto f = [&](auto&... of) -> decltype(layer.backward(of...)) { layer.backward(of...); };
    const auto call = [&](auto&... in) {
      std::apply(
          [&](auto&... din) {
            call_first(f, std::tie(p, in..., dy, a, g, din...), std::tie(p, in..., y, dy, a, g, din...),
                       std::tie(in..., y, dy, a, din...), std::tie(in..., dy, a, din...), std::tie(dy, a, din...),
                       std::tie(p, in..., dy, g, din...), std::tie(in..., dy, g), std::tie(in..., y, dy, din...),
                       std::tie(dy, din...));
          },
          dx);
    };
    std::apply(call, x);
  }
  void extend(Memory<S>& m) {
    const auto f = [&](auto&... of) -> decltype(layer.extend(of...)) { layer.extend(of...); };
    std::apply([&](auto&... in) { call_first(f, std::tie(p, in..., y, m, a), std::tie(in..., y, m, a)); }, x);
  }
  bool finite() const {
    bool all = y.allFinite() && g.flat.allFinite();
    for (const Tokens<S>& d : dx) all = all && d.allFinite();
    return all;
  }
};

inline Size size_of(const benchmark::State& state) {
  return {state.range(0), state.range(1), state.range(2), state.range(3)};
}
template <class Layer, std::size_t N>
void finish(benchmark::State& state, const Bench<Layer, N>& of, Index count) {
  state.counters["tokens"] = benchmark::Counter(double(count), benchmark::Counter::kIsIterationInvariantRate);
  if (!of.finite()) state.SkipWithError("not finite");
}

template <std::size_t N, class Make>
void learn(benchmark::State& state, Make make, const Form& form, bool backward) {
  const Size size = size_of(state);
  Bench<Made<Make>, N> of(make, form, size, size.length);
  of.a.mode = {.training = true, .seed = 1};
  for (auto _ : state) {
    of.forward();
    if (backward) of.backward();
    benchmark::ClobberMemory();
  }
  finish(state, of, size.tokens());
}
template <std::size_t N, class Make>
void extend(benchmark::State& state, Make make, const Form& form) {
  const Size size = size_of(state);
  Bench<Made<Make>, N> of(make, form, size, 1);
  Memory<S> m(of.layout, size.count, size.length);
  for (auto _ : state) {
    if (m.length(of.axis, 0) == size.length) m.forget();
    of.extend(m);
    m.advance();
    benchmark::ClobberMemory();
  }
  finish(state, of, size.count);
}

/// NAME/forward, NAME/forward_backward and, of a layer that acts step by step, NAME/extend. The name is that of the layer's
/// header, and what is special about it.
template <std::size_t N = 1, class Make>
void layer(const std::string& name, Make make, const Form& form = {}) {
  using benchmark::RegisterBenchmark;
  RegisterBenchmark((name + "/forward").c_str(), learn<N, Make>, make, form, false)->Apply(form.sizes);
  RegisterBenchmark((name + "/forward_backward").c_str(), learn<N, Make>, make, form, true)->Apply(form.sizes);
  if constexpr (requires { &Made<Make>::extend; })
    RegisterBenchmark((name + "/extend").c_str(), extend<N, Make>, make, form)->Apply(lanes);
}

}  // namespace layers
