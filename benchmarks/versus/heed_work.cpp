// heed's side of the comparison; compiled twice, with and without -march=native.
#include <memory>

#include <heed/layers/multi_head_attention.hpp>
#include <heed/layers/transformer_block.hpp>
#include <heed/networks/mlp_policy.hpp>
#include <heed/optimizers/adam.hpp>

#include "contender.hpp"
#include "machine.hpp"
#include "window_policy.hpp"

namespace {

using namespace versus;
using namespace heed;
using S = float;

Tokens<S> tokens(const char* name, Index rows, Index columns) {
  Tokens<S> x(rows, columns);
  fill_tokens(x.data(), std::size_t(x.size()), name);
  return x;
}
template <class M>
Piece piece(const std::string& name, const M& m) {
  return {name, std::vector<float>(m.data(), m.data() + m.size())};
}

/// A layer or network with its buffers.
template <class Net>
struct Setting {
  Layout layout;
  Axis time = layout.axis();
  Net net;
  Parameters<S> p, g;
  Activations<S> a;

  template <class Make>
  explicit Setting(Make make) : net(make(Scope(layout, time))), p(layout), g(layout), a(layout) {
    for (const Entry& e : layout.entries())
      fill_weight(p.flat.data() + e.offset, std::size_t(e.size()), e.name,
                  e.shape.rank() == 1 ? 0 : double(e.shape.cols()));
  }
  std::vector<Piece> pieces(const char* prefix, const Parameters<S>& of) const {
    std::vector<Piece> all;
    for (const Entry& e : layout.entries())
      if (e.use.trained) all.push_back(piece(prefix + e.name, of.flat.segment(e.offset, e.size())));
    return all;
  }
};

/// Forward, or forward and backward to the weights and the input, of a layer.
template <class Layer, class Make>
Unit layer_unit(const Task& task, Make make) {
  struct Work : Setting<Layer> {
    Tokens<S> x, dy, y, dx;
    Work(Make make_, Index dim, Index columns)
        : Setting<Layer>(make_), x(tokens("x", dim, columns)), dy(tokens("dy", dim, columns)), y(x), dx(x) {}
  };
  const Row& r = task.row;
  const auto w = std::make_shared<Work>(make, r.dim, r.batch * r.length);
  w->a.begin(w->time, Sequences::uniform(r.batch, r.length));
  const auto run = [w, both = task.both] {
    w->net.forward(w->p, w->x, w->y, w->a);
    if (both) w->net.backward(w->p, w->x, w->dy, w->a, w->g, w->dx);
  };
  return {run, [w, run, both = task.both] {
            run();
            auto all = both ? w->pieces("gradient.", w->g) : std::vector<Piece>();
            if (both) all.push_back(piece("dx", w->dx));
            all.push_back(piece("y", w->y));
            return all;
          }};
}

/// The newest of T tokens, over the keys of all of them; it is never committed, so that their number stays.
Unit extend_unit(const Task& task) {
  using Layer = MultiHeadAttention<S>;
  struct Work : Setting<Layer> {
    Memory<S> m;
    Tokens<S> x, y;
    explicit Work(const Row& r)
        : Setting<Layer>([&](Scope at) { return Layer(at, r.dim, r.heads, Causal()); }),
          m(layout, 1, r.length),
          x(tokens("x", r.dim, r.length)),
          y(x) {}
    void extend(Index first, Index count) { net.extend(p, x.middleCols(first, count), y.leftCols(count), m, a); }
  };
  const auto w = std::make_shared<Work>(task.row);
  const Index past = task.row.length - 1;
  w->a.begin(w->time, {past});
  w->extend(0, past);
  w->m.advance();
  w->a.begin(w->time, {1});
  const auto run = [w, past] { w->extend(past, 1); };
  return {run, [w, run] {
            run();
            return std::vector<Piece>{piece("y", w->y.col(0))};
          }};
}

/// A policy: forward; or forward, backward to the weights and perhaps a step of Adam.
template <class Work>
Unit policy_unit(bool both, bool learns, std::shared_ptr<Work> w) {
  const auto adam = std::make_shared<Adam<S>>(w->layout);
  const Tokens<S> dlogits = tokens("dy", w->a[w->net.logits].rows(), w->a[w->net.logits].cols());
  const auto run = [=] {
    w->forward();
    if (!both) return;
    w->a.d(w->net.logits) = dlogits;
    w->g.flat.setZero();
    w->backward();
    if (learns) adam->step(w->p.flat, w->g.flat);
  };
  return {run, [=] {
            run();
            auto all = both ? w->pieces("gradient.", w->g) : std::vector<Piece>();
            if (both && learns)
              for (Piece& after : w->pieces("stepped.", w->p)) all.push_back(after);
            all.push_back(piece("y", w->a[w->net.logits]));
            return all;
          }};
}

template <class Policy>
Unit attention_policy(const Task& task) {
  struct Work : Setting<Policy> {
    Tokens<S> x;
    explicit Work(const Row& r)
        : Setting<Policy>(
              [&](Scope at) { return Policy(at, r.observation, r.length, r.dim, policy_hidden, policy_actions); }),
          x(tokens("x", r.observation, r.batch * r.length)) {
      this->a.begin(this->time, Sequences::uniform(1, r.batch));
      this->a.begin(this->net.windows, Sequences::uniform(r.batch, r.length));
    }
    void forward() { this->net.forward(this->p, x, this->a); }
    void backward() { this->net.backward(this->p, x, this->a, this->g); }
  };
  return policy_unit(task.both, true, std::make_shared<Work>(task.row));
}

template <class Policy>
Unit mlp(const Task& task, const typename Policy::Config& config) {
  struct Work : Setting<Policy> {
    Tokens<S> x;
    Work(const Row& r, const typename Policy::Config& c)
        : Setting<Policy>([&](Scope at) { return Policy(at, c); }), x(tokens("x", r.observation, r.batch)) {
      this->a.begin(this->time, Sequences::uniform(1, r.batch));
    }
    void forward() { this->net.forward(this->p, x, this->a); }
    void backward() { this->net.backward(this->p, x, this->a, this->g, no_gradient); }
  };
  return policy_unit(task.both, false, std::make_shared<Work>(task.row, config));
}

Unit unit(const Task& task) {
  const Row& r = task.row;
  switch (r.kind) {
    case Kind::policy: return attention_policy<WindowPolicy<TokenPooling<>>>(task);
    case Kind::constant_policy:
      return attention_policy<
          WindowPolicy<TokenPooling<policy_observation, policy_width>, policy_hidden, policy_actions>>(task);
    case Kind::embedded_policy: return attention_policy<WindowPolicy<EmbeddedPooling>>(task);
    case Kind::self_attention:
      return layer_unit<MultiHeadAttention<S>>(task,
                                               [&](Scope at) { return MultiHeadAttention<S>(at, r.dim, r.heads); });
    case Kind::extend: return extend_unit(task);
    case Kind::block:
      return layer_unit<TransformerBlock<S>>(task, [&](Scope at) {
        return TransformerBlock<S>(at, {.dim = r.dim, .heads = r.heads, .activation = Nonlinearity::gelu});
      });
    case Kind::constant_mlp:
      return mlp<StaticMlpPolicy<S, mlp_observation, policy_actions, mlp_hidden, mlp_hidden>>(task, {});
    default:
      return mlp<MlpPolicy<S>>(
          task, {.observation = mlp_observation, .actions = policy_actions, .hidden = {mlp_hidden, mlp_hidden}});
  }
}

}  // namespace

int main() {
  return serve({describe_build, machine_limits, [](const Task& task) {
                  return std::vector<Candidate>{{"heed", unit(task)}};
                }});
}
