#pragma once
#include "heed/core/attention_weights.hpp"
#include "heed/detail/learned_queries.hpp"
#include "heed/layers/set_attention_block.hpp"

namespace heed {

/// Induced set attention (Lee et al. 2019, eq. 9-10): the tokens of a set attend to each other through m learned
/// inducing points, at the cost of n m scores in place of n^2.
///
///   ISAB_m(X) = MAB(X, H)    H = MAB(I, X)    MAB: see SetAttentionBlock
///
///   x, y: D x n, along the axis of its scope    I ("inducing_points"): m x D, Xavier uniform
///   H: D x (m sequences), along the axis `points`    MAB(I, X): "block1"    MAB(X, H): "block2"
///
/// When the tokens of a set change places, so do their answers, and nothing else changes.
template <class S>
class InducedSetAttention {
 public:
  struct Config {
    Index dim, heads;  ///< width, and into how many heads it is cut
    Index points;      ///< m
  };
  detail::LearnedQueries<S> queries;  ///< learned, the same for all
  Axis points;                        ///< a sibling of its own axis
  SetAttentionBlock<S> block1, block2;
  Columns<> h;

  InducedSetAttention(Scope at, Config c)
      : queries(at, "inducing_points", c.points, c.dim),
        points(queries.axis()),
        block1((at / "block1").along(points), at.axis(), {.dim = c.dim, .heads = c.heads}),
        block2(at / "block2", points, {.dim = c.dim, .heads = c.heads}),
        h(at.along(points).columns(c.dim)) {}

  void forward(ParametersView<const S> p, Read<S> x, Write<S> y, ActivationsView<S> a) const {
    check(x, "y", y, a);
    queries.forward(p, a);
    block1.forward(p, a[queries.queries], x, a[h], a);
    block2.forward(p, x, a[h], y, a);
  }

  // X is asked by the inducing points, and asks what they have gathered: dx has a part of each
  void backward(ParametersView<const S> p, Read<S> x, Read<S> dy, ActivationsView<S> a, ParametersView<S> g,
                Gradient<S> dx) const {
    check(x, "dy", dy, a);
    detail::expect_gradient("InducedSetAttention", "dx", dx, x.rows(), x.cols());
    block2.backward(p, x, a[h], dy, a, g, dx, a.d(h));
    block1.backward(p, a[queries.queries], x, a.d(h), a, g, a.d(queries.queries), dx.part(0, x.rows(), 0, x.cols()));
    queries.backward(a, g);
  }

  /// Of a network with it: see attention_weights. First the points ask the set, then its tokens ask the points.
  template <class Visit>
  void attentions(const std::string& name, Visit& visit) const {
    detail::visit_heads(name + ".block1", queries.sets, points, false, block1.attention, visit);
    detail::visit_heads(name + ".block2", points, queries.sets, false, block2.attention, visit);
  }

  Node graph(Graph& g, const Node& x) const { return block2.graph(g, x, block1.graph(g, g.weight(queries.weight), x)); }

 private:
  template <class Y>
  void check(const Read<S>& x, const char* what, const Y& y, ActivationsView<S> a) const {
    detail::expect_shape("InducedSetAttention", "x", x, h.rows, a.columns(queries.sets));
    detail::expect_shape("InducedSetAttention", what, y, h.rows, x.cols());
  }
};

}  // namespace heed
