#pragma once
#include "heed/core/graph.hpp"
#include "heed/layers/additive_attention.hpp"
#include "heed/layers/dot_product_attention.hpp"

namespace heed {

/// How a Pointer scores an entity.
enum class PointerScore { dot, additive };

/// Points at one of the entities in sight: the scores of attention themselves, before any softmax, are the logits of a
/// Categorical over them (Vinyals et al. 2015, eq. 3).
///
///   dot:         u_i = (Wq q)' (Wk k_i) / sqrt(A)    (as Kool et al. 2019, eq. 7)
///   additive:    u_i = v' tanh(Wq q + Wk k_i)        (Vinyals et al. 2015, eq. 3)
///   clip C > 0:  C tanh(u_i) in place of u_i         (Kool et al. 2019, eq. 7)
///
///   q: Q x steps, along the axis of its scope    k: K x n and y: 1 x n, along `entities`: sequence i for step i
///   Wq ("query.weight"): A x Q    Wk ("key.weight"): A x K    v ("v"): A    each uniform in +-1 / sqrt(inputs)
///
/// `Categorical(y, a.sequences(entities), i)` is the distribution of step i, and its gradients are added to
/// `column_of(dy, a.sequences(entities), i)`. It remembers nothing: entities belong to their step, and who acts calls
/// `forward`.
template <class S>
class Pointer {
 public:
  struct Config {
    Index query_dim, key_dim;                ///< rows of queries and of keys
    Index width;                             ///< A
    PointerScore score = PointerScore::dot;  ///< how a query and an entity are compared
    double clip = 0;                         ///< C; 0: none
  };
  Linear<S> query, key;
  Weight<Dynamic, 1> v;       ///< empty where the score is a dot product
  S clip;                     ///< C; 0: none
  Columns<> projected_query;  ///< along its own axis
  Columns<> projected_key;    ///< along the entities

  Pointer(Scope at, Axis entities, Config c)
      : query(at / "query", c.query_dim, c.width, false),
        key(at / "key", c.key_dim, c.width, false),
        clip(S(c.clip)),
        projected_query(at.columns(c.width)),
        projected_key(at.along(entities).columns(c.width)) {
    if (!(c.clip >= 0 && std::isfinite(c.clip))) detail::fail("Pointer: clip %g is not in [0, inf)", c.clip);
    if (c.score == PointerScore::additive)
      v = at.weight<Dynamic>("v", {c.width}, uniform(1 / std::sqrt(double(c.width))));
  }

  void forward(ParametersView<const S> p, Read<S> q, Read<S> k, Write<S> y, ActivationsView<S> a) const {
    check(q, k, "y", y, a);
    query.forward(p, q, a[projected_query]);
    key.forward(p, k, a[projected_key]);
    Write<S, 1> u = y;
    each_tile(p, a, Vector(nullptr, 0), [&](auto score, Index first, Index n) {
      Eigen::Map<Tokens<S>> of(u.data() + first, n, 1);
      score.tile(0, 1, 0, n, of);
      of *= score.unscaled();
    });
    if (clip > 0) detail::tangent_in_place(u), u *= clip;
  }

  // y = C tanh(u), so du = (1 - (y / C)^2) C dy
  void backward(ParametersView<const S> p, Read<S> q, Read<S> k, Read<S> y, Read<S> dy, ActivationsView<S> a,
                ParametersView<S> g, Gradient<S> dq, Gradient<S> dk) const {
    check(q, k, "y", y, a);
    detail::expect_shape("Pointer", "dy", dy, 1, k.cols());
    detail::expect_gradient("Pointer", "dq", dq, query.in(), q.cols());
    detail::expect_gradient("Pointer", "dk", dk, key.in(), k.cols());
    a.d(projected_query).setZero();
    a.d(projected_key).setZero();
    each_tile(p, a, v ? g[v] : Vector(nullptr, 0), [&](auto score, Index first, Index n) {
      S slopes[detail::tile_keys];
      Eigen::Map<Tokens<S>> du(slopes, n, 1);
      for (Index i = 0; i < n; ++i)
        du(i, 0) = dy(0, first + i) * (clip > 0 ? clip - y(0, first + i) * y(0, first + i) / clip : S(1));
      du *= score.unscaled();
      score.backward(0, 1, 0, n, du);
    });
    query.backward(p, q, a.d(projected_query), g, dq);
    key.backward(p, k, a.d(projected_key), g, dk);
  }

  Node graph(Graph& g, const Node& q, const Node& k) const {
    const Node of_q = query.graph(g, q), of_k = key.graph(g, k);
    Node u;
    if (v)
      u = g.matmul(g.op("Tanh", {g.add(g.unsqueeze(of_q, {-2}), of_k)}, v.rows), g.reshape(g.weight(v), {v.rows, 1}));
    else
      u = g.multiply(g.matmul(of_k, g.unsqueeze(of_q, {-1})), 1 / std::sqrt(double(of_q.rows)));
    u.rows = 1;
    return clip > 0 ? g.multiply(g.op("Tanh", {u}, 1), double(clip)) : u;
  }

 private:
  using Vector = Eigen::Map<Eigen::Matrix<S, Dynamic, 1>>;

  /// f(score, first, n) for the entities of each step, a tile of them at a time.
  template <class F>
  void each_tile(ParametersView<const S> p, ActivationsView<S> a, Vector dv, F&& f) const {
    const SequencesView of = a.sequences(projected_key.axis);
    for (Index step = 0; step < of.count(); ++step)
      detail::each_key_tile({of.first(step), of.first(step) + of.length(step)}, [&](Index first, Index n) {
        const Read<S> q = a[projected_query].middleCols(step, 1), k = a[projected_key].middleCols(first, n);
        const Gradient<S> dq = add_to(a.d(projected_query).middleCols(step, 1));
        const Gradient<S> dk = add_to(a.d(projected_key).middleCols(first, n));
        if (v)
          f(detail::AdditiveScore<S>{q, k, p[v], dq, dk, dv}, first, n);
        else
          f(detail::DotProductScore<S>(q, k, dq, dk), first, n);
      });
  }
  template <class Y>
  void check(const Read<S>& q, const Read<S>& k, const char* what, const Y& y, ActivationsView<S> a) const {
    const SequencesView of = a.sequences(projected_key.axis);
    detail::expect_shape("Pointer", "q", q, query.in(), a.columns(projected_query.axis));
    if (of.count() != q.cols()) [[unlikely]]
      detail::fail("Pointer: %ld queries, but %ld sequences of entities", long(q.cols()), long(of.count()));
    detail::expect_shape("Pointer", "k", k, key.in(), of.columns());
    detail::expect_shape("Pointer", what, y, 1, of.columns());
  }
};

}  // namespace heed
