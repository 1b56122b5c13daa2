#include "heed/core/attention_weights.hpp"

#include "heed/core/agent.hpp"
#include "heed/layers/induced_set_attention.hpp"
#include "heed/layers/transformer_decoder.hpp"
#include "heed/networks/attention_q.hpp"
#include "heed/networks/encoder_decoder.hpp"
#include "heed/networks/mlp_policy.hpp"
#include "heed/networks/patch_policy.hpp"
#include "heed/networks/pointer_policy.hpp"
#include "heed/networks/signal_policy.hpp"
#include "heed/networks/transformer_policy.hpp"
#include "heed/networks/with_critic.hpp"
#include "support.hpp"
#include "support/complaints.hpp"

using namespace heed;
using support::check_complaint;
using support::random;

namespace {

template <class Net>
struct Case {
  Agent<Net> agent;
  Activations<double> a;

  explicit Case(const typename Net::Config& config) : agent(config, 3), a(agent.layout) {
    agent.p.flat += random<double>(agent.p.flat.size(), 1, 4, 0.5);
  }
  Tokens<double> weights(Index layer, Index sequence, Index head) {
    return attention_weights(agent.net, agent.p, a, layer, sequence, head);
  }
  Tokens<double> rollout(Index sequence, Index first = 0, Index layers = -1) {
    return attention_rollout(agent.net, agent.p, a, sequence, first, layers);
  }
  std::string names() const {
    std::string all;
    for (const AttentionLayer& layer : attention_layers(agent.net))
      all.append(layer.name).append(" ").append(std::to_string(layer.heads)).append(layer.residual ? "+ " : " ");
    return all;
  }
  /// Every matrix has the shape that its axes say, and columns that sum to 1 or, where there is no key, nothing.
  void check_all() {
    const auto layers = attention_layers(agent.net);
    for (std::size_t i = 0; i < layers.size(); ++i) {
      INFO(layers[i].name);
      const SequencesView keys = a.sequences(layers[i].keys), queries = a.sequences(layers[i].queries);
      REQUIRE(keys.count() == queries.count());
      for (Index s = 0; s < keys.count(); ++s) {
        Tokens<double> sum = Tokens<double>::Zero(keys.length(s), queries.length(s));
        for (Index head = 0; head < layers[i].heads; ++head) {
          const Tokens<double> w = weights(Index(i), s, head);
          support::require_shape(w.rows(), w.cols(), keys.length(s), queries.length(s));
          CHECK((w.array() >= 0).all());
          if (w.size() > 0) CHECK((w.colwise().sum().array() - 1).abs().maxCoeff() < 1e-12);
          sum += w;
        }
        const Tokens<double> mean = mean_attention(agent.net, agent.p, a, Index(i), s);
        CHECK(support::distance(mean, Tokens<double>(sum / double(layers[i].heads))) < 1e-15);
      }
      const std::string of_layer =
          "of layer " + std::to_string(i) + " (" + layers[i].name + ") asked for, but there are ";
      check_complaint(
          "attention_weights: sequence " + std::to_string(keys.count()) + " " + of_layer + std::to_string(keys.count()),
          [&] { weights(Index(i), keys.count(), 0); });
      check_complaint("attention_weights: sequence -1 " + of_layer, [&] { weights(Index(i), -1, 0); });
      check_complaint("attention_weights: head " + std::to_string(layers[i].heads) + " " + of_layer +
                          std::to_string(layers[i].heads),
                      [&] { weights(Index(i), 0, layers[i].heads); });
      check_complaint("attention_weights: head -1", [&] { weights(Index(i), 0, -1); });
    }
    const std::string there_are = " asked for, but there are " + std::to_string(layers.size());
    check_complaint("attention_weights: layer " + std::to_string(layers.size()) + there_are,
                    [&] { weights(Index(layers.size()), 0, 0); });
    check_complaint("attention_weights: layer -1" + there_are, [&] { weights(-1, 0, 0); });
    check_complaint("mean_attention: layer 9" + there_are, [&] { mean_attention(agent.net, agent.p, a, 9, 0); });
  }
};

template <class Net>
void run_over_time(Case<Net>& c, const Sequences& time) {
  c.a.begin(c.agent.net.time, time);
  c.agent.net.forward(c.agent.p, random<double>(c.agent.net.observation, time.columns(), 5), c.a);
}

const Sequences ragged{3, 0, 1, 7};

/// A_hat = W / 2 + I / 2 with columns of sum 1, and the product of two matrices, by plain loops.
using Rows = std::vector<std::vector<long double>>;
Rows attended(const Tokens<double>& a, const Tokens<double>& b) {
  const std::size_t n = std::size_t(a.rows());
  Rows m(n, std::vector<long double>(n));
  for (std::size_t j = 0; j < n; ++j) {
    long double sum = 0;
    for (std::size_t i = 0; i < n; ++i) {
      const long double mean = ((long double)(a(Index(i), Index(j))) + b(Index(i), Index(j))) / 2;
      m[i][j] = mean / 2 + (i == j ? 0.5L : 0);
      sum += m[i][j];
    }
    for (std::size_t i = 0; i < n; ++i) m[i][j] /= sum;
  }
  return m;
}
Rows product(const Rows& a, const Rows& b) {
  Rows m(a.size(), std::vector<long double>(a.size()));
  for (std::size_t i = 0; i < a.size(); ++i)
    for (std::size_t j = 0; j < a.size(); ++j)
      for (std::size_t k = 0; k < a.size(); ++k) m[i][j] += a[i][k] * b[k][j];
  return m;
}

}  // namespace

TEST_CASE("weights of the attention policy are those of additive attention over a window by plain loops") {
  Case<AttentionQ<double>> c({.observation = 3, .actions = 2, .window = 4, .width = 5, .hidden = 6});
  run_over_time(c, ragged);
  CHECK(c.names() == "attention 1 ");
  c.check_all();
  const auto& pooling = c.agent.net.body.attention;
  const auto& p = c.agent.p;
  const Tokens<double> x = random<double>(3, ragged.columns(), 5);
  for (Index s = 0; s < ragged.count(); ++s) {
    const Index n = ragged.length(s);
    Tokens<double> wanted = Tokens<double>::Zero(n, n);
    for (Index t = 0; t < n; ++t) {
      const Index first = std::max(Index(0), t - 3);
      long double sum = 0;
      for (Index i = first; i <= t; ++i) {
        long double score = 0;
        for (Index r = 0; r < 5; ++r) {
          long double inner = p[pooling.attention.alignment.bias](r);
          for (Index k = 0; k < 5; ++k) {
            long double e = p[pooling.embedding.bias](k) + p[pooling.positions](3 - (t - i), k);
            for (Index o = 0; o < 3; ++o)
              e += (long double)(p[pooling.embedding.weight](k, o)) * x(o, ragged.first(s) + i);
            inner += p[pooling.attention.alignment.weight](r, k) * e;
          }
          score += p[pooling.attention.context](r) * std::tanh(inner);
        }
        wanted(i, t) = double(std::exp(score));
        sum += std::exp(score);
      }
      for (Index i = first; i <= t; ++i) wanted(i, t) = double(wanted(i, t) / sum);
    }
    CHECK(support::distance(c.weights(0, s, 0), wanted) < 1e-12);
    CHECK(support::distance(c.rollout(s), wanted) < 1e-12);  // it has no residual
  }
}

TEST_CASE("weights of the transformer are those of its blocks and causal") {
  Case<TransformerPolicy<double>> c({.observation = 3, .actions = 2, .width = 6, .heads = 2, .layers = 3});
  run_over_time(c, ragged);
  CHECK(c.names() == "layers.0 2+ layers.1 2+ layers.2 2+ ");
  c.check_all();
  for (Index layer = 0; layer < 3; ++layer)
    for (Index head = 0; head < 2; ++head) {
      const Tokens<double> w = c.weights(layer, 3, head);
      Tokens<double> direct(7, 7);
      c.agent.net.body.encoder.blocks[std::size_t(layer)].attention.weights(c.agent.p, c.a, 3, head, direct);
      CHECK(support::same_bits(w, direct));
      for (Index t = 0; t < 7; ++t) CHECK((w.col(t).tail(6 - t).array() == 0).all());
    }
}

TEST_CASE("attention rollout is the product of the layers by plain loops") {
  Case<TransformerPolicy<double>> c({.observation = 3, .actions = 2, .width = 6, .heads = 2, .layers = 3});
  run_over_time(c, ragged);
  const auto layer = [&](Index l) { return attended(c.weights(l, 3, 0), c.weights(l, 3, 1)); };
  const Rows two = product(layer(1), layer(2)), all = product(layer(0), two);
  const auto check = [](const Tokens<double>& r, const Rows& wanted) {
    support::require_shape(r.rows(), r.cols(), 7, 7);
    for (Index i = 0; i < 7; ++i)
      for (Index j = 0; j < 7; ++j) {
        CHECK(std::abs(r(i, j) - double(wanted[std::size_t(i)][std::size_t(j)])) < 1e-14);
        if (i > j) CHECK(r(i, j) == 0);  // causal stays causal
      }
    CHECK((r.colwise().sum().array() - 1).abs().maxCoeff() < 1e-14);
  };
  check(c.rollout(3), all);
  check(c.rollout(3, 1), two);
  check(c.rollout(3, 1, 1), layer(1));
  CHECK(c.rollout(1).size() == 0);
  check_complaint("attention_rollout: layers 0 to 3 asked for, but there are 3", [&] { c.rollout(3, 0, 4); });
  check_complaint("attention_rollout: layers 3 to 2 asked for", [&] { c.rollout(3, 3); });
  check_complaint("attention_rollout: layers -1 to 0 asked for", [&] { c.rollout(3, -1, 2); });
  check_complaint("attention_rollout: sequence 4 of layer 0 (layers.0) asked for, but there are 4",
                  [&] { c.rollout(4); });
}

TEST_CASE("weights of an entity network are of entities, of their pooling, over time and of its pointer") {
  const Sequences seen{2, 0, 1, 3, 0, 5, 1, 2, 0, 1, 1};
  Case<PointerPolicy<double>> c({.observation = 3, .width = 4, .heads = 2, .layers = 2, .clip = 3});
  c.a.begin(c.agent.net.time, ragged);
  c.a.begin(c.agent.net.input, seen);
  c.agent.net.forward(c.agent.p, random<double>(3, seen.columns(), 5), c.a);
  CHECK(c.names() == "entities 2+ pool 2 time.layers.0 2+ time.layers.1 2+ pointer 1 ");
  c.check_all();
  const auto logits = c.a[c.agent.net.logits];
  for (Index step = 0; step < seen.count(); ++step) {
    const Tokens<double> w = c.weights(4, step, 0);
    double sum = 0;
    for (Index i = 0; i < seen.length(step); ++i) sum += std::exp(logits[seen.first(step) + i]);
    for (Index i = 0; i < seen.length(step); ++i)
      CHECK(w(i, 0) == Approx(std::exp(logits[seen.first(step) + i]) / sum).epsilon(1e-12));
  }
  const Rows hat = attended(c.weights(0, 5, 0), c.weights(0, 5, 1));
  const Tokens<double> pool = (c.weights(1, 5, 0) + c.weights(1, 5, 1)) / 2, entities = c.rollout(5, 0, 2);
  support::require_shape(entities.rows(), entities.cols(), 5, 1);
  for (std::size_t i = 0; i < 5; ++i) {
    long double wanted = 0;
    for (std::size_t k = 0; k < 5; ++k) wanted += hat[i][k] * pool(Index(k), 0);
    CHECK(entities(Index(i), 0) == Approx(double(wanted)).epsilon(1e-12));
  }
  CHECK(c.rollout(3, 2, 2).cols() == 7);
  check_complaint("attention_rollout: layer 2 (time.layers.0) does not attend to what layer 1 (pool) answers",
                  [&] { c.rollout(0, 0, 3); });
}

TEST_CASE("patches, signals, encoder-decoders and actors with a critic give their weights alike") {
  Case<PatchPolicy<double>> patches({.actions = 2,
                                     .channels = 1,
                                     .image = {.rows = 4, .cols = 6},
                                     .patch = {.rows = 2, .cols = 2},
                                     .width = 4,
                                     .heads = 2,
                                     .layers = 2});
  run_over_time(patches, {2, 0, 1});
  CHECK(patches.names() == "layers.0 2+ layers.1 2+ pool 2 ");
  patches.check_all();
  CHECK(patches.weights(0, 2, 1).cols() == 6);
  CHECK(std::abs(patches.rollout(1).sum() - 1) < 1e-12);

  const Sequences seen{2, 0, 1};
  Case<SignalPolicy<double>> signal({.observation = 5, .actions = 3, .samples = 3, .width = 4, .inner = 6, .heads = 2});
  signal.a.begin(signal.agent.net.time, {2, 1});
  signal.a.begin(signal.agent.net.input, seen);
  signal.agent.net.forward(signal.agent.p, random<double>(5, 3, 5), signal.a);
  CHECK(signal.names() == "glance 1 look 2 ");
  signal.check_all();
  CHECK(support::same_bits(signal.weights(0, 0, 0).col(0),
                           signal.a[signal.agent.net.body.glance.weights].head(2).transpose()));

  const auto check_translator = [](auto& translator) {
    translator.a.begin(translator.agent.net.target, {4, 0, 2});
    translator.a.begin(translator.agent.net.source, {5, 2, 1});
    translator.agent.net.forward(translator.agent.p, Tokens<double>::Zero(1, 8).eval(),
                                 Tokens<double>::Ones(1, 6).eval(), translator.a);
    CHECK(translator.names() == "decoder 1 ");
    translator.check_all();
  };
  Case<BahdanauNetwork<double>> bahdanau({.symbols = 5, .width = 3, .hidden = 4});
  check_translator(bahdanau);
  Case<LuongNetwork<double>> luong({.symbols = 5, .width = 3, .hidden = 4});
  check_translator(luong);

  using Both = WithCritic<TransformerPolicy<double>, TransformerValue<double>>;
  Case<Both> both({.actor = {.observation = 3, .actions = 2, .width = 4, .heads = 2, .layers = 2},
                   .critic = {.observation = 3, .width = 4, .heads = 2, .layers = 1}});
  run_over_time(both, ragged);
  CHECK(both.names() == "layers.0 2+ layers.1 2+ ");
  both.check_all();
  CHECK(attention_layers(both.agent.net.critic).size() == 1);

  Case<MlpPolicy<double>> blind({.observation = 3, .actions = 2});
  run_over_time(blind, ragged);
  CHECK(blind.names().empty());
  blind.check_all();
  check_complaint("attention_rollout: layers 0 to -1 asked for, but there are 0", [&] { blind.rollout(0); });
}

TEST_CASE("weights after extend or before a forward are refused where they are not known") {
  const std::string known = "known after a forward over whole sequences";
  const auto act = [](auto& c, Memory<double>& m, const Sequences& columns) {
    c.a.begin(c.agent.net.time, columns);
    c.agent.net.extend(c.agent.p, random<double>(3, columns.columns(), 5), m, c.a);
    m.advance();
  };
  Case<AttentionQ<double>> window({.observation = 3, .actions = 2, .window = 4, .width = 5, .hidden = 6});
  Memory<double> seen(window.agent.layout, 2, Capacity{.columns = 14, .chunk = 4});
  act(window, seen, {1, 1});
  CHECK(window.weights(0, 1, 0)(0, 0) == 1);  // a first step sees itself alone
  act(window, seen, {1, 0});
  check_complaint("WindowPooling: the window of step 0 of sequence 0 has 2 tokens: weights are " + known,
                  [&] { window.weights(0, 0, 0); });
  act(window, seen, {2, 3});
  check_complaint("WindowPooling: the window of step 0 of sequence 1 has 2 tokens: ",
                  [&] { mean_attention(window.agent.net, window.agent.p, window.a, 0, 1); });
  run_over_time(window, ragged);
  window.check_all();
  window.a.begin(window.agent.net.time, {2, 1});
  check_complaint("WindowPooling: 0 windows of 3 steps: weights are " + known, [&] { window.weights(0, 0, 0); });

  for (const Index width : {6, 8}) {  // of heads that fill wide registers, and that do not
    Case<TransformerPolicy<double>> blocks({.observation = 3, .actions = 2, .width = width, .heads = 2, .layers = 2});
    Memory<double> past(blocks.agent.layout, 2, Capacity{.columns = 14, .chunk = 4});
    act(blocks, past, {3, 1});
    CHECK(std::abs(blocks.weights(0, 0, 1).sum() - 3) < 1e-12);  // all that there has been
    act(blocks, past, {2, 0});
    for (Index layer = 0; layer < 2; ++layer)
      check_complaint("attention_weights: the weights of query 0 in sequence 0 of layer " + std::to_string(layer) +
                          " (layers." + std::to_string(layer) + ") sum to ",
                      [&] { blocks.weights(layer, 0, 0); });
    check_complaint(known, [&] { mean_attention(blocks.agent.net, blocks.agent.p, blocks.a, 0, 0); });
    check_complaint("attention_rollout: the weights of query 0", [&] { blocks.rollout(0); });
  }
}

namespace {

/// A network of parts that name where they attend.
struct Parts {
  using Scalar = double;
  struct Config {};
  Axis time, source;
  InducedSetAttention<double> set;
  TransformerDecoder<double> decoder;
  TransformerBlock<double> open;

  Parts(Scope at, const Config&)
      : time(at.axis()),
        source(at.new_axis()),
        set(at / "set", {.dim = 4, .heads = 2, .points = 3}),
        decoder(at / "decoder", source, {.layers = 2, .block = {.dim = 4, .heads = 2}}),
        open(at / "open", {.dim = 4, .heads = 2}, {.dim = 4, .heads = 2, .memory_tokens = 1, .sink = true}) {}

  template <class Visit>
  void attentions(Visit visit) const {
    set.attentions("set", visit);
    decoder.attentions("layers.", visit);
    detail::visit_heads("open", time, time, true, open.attention, visit);
  }
};

}  // namespace

TEST_CASE("weights of inducing points and of a decoder are those of their parts and a sink takes its share") {
  Case<Parts> c({});
  const Parts& net = c.agent.net;
  c.a.begin(net.time, {3, 1, 7});
  c.a.begin(net.source, {2, 4, 0});
  const Tokens<double> x = random<double>(4, 11, 5), source = random<double>(4, 6, 6);
  Tokens<double> y(4, 11);
  net.set.forward(c.agent.p, x, y, c.a);
  net.decoder.forward(c.agent.p, x, source, y, c.a);
  net.open.forward(c.agent.p, x, y, c.a);
  CHECK(c.names() ==
        "set.block1 2 set.block2 2 layers.0.self_attn 2+ layers.0.multihead_attn 2 layers.1.self_attn 2+ "
        "layers.1.multihead_attn 2 open 2+ ");
  const auto check = [&](Index layer, const auto& attention, Index keys, Index queries) {
    const Tokens<double> w = c.weights(layer, 0, 1);
    Tokens<double> direct(keys, queries);
    attention.weights(c.agent.p, c.a, 0, 1, direct);
    CHECK(support::same_bits(w, direct));
    return w;
  };
  check(0, net.set.block1.attention, 3, 3);
  check(1, net.set.block2.attention, 3, 3);
  for (Index i = 0; i < 2; ++i) {
    check(2 + 2 * i, net.decoder.stack.blocks[std::size_t(i)].attention, 3, 3);
    check(3 + 2 * i, net.decoder.stack.blocks[std::size_t(i)].cross_attention, 2, 3);
  }
  CHECK(c.weights(0, 2, 0).rows() == 7);
  CHECK(c.weights(0, 2, 0).cols() == 3);
  CHECK(c.weights(1, 2, 0).cols() == 7);
  for (Index layer = 0; layer < 6; ++layer)
    CHECK((c.weights(layer, 0, 0).colwise().sum().array() - 1).abs().maxCoeff() < 1e-12);
  CHECK(attention_layers(net).back().partial);
  CHECK(check(6, net.open.attention, 3, 3).colwise().sum().maxCoeff() < 0.99);
}

TEST_CASE("entropies of attention are those of its columns") {
  Tokens<double> w(4, 4);
  w << 1, 0.25, 0.5, 0,  //
      0, 0.25, 0.5, 0,   //
      0, 0.25, 0, 0,     //
      0, 0.25, 0, 0;
  const auto entropies = attention_entropies(w);
  REQUIRE(entropies.size() == 4);
  CHECK(entropies[0] == 0);
  CHECK(entropies[1] == Approx(std::log(4.0)));
  CHECK(entropies[2] == Approx(std::log(2.0)));
  CHECK(entropies[3] == 0);
  for (const double bad : {std::nan(""), -0.1, std::numeric_limits<double>::infinity()}) {
    w(3, 2) = bad;
    check_complaint("attention_entropies: the weight of key 3 for query 2 is ", [&] { attention_entropies(w); });
  }
}
