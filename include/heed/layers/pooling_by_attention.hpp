#pragma once
#include "heed/core/attention_weights.hpp"
#include "heed/detail/learned_queries.hpp"
#include "heed/layers/set_attention_block.hpp"

namespace heed {

/// Pooling by multi-head attention (Lee et al. 2019, eq. 11): k learned seeds ask each set, which becomes k columns.
///
///   PMA_k(Z) = MAB(seeds, rFF(Z))    rFF(z) = max(W z + b, 0)    MAB: see SetAttentionBlock
///
///   x: D x n, along the axis of its scope    y: D x (k sequences), along the axis `seeds`, k columns for each sequence
///   seeds ("seeds"): k x D, Xavier uniform    W, b: "linear"    MAB: "block"
///
/// The same bytes are (k D) x sequences, one column for each along the parent of the sets' axis: with one seed, y lies
/// there as it is. The order of a set's tokens does not matter; an empty set has a finite answer.
template <class S>
class PoolingByAttention {
 public:
  struct Config {
    Index dim, heads;  ///< width, and into how many heads it is cut
    Index seeds = 1;   ///< columns that answer each set
  };
  detail::LearnedQueries<S> queries;  ///< learned, the same for all
  Axis seeds;                         ///< a sibling of the sets' axis
  Linear<S> linear;
  SetAttentionBlock<S> block;
  Activation<S> relu{Nonlinearity::relu};
  Columns<> fed;

  PoolingByAttention(Scope at, Config c)
      : queries(at, "seeds", c.seeds, c.dim),
        seeds(queries.axis()),
        linear(at / "linear", c.dim, c.dim),
        block((at / "block").along(seeds), at.axis(), {.dim = c.dim, .heads = c.heads}),
        fed(at.columns(c.dim)) {}

  /// Begins the axis `seeds`. Forward does so too; who keeps y along it begins it before.
  void begin(ActivationsView<S> a) const { queries.begin(a); }

  void forward(ParametersView<const S> p, Read<S> x, Write<S> y, ActivationsView<S> a) const {
    check(x, "y", y, a);
    queries.forward(p, a);
    linear.forward(p, x, a[fed]);
    relu.forward(a[fed], a[fed]);
    block.forward(p, a[queries.queries], a[fed], y, a);
  }

  void backward(ParametersView<const S> p, Read<S> x, Read<S> dy, ActivationsView<S> a, ParametersView<S> g,
                Gradient<S> dx) const {
    check(x, "dy", dy, a);
    detail::expect_gradient("PoolingByAttention", "dx", dx, x.rows(), x.cols());
    block.backward(p, a[queries.queries], a[fed], dy, a, g, a.d(queries.queries), a.d(fed));
    relu.backward(a[fed], a[fed], a.d(fed), a.d(fed));
    linear.backward(p, x, a.d(fed), g, dx);
    queries.backward(a, g);
  }

  /// Of a network with it: see attention_weights.
  template <class Visit>
  void attentions(const char* name, Visit& visit) const {
    detail::visit_heads(name, fed.axis, seeds, false, block.attention, visit);
  }

  /// The seeds' answers to a set one after the other, in one row.
  Node graph(Graph& g, const Node& x) const {
    const Node y = block.graph(g, g.weight(queries.weight), relu.graph(g, linear.graph(g, x)));
    std::vector<std::int64_t> dims(std::size_t(x.rank - 2), 0);
    dims.push_back(queries.count() * x.rows);
    return g.reshape(y, dims);
  }

 private:
  template <class Y>
  void check(const Read<S>& x, const char* what, const Y& y, ActivationsView<S> a) const {
    detail::expect_shape("PoolingByAttention", "x", x, fed.rows, a.columns(fed.axis));
    detail::expect_shape("PoolingByAttention", what, y, fed.rows, queries.count() * a.sequences(fed.axis).count());
  }
};

}  // namespace heed
