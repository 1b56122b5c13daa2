#pragma once
#include "heed/core/activations.hpp"
#include "heed/core/memory.hpp"
#include "heed/detail/additive_scores.hpp"
#include "heed/detail/attention.hpp"
#include "heed/detail/graph_attention.hpp"
#include "heed/detail/sequence_pairs.hpp"
#include "heed/layers/linear.hpp"

namespace heed {

namespace detail {

/// score(i, j) = v' tanh(q_j + k_i), with q = W query and k = U key projected before.
template <class S>
struct AdditiveScore {
  using Vector = Eigen::Matrix<S, Dynamic, 1>;
  Read<S> q, k;
  Eigen::Map<const Vector> v;
  Gradient<S> dq = no_gradient, dk = no_gradient;
  Eigen::Map<Vector> dv = Eigen::Map<Vector>(nullptr, 0);

  static S unscaled() { return 1; }
  template <class M>
  void tile(Index q0, Index nq, Index k0, Index nk, M&& s) const {
    S scores[tile_keys];
    for (Index j = 0; j < nq; ++j) {
      additive_scores(v.size(), nk, v.data(), scores, u_of(q0 + j, k0));
      for (Index i = 0; i < nk; ++i) s(i, j) = scores[i];
    }
  }
  // dq_j += the sum of du_i, dk_i += du_i
  template <class M>
  void backward(Index q0, Index nq, Index k0, Index nk, M&& ds) {
    S slopes[tile_keys];
    for (Index j = 0; j < nq; ++j) {
      for (Index i = 0; i < nk; ++i) slopes[i] = ds(i, j);
      additive_scores_backward(
          v.size(), nk, v.data(), slopes, dv.data(), dq.col(q0 + j).data(), u_of(q0 + j, k0),
          [of_keys = dk.col(k0).data(), stride = dk.outerStride()](Index r, Index i, Index count, auto du) {
            S* to = of_keys + r + i * stride;
            store(to, ColumnsAt<S>{to, 0}(0, 0, count) + du, count);
          });
    }
  }

 private:
  /// tanh(q_j + k_i), keys counted from k0 on.
  auto u_of(Index query, Index k0) const {
    const ColumnsAt<S> of_query{q.col(query).data(), 0}, of_keys{k.col(k0).data(), k.outerStride()};
    return [=](Index r, Index i, Index count) { return tangent<S>(of_query(r, 0, count) + of_keys(r, i, count)); };
  }
};

}  // namespace detail

/// Additive attention with a query (Bahdanau et al. 2015, sec. 3.1 and A.1.2).
///
///   e_ij = v' tanh(W q_j + U k_i)    a_j = softmax(e_j) over the keys of the sequence    y_j = sum_i a_ij k_i
///
///   q: Q x queries, along the axis of its scope    k: K x keys, along `keys`    y: K x queries
///   W ("query.weight"): A x Q    U ("key.weight"): A x K    v ("v"): A    each uniform in +-1 / sqrt(inputs)
///
/// Sequence i of the queries attends to sequence i of the keys; a query that sees no key answers zero.
template <class S>
class AdditiveAttention {
 public:
  struct Config {
    Index query_dim, key_dim;  ///< rows of queries and of keys
    Index width;               ///< A, of the alignment model
    Mask mask = Full();        ///< which keys a query sees
  };
  Linear<S> query, key;
  Weight<Dynamic, 1> v;
  Mask mask;  ///< which keys a query sees
  Axis key_axis;
  Columns<> projected_query, lse;  ///< along its own axis
  Columns<> projected_key;         ///< along the keys
  Remembered<> past_projected, past_keys;

  AdditiveAttention(Scope at, Axis key_axis_, Config c)
      : query(at / "query", c.query_dim, c.width, false),
        key(at / "key", c.key_dim, c.width, false),
        v(at.weight<Dynamic>("v", {c.width}, uniform(1 / std::sqrt(double(std::max(c.width, Index(1))))))),
        mask(interval(c.mask)),
        key_axis(key_axis_),
        projected_query(at.columns(c.width)),
        lse(at.columns(1)),
        projected_key(at.along(key_axis_).columns(c.width)) {
    if (at.along(key_axis).nested()) return;  // keys that belong to a time step are not remembered
    const Index lookback = key_axis == at.axis() ? mask.lookback() : unlimited;
    past_projected = at.along(key_axis).template remembered<>(c.width, lookback);
    past_keys = at.along(key_axis).template remembered<>(c.key_dim, lookback);
  }

  void forward(ParametersView<const S> p, Read<S> q, Read<S> k, Write<S> y, ActivationsView<S> a) const {
    project(p, q, k, y, a).each([&](detail::SequencePair s) {
      attend(p, a, s, a[projected_key].middleCols(s.key, s.keys), {mask}, k.middleCols(s.key, s.keys), y);
    });
  }

  // dk gets a part as the value that is averaged, and a part through the alignment
  void backward(ParametersView<const S> p, Read<S> q, Read<S> k, Read<S> y, Read<S> dy, ActivationsView<S> a,
                ParametersView<S> g, Gradient<S> dq, Gradient<S> dk) const {
    const auto all = pairs(q, k, y, a);
    detail::expect_shape("AdditiveAttention", "dy", dy, key.in(), q.cols());
    detail::expect_gradient("AdditiveAttention", "dq", dq, query.in(), q.cols());
    detail::expect_gradient("AdditiveAttention", "dk", dk, key.in(), k.cols());
    a.d(projected_query).setZero();
    a.d(projected_key).setZero();
    dk.start();
    all.each([&](detail::SequencePair s) {
      const detail::AdditiveScore<S> of_pair{
          a[projected_query].middleCols(s.query, s.queries),   a[projected_key].middleCols(s.key, s.keys),   p[v],
          a.d(projected_query).middleCols(s.query, s.queries), a.d(projected_key).middleCols(s.key, s.keys), g[v]};
      detail::attention_backward<S>(of_pair, {mask}, k.middleCols(s.key, s.keys), y.middleCols(s.query, s.queries),
                                    lse_of(a, s), dy.middleCols(s.query, s.queries),
                                    dk.part(0, dk.rows(), s.key, s.keys));
    });
    query.backward(p, q, a.d(projected_query), g, dq);
    key.backward(p, k, a.d(projected_key), g, dk.part(0, dk.rows(), 0, dk.cols()));
  }

  /// Forward for new queries and new keys of each lane (none, where the keys stay as they are).
  void extend(ParametersView<const S> p, Read<S> q, Read<S> k, Write<S> y, MemoryView<S> m,
              ActivationsView<S> a) const {
    if (past_keys.rows == 0) detail::fail("AdditiveAttention: keys that belong to another axis are not remembered");
    const auto all = project(p, q, k, y, a);
    m.begin(lse.axis, a.sequences(lse.axis));
    m.begin(key_axis, a.sequences(key_axis));
    all.each([&](detail::SequencePair lane) {
      m.write(past_projected, lane.sequence, a[projected_key].middleCols(lane.key, lane.keys));
      m.write(past_keys, lane.sequence, k.middleCols(lane.key, lane.keys));
      attend(p, a, lane, m(past_projected, lane.sequence),
             detail::sight_of_lane(mask, m, lse.axis, key_axis, lane.sequence), m(past_keys, lane.sequence), y);
    });
  }

  /// The attention weights of one sequence after a forward, keys x queries.
  void weights(ParametersView<const S> p, ActivationsView<S> a, Index sequence, Write<S> w) const {
    const auto s = detail::SequencePairs("AdditiveAttention", a.sequences(lse.axis), a.sequences(key_axis))[sequence];
    detail::expect_shape("AdditiveAttention", "weights", w, s.keys, s.queries);
    detail::attention_weights<S>(score(p, a, s, a[projected_key].middleCols(s.key, s.keys)), {mask}, lse_of(a, s), w);
  }

  Node graph(Graph& g, const Node& q, const Node& k) const {
    const Node of_q = g.unsqueeze(query.graph(g, q), {-2}), of_k = g.unsqueeze(key.graph(g, k), {-3});
    const Node u = g.op("Tanh", {g.add(of_q, of_k)}, v.rows);
    const Node scores = g.squeeze(g.matmul(u, g.reshape(g.weight(v), {v.rows, 1})), -1);
    const detail::GraphSight sight(g, mask, detail::positions_of(g, q), detail::positions_of(g, k));
    return g.matmul(sight.softmax(g, scores), k);
  }

 private:
  void attend(ParametersView<const S> p, ActivationsView<S> a, detail::SequencePair s, Read<S> projected,
              const detail::Sight& sight, Read<S> k, Write<S> y) const {
    detail::attention_forward<S>(score(p, a, s, projected), sight, k, y.middleCols(s.query, s.queries), lse_of(a, s));
  }
  auto score(ParametersView<const S> p, ActivationsView<S> a, detail::SequencePair s, Read<S> keys) const {
    return detail::AdditiveScore<S>{a[projected_query].middleCols(s.query, s.queries), keys, p[v]};
  }
  auto lse_of(ActivationsView<S> a, detail::SequencePair s) const { return a[lse].row(0).segment(s.query, s.queries); }
  detail::SequencePairs project(ParametersView<const S> p, const Read<S>& q, const Read<S>& k, const Write<S>& y,
                                ActivationsView<S> a) const {
    const auto all = pairs(q, k, y, a);
    query.forward(p, q, a[projected_query]);
    key.forward(p, k, a[projected_key]);
    return all;
  }
  static Mask interval(const Mask& mask) {
    if (mask.stride > 0) detail::fail("AdditiveAttention: a mask with a stride (%ld) is not for it", long(mask.stride));
    return mask;
  }
  template <class Y>
  detail::SequencePairs pairs(const Read<S>& q, const Read<S>& k, const Y& y, ActivationsView<S> a) const {
    const detail::SequencePairs all("AdditiveAttention", a.sequences(lse.axis), a.sequences(key_axis));
    detail::expect_shape("AdditiveAttention", "q", q, query.in(), all.queries());
    detail::expect_shape("AdditiveAttention", "k", k, key.in(), all.keys());
    detail::expect_shape("AdditiveAttention", "y", y, key.in(), all.queries());
    return all;
  }
};

}  // namespace heed
