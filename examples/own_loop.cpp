// A training loop of one's own: an agent, activations, memory and an optimizer are all that there is to it. This one learns
// cart-pole by REINFORCE, one episode at a time: acting step by step, learning from the whole episode.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <heed/heed.hpp>
#include <vector>

namespace {

using Net = heed::AttentionPolicy<float>;

struct Episode {
  heed::Tokens<float> x = heed::Tokens<float>(4, 500);  // a column a step
  std::vector<heed::Index> actions;
};

/// Acts: the network sees one observation more at each step, and remembers those before.
void play(const heed::Agent<Net>& agent, const heed::CartPole& world, heed::Memory<float>& memory,
          heed::Activations<float>& a, heed::Random& random, Episode& episode) {
  memory.forget();
  episode.actions.clear();
  auto state = world.reset(random);
  for (bool over = false; !over;) {
    auto x = episode.x.middleCols(heed::Index(episode.actions.size()), 1);
    world.observe(state, heed::Write<float>(x));
    a.begin(agent.net.time, {1});
    agent.net.extend(agent.p, x, memory, a);
    memory.advance();
    episode.actions.push_back(heed::Categorical<float>(a[agent.net.logits], 0).sample(random));
    over = world.step(state, episode.actions.back()).over();
  }
}

/// The gradient of - sum of A_t log pi(a_t | s_<=t): forward over the whole episode, backward, one pass each.
void learn(heed::Agent<Net>& agent, const Episode& episode, double mean_length, heed::Activations<float>& a,
           heed::Parameters<float>& g) {
  const heed::Index steps = heed::Index(episode.actions.size());
  a.begin(agent.net.time, {steps});
  const auto x = episode.x.leftCols(steps);
  agent.net.forward(agent.p, x, a);
  a.d(agent.net.logits).setZero();
  for (heed::Index t = 0; t < steps; ++t) {
    const double to_go = double(steps - t), usual = mean_length / 2;
    const heed::Categorical<float> policy(a[agent.net.logits], t);
    policy.add_log_prob_gradient(episode.actions[std::size_t(t)], float(-(to_go - usual) / 100 / double(steps)),
                                 a.d(agent.net.logits).col(t));
  }
  g.flat.setZero();
  agent.net.backward(agent.p, x, a, g, heed::no_gradient);
}

}  // namespace

int main() {
  const heed::CartPole world;
  heed::Agent<Net> agent({.observation = 4, .actions = 2, .window = 4, .width = 16, .hidden = 32}, /*seed*/ 1);
  heed::Adam<float> adam(agent.layout, {.learning_rate = 3e-3});
  heed::Activations<float> a(agent.layout);
  heed::Memory<float> memory(agent.layout, /*lanes*/ 1);
  heed::Parameters<float> g(agent.layout);
  heed::Random random(1);
  Episode episode;
  double mean_length = 20;
  int episodes = 0;
  for (; episodes < 3000 && mean_length < 400; ++episodes) {
    play(agent, world, memory, a, random, episode);
    learn(agent, episode, mean_length, a, g);
    heed::clip_norm(g.flat, 1.0);
    adam.step(agent.p.flat, g.flat);
    mean_length += 0.03 * (double(episode.actions.size()) - mean_length);
    if (episodes % 20 == 0) std::printf("episode %4d: the pole stands for %3.0f steps\n", episodes, mean_length);
  }
  const double result = heed::evaluate(agent, world, 100, /*seed*/ 2).mean;
  std::printf("evaluation after %d episodes: mean return %.1f\n", episodes, result);
  return result > 300 ? 0 : 1;
}
