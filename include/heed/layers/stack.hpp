#pragma once
#include <optional>

#include "heed/core/memory.hpp"
#include "heed/detail/list.hpp"
#include "heed/layers/layer_norm.hpp"

namespace heed {

/// Blocks of one kind, one after the other, and a norm at the end if asked for.
///
///   x_0 = x    x_i = block_i(x_(i-1))    y = x_n, or norm(x_n)
///
///   x, y: D x n, along the axis of its scope    blocks: "layers.0", "layers.1", ...    norm: "norm"
///   Most: how many blocks there may be, which then need no heap
template <class S, class Block, int Most = Dynamic>
class Stack {
 public:
  struct Config {
    Index layers = 1;              ///< how many blocks
    typename Block::Config block;  ///< of each block
    bool norm = false;             ///< whether a LayerNorm stands behind the last
  };
  Index dim;  ///< width
  Axis axis;
  std::optional<LayerNorm<S>> norm;
  detail::List<Block, Most> blocks;       ///< one behind the other
  detail::List<Columns<>, Most> between;  ///< what goes from one to the next

  Stack(Scope at, const Config& c) : Stack(at, c, [&](Scope place) { return Block(place, c.block); }) {}
  /// Blocks that attend to a source.
  Stack(Scope at, Axis source, const Config& c)
      : Stack(at, c, [&](Scope place) { return Block(place, source, c.block); }) {}

  void forward(ParametersView<const S> p, Read<S> x, Write<S> y, ActivationsView<S> a) const {
    check(x, "y", y, a);
    each(p, x, y, a, [&](const Block& block, Read<S> from, Write<S> to) { block.forward(p, from, to, a); });
  }
  /// Forward for the columns that follow what each lane remembers.
  void extend(ParametersView<const S> p, Read<S> x, Write<S> y, MemoryView<S> m, ActivationsView<S> a) const {
    check(x, "y", y, a);
    each(p, x, y, a, [&](const Block& block, Read<S> from, Write<S> to) { block.extend(p, from, to, m, a); });
  }
  void backward(ParametersView<const S> p, Read<S> x, Read<S> dy, ActivationsView<S> a, ParametersView<S> g,
                Gradient<S> dx) const {
    check(x, "dy", dy, a);
    detail::expect_gradient("Stack", "dx", dx, dim, x.cols());
    each_back(p, x, dy, a, g, dx, [&](const Block& block, Read<S> from, Read<S> dto, Gradient<S> dfrom) {
      block.backward(p, from, dto, a, g, dfrom);
    });
  }

  /// The blocks from first to last, each by f(block, from, to), and the norm.
  template <class F>
  void each(ParametersView<const S> p, Read<S> x, Write<S> y, ActivationsView<S> a, F f) const {
    for (std::size_t i = 0; i < blocks.size(); ++i)
      f(blocks[i], i == 0 ? x : Read<S>(a[between[i - 1]]), i == between.size() ? y : Write<S>(a[between[i]]));
    if (norm) norm->forward(p, a[between.back()], y, a);
  }
  /// The norm, and the blocks from last to first, each by f(block, from, dto, dfrom).
  template <class F>
  void each_back(ParametersView<const S> p, Read<S> x, Read<S> dy, ActivationsView<S> a, ParametersView<S> g,
                 Gradient<S> dx, F f) const {
    if (norm) norm->backward(p, a[between.back()], dy, a, g, a.d(between.back()));
    for (std::size_t i = blocks.size(); i-- > 0;)
      f(blocks[i], i == 0 ? x : Read<S>(a[between[i - 1]]), i == between.size() ? dy : Read<S>(a.d(between[i])),
        i == 0 ? dx : Gradient<S>(a.d(between[i - 1])));
  }

  Node graph(Graph& g, Node x) const {
    for (const Block& block : blocks) x = block.graph(g, x);
    return norm ? norm->graph(g, x) : x;
  }

 private:
  template <class Make>
  requires std::is_invocable_r_v<Block, Make, Scope> Stack(Scope at, const Config& c, Make make)
      : dim(c.block.dim), axis(at.axis()) {
    if (c.layers < 1) detail::fail("Stack: %ld layers, but at least 1 is needed", long(c.layers));
    if (c.norm) norm.emplace(at / "norm", dim);
    for (Index i = 0; i < c.layers; ++i) {
      blocks.push_back(make(at / "layers" / i));
      if (c.norm || i + 1 < c.layers) between.push_back(at.columns(dim));
    }
  }
  template <class Y>
  void check(const Read<S>& x, const char* what, const Y& y, ActivationsView<S> a) const {
    detail::expect_shape("Stack", "x", x, dim, a.columns(axis));
    detail::expect_shape("Stack", what, y, dim, x.cols());
  }
};

}  // namespace heed
