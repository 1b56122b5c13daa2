#pragma once
#include <cmath>

#include "heed/core/activations.hpp"
#include "heed/core/memory.hpp"
#include "heed/core/scope.hpp"
#include "heed/detail/attention.hpp"
#include "heed/detail/sequence_pairs.hpp"

namespace heed {

namespace detail {

/// score(i, j) = k_i . q_j / sqrt(E)
template <class S>
struct DotProductScore {
  Read<S> q, k;
  Gradient<S> dq, dk;
  S scale;

  DotProductScore(Read<S> q_, Read<S> k_, Gradient<S> dq_ = no_gradient, Gradient<S> dk_ = no_gradient)
      : q(q_), k(k_), dq(dq_), dk(dk_), scale(1 / std::sqrt(S(q_.rows()))) {}

  void tile(Index q0, Index nq, Index k0, Index nk, Write<S> s) const {
    multiply(s, k.middleCols(k0, nk).transpose(), q.middleCols(q0, nq));
    s *= scale;
  }
  // dQ += K dA / sqrt(E)    dK += Q dA' / sqrt(E)
  void backward(Index q0, Index nq, Index k0, Index nk, Write<S> ds) {
    ds *= scale;
    if (dq.wanted()) multiply(dq.middleCols(q0, nq), k.middleCols(k0, nk), ds, true);
    if (dk.wanted()) multiply(dk.middleCols(k0, nk), q.middleCols(q0, nq), ds.transpose(), true);
  }
};

}  // namespace detail

/// Scaled dot-product attention (Vaswani et al. 2017, eq. 1), its heads side by side; it has no weights.
///
///   Y = V softmax(K' Q / sqrt(E) + mask)    for each sequence and head, the softmax over keys
///
///   q: (heads E) x queries, along the axis of its scope    k: (heads E) x keys    v: (heads V) x keys, along `keys`
///   y: (heads V) x queries    Sequence i of the queries attends to sequence i of the keys.
///
/// Masks go by positions within the sequences. A query that sees no key answers zero, with zero gradient.
template <class S>
class DotProductAttention {
 public:
  Index dim, value_dim, heads;
  Mask mask;
  Axis key_axis;
  Columns<> lse;  // log-sum-exp of each query's scores, a row a head
  Remembered<> keys, values;

  /// dim: heads E; value_dim: heads V.
  DotProductAttention(Scope at, Axis key_axis_, Index dim_, Index value_dim_, Index heads_ = 1, Mask mask_ = Full())
      : dim(dim_),
        value_dim(value_dim_),
        heads(checked(dim_, value_dim_, heads_)),
        mask(mask_),
        key_axis(key_axis_),
        lse(at.columns(heads_)) {
    const Index lookback = key_axis == at.axis() ? mask.lookback() : unlimited;
    keys = at.along(key_axis).template remembered<>(dim, lookback);
    values = at.along(key_axis).template remembered<>(value_dim, lookback);
  }

  void forward(Read<S> q, Read<S> k, Read<S> v, Write<S> y, ActivationsView<S> a) const {
    pairs(q, k, v, y, a).each([&](detail::SequencePair s) {
      heads_forward(q.middleCols(s.query, s.queries), k.middleCols(s.key, s.keys), v.middleCols(s.key, s.keys),
                    y.middleCols(s.query, s.queries), a[lse].middleCols(s.query, s.queries), {mask});
    });
  }

  void backward(Read<S> q, Read<S> k, Read<S> v, Read<S> y, Read<S> dy, ActivationsView<S> a, Gradient<S> dq,
                Gradient<S> dk, Gradient<S> dv) const {
    const auto all = pairs(q, k, v, y, a);
    detail::expect_shape("DotProductAttention", "dy", dy, value_dim, q.cols());
    detail::expect_gradient("DotProductAttention", "dq", dq, dim, q.cols());
    detail::expect_gradient("DotProductAttention", "dk", dk, dim, k.cols());
    detail::expect_gradient("DotProductAttention", "dv", dv, value_dim, k.cols());
    dq.start(), dk.start(), dv.start();
    const Index e = dim / heads, ev = value_dim / heads;
    all.each([&](detail::SequencePair s) {
      for (Index h = 0; h < heads; ++h) {
        const detail::DotProductScore<S> score(q.block(h * e, s.query, e, s.queries), k.block(h * e, s.key, e, s.keys),
                                               dq.part(h * e, e, s.query, s.queries), dk.part(h * e, e, s.key, s.keys));
        detail::attention_backward<S>(score, {mask}, v.block(h * ev, s.key, ev, s.keys),
                                      y.block(h * ev, s.query, ev, s.queries),
                                      a[lse].row(h).segment(s.query, s.queries),
                                      dy.block(h * ev, s.query, ev, s.queries), dv.part(h * ev, ev, s.key, s.keys));
      }
    });
  }

  /// Forward for new queries of each lane, over the keys it remembers and the new ones. Positions go on from what the
  /// lane has seen along each axis; a mask that looks ahead sees what has come so far.
  void extend(Read<S> q, Read<S> k, Read<S> v, Write<S> y, MemoryView<S> m, ActivationsView<S> a) const {
    const auto all = pairs(q, k, v, y, a);
    m.begin(lse.axis, a.sequences(lse.axis));
    m.begin(key_axis, a.sequences(key_axis));
    all.each([&](detail::SequencePair lane) {
      m.write(keys, lane.sequence, k.middleCols(lane.key, lane.keys));
      m.write(values, lane.sequence, v.middleCols(lane.key, lane.keys));
      heads_forward(q.middleCols(lane.query, lane.queries), m(keys, lane.sequence), m(values, lane.sequence),
                    y.middleCols(lane.query, lane.queries), a[lse].middleCols(lane.query, lane.queries),
                    detail::sight_of_lane(mask, m, lse.axis, key_axis, lane.sequence));
    });
  }

  /// The weights of one sequence and head after a forward, keys x queries.
  void weights(Read<S> q, Read<S> k, ActivationsView<S> a, Index sequence, Index head, Write<S> w) const {
    const auto s = detail::SequencePairs("DotProductAttention", a.sequences(lse.axis), a.sequences(key_axis))[sequence];
    if (head < 0 || head >= heads)
      detail::fail("DotProductAttention: head %ld asked for, but there are %ld", long(head), long(heads));
    detail::expect_shape("DotProductAttention", "weights", w, s.keys, s.queries);
    const Index e = dim / heads;
    const detail::DotProductScore<S> score(q.block(head * e, s.query, e, s.queries),
                                           k.block(head * e, s.key, e, s.keys));
    detail::attention_weights<S>(score, {mask}, a[lse].row(head).segment(s.query, s.queries), w);
  }

 private:
  static Index checked(Index dim, Index value_dim, Index heads) {
    if (heads < 1 || dim % heads != 0 || value_dim % heads != 0)
      detail::fail("DotProductAttention: dim %ld and value dim %ld must be multiples of heads %ld", long(dim),
                   long(value_dim), long(heads));
    return heads;
  }
  void heads_forward(Read<S> q, Read<S> k, Read<S> v, Write<S> y, Write<S> of_lse, detail::Sight sight) const {
    const Index e = dim / heads, ev = value_dim / heads;
    for (Index h = 0; h < heads; ++h)
      detail::attention_forward<S>(detail::DotProductScore<S>(q.middleRows(h * e, e), k.middleRows(h * e, e)), sight,
                                   v.middleRows(h * ev, ev), y.middleRows(h * ev, ev), of_lse.row(h));
  }
  template <class Y>
  detail::SequencePairs pairs(const Read<S>& q, const Read<S>& k, const Read<S>& v, const Y& y,
                              ActivationsView<S> a) const {
    const detail::SequencePairs all("DotProductAttention", a.sequences(lse.axis), a.sequences(key_axis));
    detail::expect_shape("DotProductAttention", "q", q, dim, all.queries());
    detail::expect_shape("DotProductAttention", "k", k, dim, all.keys());
    detail::expect_shape("DotProductAttention", "v", v, value_dim, all.keys());
    detail::expect_shape("DotProductAttention", "y", y, value_dim, all.queries());
    return all;
  }
};

}  // namespace heed
