// Recurrent layers against PyTorch's: outputs and all gradients.
#include "parity.hpp"

#include <heed/layers/gru.hpp>
#include <heed/layers/lstm.hpp>

using namespace parity;
namespace nn = torch::nn;

namespace {

template <class S, class Layer, class Module, class Options>
void check_recurrent(const char* name) {
  Comparison<S> comparison(name);
  Draw& draw = comparison.draw;
  while (comparison.drawn < 2 * draws) {
    const Index in = draw.size<S>(40), hidden = draw.size<S>(40), layers = draw.between(1, 3);
    const bool bidirectional = draw.coin(), packed = draw.coin();
    const Sequences sequences = draw.lengths(draw.between(1, 6));
    heed::Layout layout;
    const heed::Axis time = layout.axis();
    const Layer layer(heed::Scope(layout, time),
                      {.in = in, .hidden = hidden, .layers = layers, .bidirectional = bidirectional});
    Trial<S> trial(comparison, layout);
    Module module(Options(in, hidden).num_layers(layers).bidirectional(bidirectional));
    trial.load(*module);

    Variable<S> x(draw, in, sequences.columns());
    Tokens<S> y(layer.out(), sequences.columns());
    const auto dy = draw.tokens<S>(y.rows(), y.cols());
    trial.a.begin(time, sequences);
    layer.forward(trial.p, x.value, y, trial.a);
    layer.backward(trial.p, x.value, dy, trial.a, trial.g, x.gradient);

    // One sequence after the other, or all of them packed.
    std::vector<Tensor> tokens, expected;
    for (Index i = 0; i < sequences.count(); ++i)
      if (sequences.length(i) > 0) tokens.push_back(tokens_of(x.tensor, sequences, i));
    if (packed) {
      namespace rnn = nn::utils::rnn;
      const auto all = std::get<0>(module->forward_with_packed_input(rnn::pack_sequence(tokens, false)));
      const auto [padded, lengths] = rnn::pad_packed_sequence(all, /*batch_first=*/true);
      for (std::size_t i = 0; i < tokens.size(); ++i)
        expected.push_back(padded[std::int64_t(i)].narrow(0, 0, tokens[i].size(0)));
    } else {
      for (const Tensor& t : tokens) expected.push_back(std::get<0>(module(t.unsqueeze(1))).squeeze(1));
    }
    trial.compare(y, dy, torch::cat(expected), {{"x", &x}});
  }
}

}  // namespace

TEMPLATE_TEST_CASE("Gru", "", float, double) {
  check_recurrent<TestType, heed::Gru<TestType>, nn::GRU, nn::GRUOptions>("Gru");
}
TEMPLATE_TEST_CASE("Lstm", "", float, double) {
  check_recurrent<TestType, heed::Lstm<TestType>, nn::LSTM, nn::LSTMOptions>("Lstm");
}
