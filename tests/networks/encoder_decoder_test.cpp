#include "heed/networks/encoder_decoder.hpp"

#include "../support.hpp"
#include "heed/core/agent.hpp"

using namespace support;

namespace {

template <class Net>
struct Trial {
  heed::Agent<Net> agent{{.symbols = 5, .width = 3, .hidden = 4}, 1};
  heed::Activations<double> a{agent.layout};
  Tokens<double> source = numbers(12, 5), target = numbers(9, 6);

  static Tokens<double> numbers(Index n, Index below) {
    heed::Random random(std::uint64_t(n), "numbers");
    Tokens<double> x(1, n);
    for (Index i = 0; i < n; ++i) x(0, i) = double(random.below(below));
    return x;
  }
  void begin(const heed::Sequences& of_target, const heed::Sequences& of_source) {
    a.begin(agent.net.target, of_target);
    a.begin(agent.net.source, of_source);
  }
};

template <class Net>
void check_network() {
  Trial<Net> trial;
  const Net& net = trial.agent.net;
  trial.begin({4, 0, 2, 3}, {5, 2, 0, 5});
  const auto forward = [&] {
    net.forward(trial.agent.p, trial.source, trial.target, trial.a);
    return trial.a[net.logits];
  };
  const auto backward = [&](const Tokens<double>& dlogits, Parameters<double>& g) {
    trial.a.d(net.logits) = dlogits;
    net.backward(trial.agent.p, trial.source, trial.target, trial.a, g);
  };
  const auto report = heed::testing::gradient_check(trial.agent.layout, trial.agent.p, {}, forward, backward);
  REQUIRE(report.rows.size() == trial.agent.layout.entries().size());
  for (const auto& row : report.rows) {
    INFO(row.name);
    CHECK(row.error <= 1e-6);
  }

  forward();
  const Tokens<double> whole = trial.a[net.logits];
  Tokens<double> w(5, 3);
  net.weights(trial.agent.p, trial.a, 3, w);
  for (Index j = 0; j < 3; ++j) CHECK(w.col(j).sum() == Approx(1));

  // One symbol after the other: lane 0 has 4, lane 1 none, lane 2 has 2 and no source, lane 3 has 3.
  heed::Memory<double> m(trial.agent.layout, 4, 8);
  const heed::Sequences of{4, 0, 2, 3};
  for (Index t = 0; t < 4; ++t) {
    heed::Sequences now;
    Tokens<double> symbols(1, 4);
    for (Index i = 0; i < 4; ++i) {
      now.append(t < of.length(i));
      if (t < of.length(i)) symbols(0, now.columns() - 1) = trial.target(0, of.first(i) + t);
    }
    trial.begin(now, t == 0 ? heed::Sequences{5, 2, 0, 5} : heed::Sequences{0, 0, 0, 0});
    const Index seen = trial.a.columns(net.source);
    net.extend(trial.agent.p, trial.source.leftCols(seen), symbols.leftCols(now.columns()), m, trial.a);
    m.advance();
    for (Index i = 0; i < 4; ++i)
      if (t < of.length(i)) CHECK(distance(trial.a[net.logits].col(now.first(i)), whole.col(of.first(i) + t)) <= 1e-12);
  }
}

}  // namespace

TEST_CASE("BahdanauNetwork: gradients, and symbol by symbol equals the whole") {
  check_network<heed::BahdanauNetwork<double>>();
}

TEST_CASE("LuongNetwork: gradients, and symbol by symbol equals the whole") {
  check_network<heed::LuongNetwork<double>>();
}

TEST_CASE("EncoderDecoder: a source comes whole") {
  Trial<heed::BahdanauNetwork<double>> trial;
  heed::Memory<double> m(trial.agent.layout, 1, 16);
  const auto extend = [&] {
    trial.begin({1}, {5});
    trial.agent.net.extend(trial.agent.p, trial.source.leftCols(5), trial.target.leftCols(1), m, trial.a);
  };
  extend();
  m.advance();
  check_complaint("EncoderDecoder: lane 0 has read a source of 5 symbols and is shown 5 more", extend);
}

TEST_CASE("EncoderDecoder: numbers that are no symbols, and wrong shapes") {
  Trial<heed::LuongNetwork<double>> trial;
  trial.begin({4, 0, 2, 3}, {5, 2, 0, 5});
  const auto forward = [&] { trial.agent.net.forward(trial.agent.p, trial.source, trial.target, trial.a); };
  trial.source(0, 3) = 5;
  check_complaint("Embedding: x is 5 at column 3, but a whole number from 0 to 4 is needed", forward);
  trial.source = Trial<heed::LuongNetwork<double>>::numbers(11, 5);
  check_complaint("EncoderDecoder: source is 1 x 11, but 1 x 12 is needed", forward);
}
