#pragma once
#include "heed/core/graph.hpp"
#include "heed/layers/stack.hpp"
#include "heed/layers/transformer_decoder_block.hpp"

namespace heed {

/// Blocks of a decoder one after the other, all with the same source (Vaswani et al. 2017, sec. 3.1), as
/// torch.nn.TransformerDecoder.
///
///   x_0 = x    x_i = block_i(x_(i-1), source)    y = x_n, or norm(x_n)
///
///   x, y: D x n, along the axis of its scope    source: source_dim x s, along `source`
///   blocks: "layers.0", "layers.1", ...    norm, if asked for: "norm"
template <class S, int D = Dynamic>
class TransformerDecoder {
 public:
  using Block = TransformerDecoderBlock<S, D>;  ///< what it is a stack of
  using Config = typename Stack<S, Block>::Config;
  Stack<S, Block> stack;
  Axis source_axis;

  TransformerDecoder(Scope at, Axis source, const Config& c) : stack(at, source, c), source_axis(source) {}

  void forward(ParametersView<const S> p, Read<S> x, Read<S> source, Write<S> y, ActivationsView<S> a) const {
    check(x, source, "y", y, a);
    stack.each(p, x, y, a,
               [&](const Block& block, Read<S> from, Write<S> to) { block.forward(p, from, source, to, a); });
  }
  /// Forward for the columns that follow what each lane remembers, of the source, too: none, where it stays as it is.
  void extend(ParametersView<const S> p, Read<S> x, Read<S> source, Write<S> y, MemoryView<S> m,
              ActivationsView<S> a) const {
    check(x, source, "y", y, a);
    stack.each(p, x, y, a,
               [&](const Block& block, Read<S> from, Write<S> to) { block.extend(p, from, source, to, m, a); });
  }
  void backward(ParametersView<const S> p, Read<S> x, Read<S> source, Read<S> dy, ActivationsView<S> a,
                ParametersView<S> g, Gradient<S> dx, Gradient<S> dsource) const {
    check(x, source, "dy", dy, a);
    detail::expect_gradient("TransformerDecoder", "dx", dx, x.rows(), x.cols());
    detail::expect_gradient("TransformerDecoder", "dsource", dsource, source.rows(), source.cols());
    dsource.start();
    stack.each_back(p, x, dy, a, g, dx, [&](const Block& block, Read<S> from, Read<S> dto, Gradient<S> dfrom) {
      block.backward(p, from, source, dto, a, g, dfrom, dsource.part(0, source.rows(), 0, source.cols()));
    });
  }

  template <class... Nodes>
  Node graph(Graph& g, const Nodes&...) const {
    return g.unsupported("TransformerDecoder");
  }

  /// Of a network with it: see attention_weights. The two of each block.
  template <class Visit>
  void attentions(const std::string& prefix, Visit& visit) const {
    for (std::size_t i = 0; i < stack.blocks.size(); ++i) stack.blocks[i].attentions(prefix + std::to_string(i), visit);
  }

 private:
  template <class Y>
  void check(const Read<S>& x, const Read<S>& source, const char* what, const Y& y, ActivationsView<S> a) const {
    const detail::SequencePairs all("TransformerDecoder", a.sequences(stack.axis), a.sequences(source_axis));
    detail::expect_shape("TransformerDecoder", "x", x, stack.dim, all.queries());
    detail::expect_shape("TransformerDecoder", "source", source, stack.blocks[0].source_dim(), all.keys());
    detail::expect_shape("TransformerDecoder", what, y, stack.dim, x.cols());
  }
};

}  // namespace heed
