// Kernels whose instructions are counted, by valgrind, and compared with those of counts.txt.
//   sh benchmarks/run.sh instructions            counts and compares
//   sh benchmarks/run.sh instructions --renew    counts and keeps
//
//   instructions                 what it was compiled with, and the names of the kernels
//   instructions KERNEL RUNS     runs it so often, after once to warm up
#include <heed/heed.hpp>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

namespace {

using namespace heed;
using S = float;

/// Not inlined, so that the compiler can neither see that the work is always the same nor that nobody looks at it.
[[gnu::noinline]] void repeat(Index runs, const std::function<void()>& work) {
  for (Index i = 0; i <= runs; ++i) work();
}

Tokens<S> normal(Index rows, Index columns, std::uint64_t seed) {
  Random random(seed);
  Tokens<S> x(rows, columns);
  for (Index i = 0; i < x.size(); ++i) x.data()[i] = S(random.normal());
  return x;
}

enum class Pass { forward, forward_backward };

struct Size {
  Index count, length, dim, heads;
};
constexpr Size small{1, 16, 32, 4}, large{2, 64, 64, 4}, square{1, 64, 64, 1}, tiles{1, 256, 32, 4},
    lengthy{1, 512, 32, 4};

/// y = W x, where W is rows x depth, stored by rows as all weights are.
void product(Index rows, Index depth, Index columns, Index runs) {
  const Tokens<S> transposed = normal(depth, rows, 1), x = normal(depth, columns, 2);
  Tokens<S> y(rows, columns);
  repeat(runs, [&] { detail::multiply(y, transposed.transpose(), x); });
}

/// A layer with `forward(p, x, y, a)`, made at a scope.
template <class Make>
void layer(Size size, Pass pass, Make make, Index runs) {
  Layout layout;
  const Axis time = layout.axis();
  const auto of = make(Scope(layout, time, "layer"), size);
  const Parameters<S> p(layout, 1);
  Parameters<S> g(layout);
  Activations<S> a(layout);
  a.begin(time, Sequences::uniform(size.count, size.length));
  const Index n = size.count * size.length;
  const Tokens<S> x = normal(size.dim, n, 1), dy = normal(size.dim, n, 2);
  Tokens<S> y = x, dx = x;
  repeat(runs, [&] {
    of.forward(p, x, y, a);
    if (pass == Pass::forward_backward) of.backward(p, x, dy, a, g, dx);
  });
}

auto self_attention(Mask mask = Full(), Position position = {}) {
  return [=](Scope at, Size s) {
    return MultiHeadAttention<S>(at, {.dim = s.dim, .heads = s.heads, .mask = mask, .position = position});
  };
}
MultiHeadAttention<S, Dynamic, LinearAttention<S>> linear_attention(Scope at, Size s) {
  return {at, {.dim = s.dim, .heads = s.heads, .mask = Causal()}};
}
auto selective_attention(Selection selection) {
  return [=](Scope at, Size s) {
    return MultiHeadAttention<S, Dynamic, SelectiveAttention<S>>(
        at, {.dim = s.dim, .heads = s.heads, .mask = Causal(), .selection = selection, .k = 8});
  };
}
/// Queries are the keys.
struct Additive {
  AdditiveAttention<S> attention;
  Columns<> answer;
  void forward(ParametersView<const S> p, Read<S> x, Write<S> y, ActivationsView<S> a) const {
    attention.forward(p, x, x, a[answer], a);
    y = a[answer];
  }
  void backward(ParametersView<const S> p, Read<S> x, Read<S> dy, ActivationsView<S> a, ParametersView<S> g,
                Tokens<S>& dx) const {
    attention.backward(p, x, x, a[answer], dy, a, g, dx, add_to(dx));
  }
};
Additive additive_attention(Scope at, Size s) {
  return {{at, at.axis(), {.query_dim = s.dim, .key_dim = s.dim, .width = s.dim}}, at.columns(s.dim)};
}
TransformerBlock<S> transformer_block(Scope at, Size s) {
  return {at, {.dim = s.dim, .heads = s.heads, .activation = Nonlinearity::gelu}};
}
Gru<S> gru(Scope at, Size s) { return {at, {.in = s.dim, .hidden = s.dim}}; }
Lstm<S> lstm(Scope at, Size s) { return {at, {.in = s.dim, .hidden = s.dim}}; }
LayerNorm<S> layer_norm(Scope at, Size s) { return LayerNorm<S>(at, s.dim); }

void activation(Nonlinearity kind, Pass pass, Index runs) {
  const Activation<S> of(kind);
  const Tokens<S> x = normal(64, 64, 1), dy = normal(64, 64, 2);
  Tokens<S> y = x, dx = x;
  repeat(runs, [&] {
    of.forward(x, y);
    if (pass == Pass::forward_backward) of.backward(x, y, dy, dx);
  });
}

void additive_pooling(Pass pass, Index runs) {
  constexpr Index count = 16, length = 16, dim = 32;
  Layout layout;
  const Axis time = layout.axis(), entities = layout.axis(time);
  const AdditivePooling<S> of(Scope(layout, entities, "layer"), dim, dim);
  const Parameters<S> p(layout, 1);
  Parameters<S> g(layout);
  Activations<S> a(layout);
  a.begin(time, {count});
  a.begin(entities, Sequences::uniform(count, length));
  const Tokens<S> x = normal(dim, count * length, 1), dy = normal(dim, count, 2);
  Tokens<S> y = dy, dx = x;
  repeat(runs, [&] {
    of.forward(p, x, y, a);
    if (pass == Pass::forward_backward) of.backward(p, x, dy, a, g, dx);
  });
}

/// One more token in each lane, after so many that it sees 64. It is not committed, so each run does the same.
void extend_attention(Index lanes, Index runs) {
  constexpr Index keys = 64, dim = 32;
  Layout layout;
  const Axis time = layout.axis();
  const MultiHeadAttention<S> of(Scope(layout, time, "layer"), dim, 4, Causal());
  const Parameters<S> p(layout, 1);
  Activations<S> a(layout);
  Memory<S> m(layout, lanes, keys);
  const Tokens<S> x = normal(dim, keys * lanes, 1);
  Tokens<S> y = x;
  const Index before = (keys - 1) * lanes;
  a.begin(time, Sequences::uniform(lanes, keys - 1));
  of.extend(p, x.leftCols(before), y.leftCols(before), m, a);
  m.advance();
  a.begin(time, Sequences::uniform(lanes, 1));
  repeat(runs, [&] { of.extend(p, x.rightCols(lanes), y.rightCols(lanes), m, a); });
}

constexpr Index steps = 64;

/// Of cart-pole.
template <class Net>
Agent<Net> agent_of() {
  typename Net::Config config;
  if constexpr (Net::known_actions == Dynamic) config.observation = 4, config.actions = 2;
  return Agent<Net>(config, 1);
}

/// The last step of an episode, not committed either.
template <class Net>
void acting(Index runs) {
  const Agent<Net> agent = agent_of<Net>();
  Activations<S> a(agent.layout);
  Memory<S> m(agent.layout, 1, steps);
  const Tokens<S> x = normal(4, steps, 1);
  a.begin(agent.time, {1});
  for (Index t = 0; t + 1 < steps; ++t) {
    agent.net.extend(agent.p, x.col(t), m, a);
    m.advance();
  }
  repeat(runs, [&] { agent.net.extend(agent.p, x.rightCols(1), m, a); });
}

/// Forward and backward of an episode.
template <class Net>
void learning(Index runs) {
  const Agent<Net> agent = agent_of<Net>();
  Parameters<S> g(agent.layout);
  Activations<S> a(agent.layout);
  a.begin(agent.time, {steps});
  const Tokens<S> x = normal(4, steps, 1), dlogits = normal(2, steps, 2);
  repeat(runs, [&] {
    agent.net.forward(agent.p, x, a);
    a.d(agent.net.logits) = dlogits;
    agent.net.backward(agent.p, x, a, g, no_gradient);
  });
}

void adam(Index runs) {
  constexpr Index size = 10000;
  Layout layout;
  Scope(layout, layout.axis(), "layer").weight<Dynamic>("weight", {size}, zero());
  Adam<S> of(layout);
  Parameters<S> p(layout);
  const Tokens<S> g = normal(size, 1, 1);
  repeat(runs, [&] { of.step(p.flat, g); });
}

void categorical_gradient(Index runs) {
  constexpr Index actions = 4;
  const Tokens<S> logits = normal(actions, steps, 1);
  Tokens<S> dlogits = Tokens<S>::Zero(actions, steps);
  repeat(runs, [&] {
    for (Index t = 0; t < steps; ++t)
      Categorical<S>(logits, t).add_log_prob_gradient(t % actions, S(1), dlogits.col(t));
  });
}

struct Kernel {
  std::string name;
  std::function<void(Index runs)> run;
};

std::vector<Kernel> kernels() {
  std::vector<Kernel> all;
  const auto both = [&](const std::string& name, auto run) {
    all.push_back({name + "/forward", [=](Index n) { run(Pass::forward, n); }});
    all.push_back({name + "/forward_backward", [=](Index n) { run(Pass::forward_backward, n); }});
  };
  const auto layers = [&](const std::string& name, Size size, auto make) {
    both(name, [=](Pass pass, Index n) { layer(size, pass, make, n); });
  };
  all.push_back({"product/32x32x16", [](Index n) { product(32, 32, 16, n); }});
  all.push_back({"product/256x256x256", [](Index n) { product(256, 256, 256, n); }});
  all.push_back({"product/96x32x1", [](Index n) { product(96, 32, 1, n); }});
  layers("self_attention/1x16x32x4", small, self_attention());
  layers("self_attention/2x64x64x4", large, self_attention());
  layers("self_attention/causal/1x16x32x4", small, self_attention(Causal()));
  layers("self_attention/rotary/1x16x32x4", small, self_attention(Full(), rotary()));
  layers("self_attention/causal/1x256x32x4", tiles, self_attention(Causal()));
  layers("self_attention/window32/1x512x32x4", lengthy, self_attention(Window(32)));
  layers("self_attention/heads_of_4/1x64x16x4", {1, 64, 16, 4}, self_attention());
  layers("self_attention/heads_of_5/1x64x20x4", {1, 64, 20, 4}, self_attention());
  layers("self_attention/heads_of_32/1x64x64x2", {1, 64, 64, 2}, self_attention());
  layers("self_attention/heads_of_128/1x64x128x1", {1, 64, 128, 1}, self_attention());
  all.push_back({"self_attention/extend/64x32x4", [](Index n) { extend_attention(1, n); }});
  all.push_back({"self_attention/extend/16_lanes/64x32x4", [](Index n) { extend_attention(16, n); }});
  layers("selective_attention/top_k/1x64x64x4", {1, 64, 64, 4}, selective_attention(Selection::top_k));
  layers("selective_attention/sparsemax/1x64x64x4", {1, 64, 64, 4}, selective_attention(Selection::sparsemax));
  layers("additive_attention/1x16x32", small, additive_attention);
  both("additive_pooling/16x16x32", additive_pooling);
  layers("linear_attention/causal/1x16x32x4", small, linear_attention);
  layers("transformer_block/gelu/1x16x32x4", small, transformer_block);
  layers("gru/1x16x32", small, gru);
  layers("lstm/1x16x32", small, lstm);
  layers("layer_norm/64x64", square, layer_norm);
  both("tanh/4096", [](Pass pass, Index n) { activation(Nonlinearity::tanh, pass, n); });
  both("gelu/4096", [](Pass pass, Index n) { activation(Nonlinearity::gelu, pass, n); });
  all.push_back({"adam/10000", adam});
  all.push_back({"categorical/gradient/64", categorical_gradient});
  all.push_back({"mlp_policy/extend", acting<MlpPolicy<S>>});
  all.push_back({"mlp_policy/learn/64", learning<MlpPolicy<S>>});
  all.push_back({"static_mlp_policy/extend", acting<StaticMlpPolicy<S, 4, 2, 64, 64>>});
  all.push_back({"attention_policy/extend", acting<AttentionPolicy<S>>});
  all.push_back({"attention_policy/learn/64", learning<AttentionPolicy<S>>});
  all.push_back({"transformer_policy/extend", acting<TransformerPolicy<S>>});
  return all;
}

/// What the counts depend on besides heed.
void print_build() {
  std::printf("# " INSTRUCTIONS_BUILD ", Eigen %d.%d.%d", EIGEN_WORLD_VERSION, EIGEN_MAJOR_VERSION,
              EIGEN_MINOR_VERSION);
#ifdef __GLIBC__
  std::printf(", glibc %d.%d", __GLIBC__, __GLIBC_MINOR__);
#endif
  std::printf("\n");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 1) {
    print_build();
    for (const Kernel& kernel : kernels()) std::printf("%s\n", kernel.name.c_str());
    return 0;
  }
  for (const Kernel& kernel : kernels())
    if (argc == 3 && kernel.name == argv[1]) {
      kernel.run(std::atol(argv[2]));
      return 0;
    }
  std::fprintf(stderr, "usage: instructions [KERNEL RUNS]\n");
  return 2;
}
