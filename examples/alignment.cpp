// Two encoder-decoders, Bahdanau's and Luong's, learn to reverse and to sort sequences of 4 to 10 of 12 symbols, are tested on
// sequences that they have never seen, and show where they look.
#include <cstdio>
#include <cstdlib>
#include <heed/heed.hpp>
#include <heed/pictures/attention_text.hpp>
#include <heed/pictures/progress.hpp>

#include "alignment_batch.hpp"

namespace {

constexpr Index updates = 1500;

/// The gradient of the mean cross-entropy of a symbol; returns that, in nats.
template <class Net>
double gradient(const heed::Agent<Net>& agent, const Batch& batch, heed::Activations<float>& a,
                heed::Parameters<float>& g) {
  a.begin(agent.net.target, batch.lengths), a.begin(agent.net.source, batch.lengths);
  agent.net.forward(agent.p, batch.source, batch.target, a);
  auto logits = a[agent.net.logits], dlogits = a.d(agent.net.logits);
  dlogits.setZero();
  double loss = 0;
  for (Index j = 0; j < logits.cols(); ++j) {
    const heed::Categorical<float> symbol(logits, j);
    loss -= double(symbol.log_prob(batch.wanted[std::size_t(j)])) / double(logits.cols());
    symbol.add_log_prob_gradient(batch.wanted[std::size_t(j)], -1 / float(logits.cols()), dlogits.col(j));
  }
  g.flat.setZero();
  agent.net.backward(agent.p, batch.source, batch.target, a, g);
  return loss;
}

/// The share of sequences without a mistake, each symbol answered from those that were answered before it.
template <class Net>
double accuracy(const heed::Agent<Net>& agent, const Batch& batch, heed::Activations<float>& a) {
  const Index lanes = batch.lengths.count();
  heed::Memory<float> m(agent.layout, lanes, longest);
  std::vector<bool> right(std::size_t(lanes), true);
  heed::Tokens<float> last = heed::Tokens<float>::Constant(1, lanes, symbols);
  for (Index t = 0; t < longest; ++t, m.advance()) {
    a.begin(agent.net.target, heed::Sequences::uniform(lanes, 1));
    a.begin(agent.net.source, t == 0 ? batch.lengths : heed::Sequences::uniform(lanes, 0));  // it is shown once
    agent.net.extend(agent.p, batch.source.leftCols(a.columns(agent.net.source)), last, m, a);
    for (Index i = 0; i < lanes; ++i) {
      const Index answer = heed::Categorical<float>(a[agent.net.logits], i).mode();
      last(0, i) = float(answer);
      if (t < batch.lengths.length(i) && answer != batch.wanted[std::size_t(batch.lengths.first(i) + t)])
        right[std::size_t(i)] = false;
    }
  }
  return double(std::count(right.begin(), right.end(), true)) / double(lanes);
}

/// Where each symbol of the first answer looked.
template <class Net>
void show(const heed::Agent<Net>& agent, const Batch& batch, heed::Activations<float>& a) {
  a.begin(agent.net.target, batch.lengths), a.begin(agent.net.source, batch.lengths);
  agent.net.forward(agent.p, batch.source, batch.target, a);
  const auto weights = heed::attention_weights(agent.net, agent.p, a, /*layer*/ 0, /*sequence*/ 0, /*head*/ 0);
  std::puts(heed::attention_text(weights, {.keys = batch.first_source(), .queries = batch.first_wanted()}).c_str());
}

template <class Net>
bool run(const char* name, bool sorts, std::uint64_t seed) {
  heed::Agent<Net> agent({.symbols = symbols}, seed);
  heed::Adam<float> adam(agent.layout, {});
  heed::Activations<float> a(agent.layout);
  heed::Parameters<float> g(agent.layout);
  heed::Random random(seed, "sequences");
  heed::Progress progress;
  for (Index i = 0; i < updates; ++i) {
    adam.config.learning_rate = 3e-3 * (1 - double(i) / double(updates));
    const double loss = gradient(agent, Batch(64, sorts, /*test*/ false, random), a, g);
    heed::clip_norm(g.flat, 1.0);
    adam.step(agent.p.flat, g.flat);
    progress.show(double(i + 1) / double(updates), "loss " + std::to_string(loss));
  }
  progress.end();
  std::printf("%s, %s, after %.1f s: ", name, sorts ? "sort" : "reverse", progress.seconds());
  const Batch unseen(1000, sorts, /*test*/ true, random);
  const double right = accuracy(agent, unseen, a);
  std::printf("%.1f %% of 1000 unseen sequences without a mistake\n", 100 * right);
  show(agent, unseen, a);
  return right >= 0.99;
}

}  // namespace

int main(int argc, char** argv) {
  const std::uint64_t seed = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1;
  int learned = 0;
  for (const bool sorts : {false, true}) {
    learned += run<heed::BahdanauNetwork<float>>("Bahdanau", sorts, seed);
    learned += run<heed::LuongNetwork<float>>("Luong", sorts, seed);
  }
  return learned == 4 ? 0 : 1;
}
