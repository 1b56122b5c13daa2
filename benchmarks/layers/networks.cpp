// The networks that stand on the layers: acting step by step, and learning from whole episodes.
#include "harness.hpp"

namespace {

using namespace layers;

/// An agent, and so many sequences of so many steps; a step has so many columns where it has several.
template <class Net>
struct Session {
  Agent<Net> agent;
  Activations<S> a{agent.layout};
  Tokens<S> x;

  Session(const typename Net::Config& config, Index columns, Index count, Index length) : agent(config, 1) {
    const Index steps = count * length;
    a.begin(agent.time, Sequences::uniform(count, length));
    const bool one = agent.net.input == agent.time;
    if (!one) a.begin(agent.net.input, Sequences::uniform(steps, columns));
    x = Tokens<S>::Random(agent.net.observation, one ? steps : steps * columns);
  }
  void finish(benchmark::State& state, Index steps) {
    state.counters["steps"] = benchmark::Counter(double(steps), benchmark::Counter::kIsIterationInvariantRate);
    if (!a[agent.net.logits].allFinite() || !agent.p.flat.allFinite()) state.SkipWithError("not finite");
  }
};

/// Acts step by step in some lanes.
template <class Net>
void acting(benchmark::State& state, const typename Net::Config& config, Index columns) {
  const Index lanes = state.range(0), steps = 64;
  Session<Net> session(config, columns, lanes, 1);
  auto& [agent, a, x] = session;
  Memory<S> m(agent.layout, lanes, steps);
  for (auto _ : state) {
    if (m.length(agent.time, 0) == steps) m.forget();
    agent.net.extend(agent.p, x, m, a);
    m.advance();
  }
  session.finish(state, lanes);
}

/// Learns from a batch of whole episodes.
template <class Net>
void learning(benchmark::State& state, const typename Net::Config& config, Index columns) {
  const Index episodes = 8, length = state.range(0);
  Session<Net> session(config, columns, episodes, length);
  auto& [agent, a, x] = session;
  Parameters<S> g(agent.layout);
  Adam<S> adam(agent.layout);
  for (auto _ : state) {
    agent.net.forward(agent.p, x, a);
    a.d(agent.net.logits).setConstant(1e-3f);
    g.flat.setZero();
    agent.net.backward(agent.p, x, a, g, no_gradient);
    adam.step(agent.p.flat, g.flat);
  }
  session.finish(state, episodes * length);
}

template <class Net>
void network(const std::string& name, const typename Net::Config& config, Index columns = 1) {
  using benchmark::RegisterBenchmark;
  RegisterBenchmark((name + "/acting").c_str(), acting<Net>, config, columns)->ArgName("lanes")->Arg(1)->Arg(16);
  RegisterBenchmark((name + "/learning").c_str(), learning<Net>, config, columns)->ArgName("T")->Arg(32)->Arg(256);
}

[[maybe_unused]] const bool registered = [] {
  network<MlpPolicy<S>>("mlp_policy", {.observation = 4, .actions = 2});
  network<StaticMlpPolicy<S, 4, 2, 64, 64>>("static_mlp_policy", {});
  network<AttentionPolicy<S>>("attention_policy", {.observation = 4, .actions = 2});
  network<TransformerPolicy<S>>("transformer_policy", {.observation = 4, .actions = 2});
  network<EntityPolicy<S>>("entity_policy", {.observation = 4, .actions = 2}, 6);
  network<PointerPolicy<S>>("pointer_policy", {.observation = 4}, 6);
  network<PatchPolicy<S>>("patch_policy", {.actions = 2, .image = {8, 8}, .patch = {2, 2}});
  network<SignalPolicy<S>>("signal_policy", {.observation = 20, .actions = 2, .samples = 16}, 8);
  return true;
}();

}  // namespace
