#pragma once
#include <limits>

#include "heed/core/activations.hpp"
#include "heed/core/graph.hpp"
#include "heed/core/masks.hpp"
#include "heed/core/memory.hpp"
#include "heed/core/scope.hpp"
#include "heed/detail/elementwise.hpp"
#include "heed/detail/running_products.hpp"
#include "heed/detail/sequence_pairs.hpp"

namespace heed {

/// Linear attention (Katharopoulos et al. 2020, eq. 4, 5 and 7; sec. 3.3), its heads side by side; it has no weights.
///
///   y_j = sum_i v_i (phi(k_i) . phi(q_j)) / sum_i phi(k_i) . phi(q_j),    phi(x) = elu(x) + 1    in each head
///
///   q: (heads E) x queries, along the axis of its scope    k: (heads E) x keys    v: (heads V) x keys, along `keys`
///   y: (heads V) x queries    Sequence i of the queries attends to sequence i of the keys.
///
/// The sums go over all keys (Full) or, of keys along the axis of the queries, over those up to j (Causal). Time is
/// linear in the number of tokens, and a lane of a memory holds sums of E (V + 1) numbers a head, however much it has
/// seen. A query that sees no key, or only keys whose products vanish in S, answers zero, with zero gradient. Keys
/// along an axis that belongs to another (entities at a time step) are not remembered.
template <class S>
class LinearAttention {
 public:
  struct Config {
    Index dim = 0;        ///< heads E
    Index value_dim = 0;  ///< heads V; 0: dim
    Index heads = 1;      ///< how many; each looks by itself
    Mask mask = Full();   ///< which keys a query sees
  };
  Index dim, value_dim, heads;  ///< heads E, heads V and heads
  bool causal;                  ///< whether a query sees the keys up to its own alone
  Axis key_axis;
  Columns<> of_query, sums;    ///< phi(q); above the line of the formula and, a row more a head, below it
  Columns<> of_key, of_value;  ///< phi(k); v and, a row more a head, 1
  State<> past;                ///< of each head the sum of [v; 1] phi(k)'

  LinearAttention(Scope at, Axis key_axis_, Config c)
      : LinearAttention{at, key_axis_, checked(c, at.axis() == key_axis_), at.along(key_axis_)} {}

  void forward(Read<S> q, Read<S> k, Read<S> v, Write<S> y, ActivationsView<S> a) const {
    const auto all = pairs(q, k, v, y, a);
    begin(q, k, v, a);
    each_sum(all, a[of_value], a[of_key], a[of_query], a[sums], causal ? detail::Reach::before : detail::Reach::all);
    divide(y, a);
  }

  // y = n / s, with n and s in `sums`    dn = dy / s    ds = -dy . y / s
  // dphi(q_j) = sum_i phi(k_i) ([v_i; 1] . [dn_j; ds_j])    dphi(k_i) = sum_j phi(q_j) ([dn_j; ds_j] . [v_i; 1])
  // dv_i = sum_j dn_j (phi(q_j) . phi(k_i))    phi'(x) = min(phi(x), 1)
  void backward(Read<S> q, Read<S> k, Read<S> v, Read<S> y, Read<S> dy, ActivationsView<S> a, Gradient<S> dq,
                Gradient<S> dk, Gradient<S> dv) const {
    const auto all = pairs(q, k, v, y, a);
    detail::expect_shape("LinearAttention", "dy", dy, value_dim, q.cols());
    detail::expect_gradient("LinearAttention", "dq", dq, dim, q.cols());
    detail::expect_gradient("LinearAttention", "dk", dk, dim, k.cols());
    detail::expect_gradient("LinearAttention", "dv", dv, value_dim, k.cols());
    const auto before = causal ? detail::Reach::before : detail::Reach::all;
    const auto after = causal ? detail::Reach::after : detail::Reach::all;
    divide_backward(y, dy, a);
    if (dq.wanted()) {
      each_sum(all, a[of_key], a[of_value], a.d(sums), a.d(of_query), before);
      dq.put(0, a.d(of_query).cwiseProduct(a[of_query].cwiseMin(S(1))));
    }
    if (dk.wanted()) {
      each_sum(all, a[of_query], a.d(sums), a[of_value], a.d(of_key), after, true);
      dk.put(0, a.d(of_key).cwiseProduct(a[of_key].cwiseMin(S(1))));
    }
    if (!dv.wanted()) return;
    each_sum(all, a.d(sums), a[of_query], a[of_key], a.d(of_value), after, true);
    dv.start();
    const Index e = value_dim / heads;
    for (Index h = 0; h < heads; ++h) dv.part(h * e, e, 0, v.cols()) += a.d(of_value).middleRows(h * (e + 1), e);
  }

  /// Forward for new queries and keys of each lane. All keys that have come so far are in sight, with a causal mask
  /// those up to the query.
  void extend(Read<S> q, Read<S> k, Read<S> v, Write<S> y, MemoryView<S> m, ActivationsView<S> a) const {
    if (past.rows == 0) detail::fail("LinearAttention: keys along an axis that belongs to another are not remembered");
    const auto all = pairs(q, k, v, y, a);
    m.begin(sums.axis, a.sequences(sums.axis));
    m.begin(key_axis, a.sequences(key_axis));
    begin(q, k, v, a);
    a[sums].setZero();
    const Index e = dim / heads, above = value_dim / heads + 1;
    auto next = m.next(past);
    next = m[past];
    all.each([&](detail::SequencePair lane) {
      for (Index h = 0; h < heads; ++h)
        detail::running_products<S>(causal ? detail::Reach::before : detail::Reach::all,
                                    a[of_value].block(h * above, lane.key, above, lane.keys),
                                    a[of_key].block(h * e, lane.key, e, lane.keys),
                                    a[of_query].block(h * e, lane.query, e, lane.queries),
                                    a[sums].block(h * above, lane.query, above, lane.queries),
                                    Eigen::Map<Tokens<S>>(next.col(lane.sequence).data() + h * above * e, above, e));
    });
    divide(y, a);
  }

  /// The weights of one sequence and head after a forward, keys x queries.
  void weights(Read<S> q, Read<S> k, ActivationsView<S> a, Index sequence, Index head, Write<S> w) const {
    const detail::SequencePairs all("LinearAttention", a.sequences(sums.axis), a.sequences(key_axis));
    const auto s = all[sequence];
    if (head < 0 || head >= heads)
      detail::fail("LinearAttention: head %ld asked for, but there are %ld", long(head), long(heads));
    detail::expect_shape("LinearAttention", "q", q, dim, all.queries());
    detail::expect_shape("LinearAttention", "k", k, dim, all.keys());
    detail::expect_shape("LinearAttention", "weights", w, s.keys, s.queries);
    const Index e = dim / heads, above = value_dim / heads + 1;
    detail::multiply(w, a[of_key].block(head * e, s.key, e, s.keys).transpose(),
                     a[of_query].block(head * e, s.query, e, s.queries));
    for (Index j = 0; j < s.queries; ++j) {
      const Index seen = causal ? j + 1 : s.keys;
      w.col(j).tail(s.keys - seen).setZero();
      w.col(j) *= inverse(a[sums](head * above + above - 1, s.query + j));
    }
  }

  template <class... Nodes>
  Node graph(Graph& g, const Nodes&...) const {
    return g.unsupported("LinearAttention");
  }

 private:
  LinearAttention(Scope at, Axis key_axis_, Config c, Scope at_keys)
      : dim(c.dim),
        value_dim(c.value_dim),
        heads(c.heads),
        causal(c.mask.ahead == 0),
        key_axis(key_axis_),
        of_query(at.columns(dim)),
        sums(at.columns(value_dim + heads)),
        of_key(at_keys.columns(dim)),
        of_value(at_keys.columns(value_dim + heads)),
        past(at_keys.nested() ? State<>{} : at.state((value_dim / heads + 1) * dim)) {}

  static Config checked(Config c, bool own_keys) {
    if (c.value_dim == 0) c.value_dim = c.dim;
    if (c.heads < 1 || c.dim < 1 || c.dim % c.heads != 0 || c.value_dim < 1 || c.value_dim % c.heads != 0)
      detail::fail("LinearAttention: dim %ld and value dim %ld must be multiples of heads %ld", long(c.dim),
                   long(c.value_dim), long(c.heads));
    const bool all_before = c.mask.behind == unlimited && c.mask.stride == 0;
    if (!all_before || (c.mask.ahead != 0 && c.mask.ahead != unlimited))
      detail::fail("LinearAttention: its mask must be Full or Causal, since it forgets no key");
    if (c.mask.ahead == 0 && !own_keys)
      detail::fail("LinearAttention: a Causal mask needs keys along the axis of the queries");
    return c;
  }
  /// 1 / s, where anything is in sight. Below this bound gradients would overflow.
  static S inverse(S s) {
    return s >= std::numeric_limits<S>::min() / std::numeric_limits<S>::epsilon() ? 1 / s : S(0);
  }
  static void features(const Read<S>& x, Write<S> y) {
    using R = detail::Register<S>;
    detail::elementwise(
        y, false, [](const R& xi) -> R { return max(xi, S(0)) + detail::exponential<S>(min(xi, S(0))); }, x);
  }
  void begin(const Read<S>& q, const Read<S>& k, const Read<S>& v, ActivationsView<S> a) const {
    features(q, a[of_query]);
    features(k, a[of_key]);
    const Index e = value_dim / heads;
    for (Index h = 0; h < heads; ++h) {
      a[of_value].middleRows(h * (e + 1), e) = v.middleRows(h * e, e);
      a[of_value].row(h * (e + 1) + e).setOnes();
    }
  }
  /// o_j = sum over i of x_i (b_i . a_j), each sequence and head; x and b lie along one axis, a and o along one.
  void each_sum(const detail::SequencePairs& all, Read<S> x, Read<S> b, Read<S> a, Write<S> o, detail::Reach reach,
                bool to_keys = false) const {
    const Index nx = x.rows() / heads, nb = b.rows() / heads;
    all.each([&](detail::SequencePair s) {
      if (to_keys) std::swap(s.query, s.key), std::swap(s.queries, s.keys);
      for (Index h = 0; h < heads; ++h)
        detail::running_products<S>(reach, x.block(h * nx, s.key, nx, s.keys), b.block(h * nb, s.key, nb, s.keys),
                                    a.block(h * nb, s.query, nb, s.queries), o.block(h * nx, s.query, nx, s.queries));
    });
  }
  void divide(Write<S>& y, ActivationsView<S> a) const {
    const auto above = a[sums];
    const Index e = value_dim / heads;
    for (Index j = 0; j < y.cols(); ++j)
      for (Index h = 0; h < heads; ++h)
        y.col(j).segment(h * e, e) = above.col(j).segment(h * (e + 1), e) * inverse(above(h * (e + 1) + e, j));
  }
  void divide_backward(const Read<S>& y, const Read<S>& dy, ActivationsView<S> a) const {
    const Index e = value_dim / heads;
    auto slope = a.d(sums);
    for (Index j = 0; j < y.cols(); ++j)
      for (Index h = 0; h < heads; ++h) {
        const auto out = dy.col(j).segment(h * e, e);
        const S over = inverse(a[sums](h * (e + 1) + e, j));
        slope.col(j).segment(h * (e + 1), e) = out * over;
        slope(h * (e + 1) + e, j) = -out.dot(y.col(j).segment(h * e, e)) * over;
      }
  }
  template <class Y>
  detail::SequencePairs pairs(const Read<S>& q, const Read<S>& k, const Read<S>& v, const Y& y,
                              ActivationsView<S> a) const {
    const detail::SequencePairs all("LinearAttention", a.sequences(sums.axis), a.sequences(key_axis));
    detail::expect_shape("LinearAttention", "q", q, dim, all.queries());
    detail::expect_shape("LinearAttention", "k", k, dim, all.keys());
    detail::expect_shape("LinearAttention", "v", v, value_dim, all.keys());
    detail::expect_shape("LinearAttention", "y", y, value_dim, all.queries());
    return all;
  }
};

}  // namespace heed
