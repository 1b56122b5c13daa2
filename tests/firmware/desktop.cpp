// Writes what the device includes, and what it must say: policies that learned to do as a controller does, observations of
// cart-pole, and the policies' logits, computed on the heap by forward.
//
//     desktop DIRECTORY
#include <cstdio>
#include <fstream>
#include <string>

#include "heed/distributions/categorical.hpp"
#include "heed/environments/cart_pole.hpp"
#include "heed/io/header.hpp"
#include "heed/optimizers/adam.hpp"
#include "policies.hpp"

namespace {

constexpr heed::Index steps = 300;

struct Record {
  heed::Tokens<float> x = heed::Tokens<float>(4, steps);
  std::vector<heed::Index> actions;  // the controller's
  std::vector<heed::Index> lengths;  // of the episodes
  std::vector<bool> starts;          // whether a step is an episode's first
};

/// Cart-pole under a controller that is disturbed, so that its poles fall.
Record record() {
  Record all;
  const heed::CartPole world(60);
  heed::Random random(1);
  auto state = world.reset(random);
  bool over = true;
  for (heed::Index t = 0; t < steps; ++t) {
    if (over) {
      state = world.reset(random);
      all.lengths.push_back(0);
    }
    all.starts.push_back(over);
    ++all.lengths.back();
    auto x = all.x.col(t);
    world.observe(state, heed::Write<float>(x));
    all.actions.push_back(x(2) + x(3) / 2 + x(1) / 10 > 0);
    over = world.step(state, random.uniform() < 0.3 ? random.below(2) : all.actions.back()).over();
  }
  return all;
}

void begin(heed::ActivationsView<float> a, heed::Axis time, const Record& record) {
  a.begin(time, heed::Index(record.lengths.size()), [&](heed::Index i) { return record.lengths[std::size_t(i)]; });
}

/// Learns to do what the controller did.
template <class Net>
void imitate(heed::Agent<Net>& agent, const Record& record) {
  heed::Adam<float> adam(agent.layout, {.learning_rate = 3e-3});
  heed::Activations<float> a(agent.layout);
  heed::Parameters<float> g(agent.layout);
  for (int iteration = 0; iteration < 100; ++iteration) {
    begin(a, agent.time, record);
    agent.net.forward(agent.p, record.x, a);
    a.d(agent.net.logits).setZero();
    for (heed::Index t = 0; t < steps; ++t)
      heed::Categorical<float>(a[agent.net.logits], t)
          .add_log_prob_gradient(record.actions[std::size_t(t)], -1.0f / steps, a.d(agent.net.logits).col(t));
    g.flat.setZero();
    agent.net.backward(agent.p, record.x, a, g, heed::no_gradient);
    adam.step(agent.p.flat, g.flat);
  }
}

/// The lines that the device must print, but for what it measures: a step's action and logits in millionths.
template <class Net>
void write(const std::string& directory, const std::string& name, const typename Net::Config& config,
           const Record& record) {
  heed::Agent<Net> agent(config, 1);
  imitate(agent, record);
  heed::to_header(agent, directory + "/" + name + "_weights.hpp");
  heed::Activations<float> a(agent.layout);
  begin(a, agent.time, record);
  agent.net.forward(agent.p, record.x, a);
  std::ofstream expected(directory + "/" + name + ".expected");
  const auto logits = a[agent.net.logits];
  for (heed::Index t = 0; t < steps; ++t)
    expected << (logits(1, t) > logits(0, t)) << ' ' << long(logits(0, t) * 1e6f) << ' ' << long(logits(1, t) * 1e6f)
             << '\n';
}

}  // namespace

int main(int, char** arguments) {
  const std::string directory = arguments[1];
  const Record all = record();
  std::ofstream header(directory + "/observations.hpp");
  header << "inline constexpr bool starts[] = {";
  for (const bool start : all.starts) header << start << ", ";
  header << "};\ninline constexpr float observations[][4] = {";
  for (heed::Index t = 0; t < steps; ++t) {
    header << "\n{";
    for (heed::Index i = 0; i < 4; ++i) header << heed::detail::cpp_number(all.x(i, t)) << ", ";
    header << "},";
  }
  header << "};\n";
  write<heed::AttentionPolicy<float>>(directory, "attention", attention, all);
  write<heed::TransformerPolicy<float>>(directory, "transformer", transformer, all);
  write<heed::MlpPolicy<float>>(directory, "mlp", {.observation = 4, .actions = 2, .hidden = {64, 64}}, all);
}
