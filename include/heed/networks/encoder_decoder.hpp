#pragma once
#include "heed/core/attention_weights.hpp"
#include "heed/core/graph.hpp"
#include "heed/layers/attention_decoder.hpp"
#include "heed/layers/embedding.hpp"
#include "heed/layers/luong_decoder.hpp"

namespace heed {

/// From a sequence of symbols to another: a bidirectional GRU reads the source, a recurrent decoder attends to its states.
///
///   h = [forward; backward] states of E[source]    y = decoder(E'[target], h)    logits = Wr y + br
///
///   source: 1 x m, target: 1 x n, numbers of symbols; the target is shifted: column i is what stands before symbol i, at
///   first `symbols`, which starts it    logits: symbols x n
///
/// BahdanauNetwork is the model of Bahdanau et al. 2015 with a plain readout, LuongNetwork that of Luong et al. 2015.
template <class S, class Decoder>
class EncoderDecoder {
 public:
  using Scalar = S;
  struct Config {
    Index symbols;      ///< in source and target
    Index width = 32;   ///< of an embedded symbol, and of the alignment model
    Index hidden = 64;  ///< rows of a state
  };
  Axis target, source;
  Index symbols;  ///< how many there are
  Embedding<S> source_embedding, target_embedding;
  Gru<S> encoder;
  Decoder decoder;
  Linear<S> readout;
  Columns<> embedded_source, states, embedded, decoded, logits;

  EncoderDecoder(Scope at, const Config& c) : EncoderDecoder(at, at.new_axis(), c) {}

  void forward(ParametersView<const S> p, Read<S> from, Read<S> to, ActivationsView<S> a) const {
    read(p, from, to, a);
    decoder.forward(p, a[embedded], a[states], a[decoded], a);
    readout.forward(p, a[decoded], a[logits]);
  }
  /// The whole source of a lane comes with the first symbols of its target, and none later.
  void extend(ParametersView<const S> p, Read<S> from, Read<S> to, MemoryView<S> m, ActivationsView<S> a) const {
    m.begin(source, a.sequences(source));
    for (Index lane = 0; lane < m.lanes(); ++lane)
      if (m.pending(source, lane) > 0 && m.length(source, lane) > 0)
        detail::fail("EncoderDecoder: lane %ld has read a source of %ld symbols and is shown %ld more", long(lane),
                     long(m.length(source, lane)), long(m.pending(source, lane)));
    read(p, from, to, a);
    decoder.extend(p, a[embedded], a[states], a[decoded], m, a);
    readout.forward(p, a[decoded], a[logits]);
  }
  /// From a.d(logits).
  void backward(ParametersView<const S> p, Read<S> from, Read<S> to, ActivationsView<S> a, ParametersView<S> g) const {
    readout.backward(p, a[decoded], a.d(logits), g, a.d(decoded));
    decoder.backward(p, a[embedded], a[states], a.d(decoded), a, g, a.d(embedded), a.d(states));
    encoder.backward(p, a[embedded_source], a.d(states), a, g, a.d(embedded_source));
    source_embedding.backward(from, a.d(embedded_source), g);
    target_embedding.backward(to, a.d(embedded), g);
  }

  /// The attention weights of one sequence after a forward, source x target.
  void weights(ParametersView<const S> p, ActivationsView<S> a, Index sequence, Write<S> w) const {
    if constexpr (requires { decoder.weights(p, a[states], a, sequence, w); })
      decoder.weights(p, a[states], a, sequence, w);
    else
      decoder.weights(p, a, sequence, w);
  }
  /// See attention_weights.
  template <class Visit>
  void attentions(Visit visit) const {
    visit(AttentionLayer{"decoder", source, target},
          [this](auto p, auto a, Index sequence, Index, auto w) { weights(p, a, sequence, w); });
  }

  void graph(Graph& g) const { g.unsupported("EncoderDecoder"); }

 private:
  EncoderDecoder(Scope at, Axis source_, const Config& c)
      : target(at.axis()),
        source(source_),
        symbols(c.symbols),
        source_embedding(at / "source_embedding", c.symbols, c.width),
        target_embedding(at / "target_embedding", c.symbols + 1, c.width),
        encoder(at.along(source) / "encoder", {.in = c.width, .hidden = c.hidden, .bidirectional = true}),
        decoder(at / "decoder", source, decoder_config(c)),
        readout(at / "readout", decoder.out(), c.symbols),
        embedded_source(at.along(source).columns(c.width)),
        states(at.along(source).columns(2 * c.hidden)),
        embedded(at.columns(c.width)),
        decoded(at.columns(decoder.out())),
        logits(at.columns(c.symbols)) {}

  static typename Decoder::Config decoder_config(const Config& c) {
    return {.in = c.width, .source_dim = 2 * c.hidden, .hidden = c.hidden, .width = c.hidden};
  }
  void read(ParametersView<const S> p, const Read<S>& from, const Read<S>& to, ActivationsView<S> a) const {
    detail::expect_shape("EncoderDecoder", "source", from, 1, a.columns(source));
    detail::expect_shape("EncoderDecoder", "target", to, 1, a.columns(target));
    source_embedding.forward(p, from, a[embedded_source]);
    target_embedding.forward(p, to, a[embedded]);
    encoder.forward(p, a[embedded_source], a[states], a);
  }
};

template <class S>
using BahdanauNetwork = EncoderDecoder<S, AttentionDecoder<S>>;
template <class S>
using LuongNetwork = EncoderDecoder<S, LuongDecoder<S>>;

}  // namespace heed
