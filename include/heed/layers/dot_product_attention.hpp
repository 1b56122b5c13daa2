#pragma once
#include "heed/core/activations.hpp"
#include "heed/core/graph.hpp"
#include "heed/core/memory.hpp"
#include "heed/core/scope.hpp"
#include "heed/detail/attention_heads.hpp"
#include "heed/detail/heads_beside.hpp"
#include "heed/detail/sequence_pairs.hpp"
#include "heed/detail/turned_heads.hpp"

namespace heed {

/// Scaled dot-product attention (Vaswani et al. 2017, eq. 1), its heads side by side.
///
///   Y = V softmax(K' Q / sqrt(E) + position + mask)    for each sequence and head, the softmax over keys
///
///   q: (heads E) x queries, along the axis of its scope    k: (key_heads E) x keys    v: (key_heads V) x keys, along `keys`
///   y: (heads V) x queries    Sequence i of the queries attends to sequence i of the keys.
///
/// It has weights only where its Config asks for some: "scale": 1, sqrt(E) at first, in place of 1 / sqrt(E)
/// "memory_keys": tokens x (key_heads E), "memory_values": tokens x (key_heads V), normal with deviation 1 / sqrt(E), 1 /
/// sqrt(V)    and those of the position. Masks and positions go by the places within the sequences. A query that sees no
/// key answers zero, with zero gradient. An axis that belongs to another (entities at a time step) is not remembered.
template <class S>
class DotProductAttention {
 public:
  using Config = AttentionConfig;
  Config config;  ///< as it was told
  Axis key_axis;
  Columns<> lse;                 ///< log-sum-exp of each query's scores, a row a head
  Columns<> turned_q, turned_k;  ///< queries and keys as they meet; empty where they meet as they come
  Remembered<> keys, values, places;
  Weight<1, 1> scale;
  Weight<> memory_keys, memory_values;
  detail::PositionTerms<S> terms;  ///< what positions add

  DotProductAttention(Scope at, Axis key_axis_, const Config& c)
      : config(detail::completed(c, at, key_axis_)),
        key_axis(key_axis_),
        lse(at.columns(config.heads)),
        terms(at, c.position, config.dim, config.heads),
        stream_(at.stream()) {
    const Scope along = at.along(key_axis);
    const double e = double(config.dim / config.heads), ev = double(config.value_dim / config.heads);
    if (turned(config.heads).active()) {
      turned_q = at.columns(config.dim);
      turned_k = along.columns(key_dim());
    }
    if (c.normalise) scale = at.weight<1>("scale", {1}, constant(std::sqrt(e)));
    if (const Index n = c.memory_tokens; n > 0) {
      memory_keys = at.weight<Dynamic, Dynamic>("memory_keys", {n, key_dim()}, normal(1 / std::sqrt(e)));
      memory_values = at.weight<Dynamic, Dynamic>("memory_values", {n, key_value_dim()}, normal(1 / std::sqrt(ev)));
    }
    if (!config.remembers) return;
    const Index lookback = key_axis == at.axis() ? c.mask.lookback() : unlimited;
    keys = along.remembered(key_dim(), lookback);
    values = along.remembered(key_value_dim(), lookback);
    if (in_space()) places = along.remembered(c.position.key_place.rows, lookback);
  }

  /// Features of the keys and of the values: as those of queries and answers, unless heads share them.
  Index key_dim() const { return config.dim / config.heads * config.key_heads; }
  /// Rows of the values, fewer where heads share them.
  Index key_value_dim() const { return config.value_dim / config.heads * config.key_heads; }

  void forward(ParametersView<const S> p, Read<S> q, Read<S> k, Read<S> v, Write<S> y,
               const ActivationsView<S>& a) const {
    const auto all = pairs(q, k, v, y, a);
    turn(
        p, q, k, a, [&](Index s) { return sight(all[s]).query_position; }, [](Index) { return Index(0); });
    const Index nearest = terms.tabulate(p, a, visit(all));
    all.each([&](detail::SequencePair s) {
      attend(p, from(s, q, k, v, a), y.middleCols(s.query, s.queries), a, sight(s), nearest, 0);
    });
  }

  // through the kernel for each part in sight, then back through the table and the turns. Those of dq, dk and dv that are added to
  // may lie where another does; all of them are to be, if they share a place, where queries and keys are turned or normalised.
  void backward(ParametersView<const S> p, Read<S> q, Read<S> k, Read<S> v, Read<S> y, Read<S> dy,
                const ActivationsView<S>& a, ParametersView<S> g, Gradient<S> dq, Gradient<S> dk,
                Gradient<S> dv) const {
    const auto all = pairs(q, k, v, y, a);
    detail::expect_shape("DotProductAttention", "dy", dy, config.value_dim, q.cols());
    detail::expect_gradient("DotProductAttention", "dq", dq, config.dim, q.cols());
    detail::expect_gradient("DotProductAttention", "dk", dk, key_dim(), k.cols());
    detail::expect_gradient("DotProductAttention", "dv", dv, key_value_dim(), v.cols());
    Gradient<S> to_q = turned_q ? Gradient<S>(a.d(turned_q)) : dq, to_k = turned_q ? Gradient<S>(a.d(turned_k)) : dk;
    if (terms.table) a.d(terms.table).setZero();
    const Index nearest = terms.range_of(visit(all)).begin;
    all.each([&](detail::SequencePair s) {
      attend_backward(p, from(s, q, k, v, a), to(s, to_q, to_k, dv, a), y.middleCols(s.query, s.queries),
                      dy.middleCols(s.query, s.queries), a, g, sight(s), nearest);
    });
    if (terms.table) terms.pos_proj.backward(p, a[terms.encodings], a.d(terms.table), g, no_gradient);
    if (turned_q) turn_backward(p, q, k, all, a, g, dq, dk);
  }

  /// Forward for new queries of each lane, over the keys it remembers and the new ones. Positions go on from what the
  /// lane has seen along each axis; a mask that looks ahead sees what has come so far.
  void extend(ParametersView<const S> p, Read<S> q, Read<S> k, Read<S> v, Write<S> y, const MemoryView<S>& m,
              const ActivationsView<S>& a) const {
    if (!config.remembers) detail::fail("DotProductAttention: it was made without memory and cannot be extended");
    const auto all = pairs(q, k, v, y, a);
    m.begin(lse.axis, a.sequences(lse.axis));
    m.begin(key_axis, a.sequences(key_axis));
    turn(
        p, q, k, a, [&](Index s) { return m.length(lse.axis, s); }, [&](Index s) { return m.length(key_axis, s); });
    const auto of_lane = [&](detail::SequencePair s) {
      return detail::sight_of_lane(config.mask, m, lse.axis, key_axis, s.sequence);
    };
    const Index nearest = terms.tabulate(p, a, [&](auto f) {
      all.each([&](detail::SequencePair s) { f(of_lane(s), s.queries, m(keys, s.sequence).cols()); });
    });
    all.each([&](detail::SequencePair s) {
      const Operands now = from(s, q, k, v, a);
      m.write(keys, s.sequence, now.k);
      m.write(values, s.sequence, now.v);
      if (in_space()) m.write(places, s.sequence, now.key_place);
      const Operands all_seen{s.sequence,
                              s.query,
                              now.q,
                              m(keys, s.sequence),
                              m(values, s.sequence),
                              now.query_place,
                              in_space() ? Read<S>(m(places, s.sequence)) : now.key_place};
      attend(p, all_seen, y.middleCols(s.query, s.queries), a, of_lane(s), nearest, all_seen.k.cols() - s.keys);
    });
  }

  /// The weights of one sequence and head after a forward, keys x queries: of the softmax, before any dropout. NaN after an
  /// `extend` whose first query saw remembered keys.
  void weights(ParametersView<const S> p, Read<S> q, Read<S> k, const ActivationsView<S>& a, Index sequence, Index head,
               Write<S> w) const {
    const detail::SequencePairs all("DotProductAttention", a.sequences(lse.axis), a.sequences(key_axis));
    const auto s = all[sequence];
    if (head < 0 || head >= config.heads)
      detail::fail("DotProductAttention: head %ld asked for, but there are %ld", long(head), long(config.heads));
    detail::expect_shape("DotProductAttention", "q", q, config.dim, all.queries());
    detail::expect_shape("DotProductAttention", "k", k, key_dim(), all.keys());
    detail::expect_shape("DotProductAttention", "weights", w, s.keys, s.queries);
    const Operands of = from(s, q, k, k, a);
    const Index nearest = terms.range_of(visit(all)).begin;
    w.setZero();
    each_part(sight(s), s.queries, s.keys, [&](detail::Every qs, detail::Every ks, const detail::Sight& in) {
      detail::each_attention_weight<S>(
          Heads{config, &terms, p, a, nullptr, of.part(qs, ks, in_space()), {}, in, qs, ks, nearest, random(a)}.score(
              head),
          in, qs.of(Write<S>(a[lse].middleCols(s.query, s.queries))).row(head), qs.count, ks.count,
          [&](Index i, Index j, S weight) { w(ks.first + ks.step * i, qs.first + qs.step * j) = weight; });
    });
  }

  /// q: [..., queries, dim]    k, v: [..., keys, key_dim() and key_value_dim()]
  Node graph(Graph& g, const Node& q, const Node& k, const Node& v) const {
    const auto zero = [&] { return g.constant(std::vector<std::int64_t>{0}, {}); };
    const Node from = config.queries_last ? g.subtract(g.length(k), g.length(q)) : zero();
    const Node q_at = detail::positions_of(g, from, g.add(from, g.length(q))), k_at = detail::positions_of(g, k);
    const auto shared = [&](const Node& x) { return detail::for_each_head(g, x, config.heads, config.key_heads); };
    const auto learned = [&](const Weight<>& w) {
      return shared(detail::split_heads(g, g.weight(w), config.key_heads));
    };
    Node of_q = turned(config.heads).graph(g, q, q_at);
    if (config.normalise) of_q = g.multiply(of_q, g.weight(scale));
    const Node of_k = shared(turned(config.key_heads).graph(g, k, k_at));
    const double factor = config.normalise ? 1 : 1 / std::sqrt(double(of_q.rows));

    const detail::GraphSight sight(g, config.mask, q_at, k_at);
    const Node scores = sight.of_scores(g, terms.graph(g, of_q, of_k, q_at, k_at, factor));
    // Memory tokens and the sink stand before the keys, since those are of no known number.
    std::vector<Node> all;
    if (memory_keys) all.push_back(g.multiply(g.matmul(of_q, g.transposed(learned(memory_keys))), factor));
    if (config.sink) all.push_back(g.multiply(g.part(of_q, 0, 1), 0));
    const Index before = config.memory_tokens + Index(config.sink);
    all.push_back(scores);
    const Node weights = g.softmax(before > 0 ? g.concat(all, -1, 0) : scores);
    const Node of_keys = before > 0 ? g.part(weights, before, unlimited - before) : weights;
    Node y = g.matmul(sight.of_weights(g, of_keys), shared(detail::split_heads(g, v, config.key_heads)));
    if (memory_keys) y = g.add(y, g.matmul(g.part(weights, 0, config.memory_tokens), learned(memory_values)));
    return detail::join_heads(g, y, config.heads);
  }

 private:
  using Operands = detail::AttentionOperands<S>;
  using Targets = detail::AttentionTargets<S>;
  using Heads = detail::AttentionHeads<S>;

  bool in_space() const { return config.position.kind == Position::Kind::distance; }
  detail::TurnedHeads turned(Index heads) const {
    return {heads, config.dim / config.heads, config.normalise, config.position};
  }
  detail::Sight sight(detail::SequencePair s) const {
    return {config.mask, config.queries_last ? s.keys - s.queries : 0};
  }
  auto visit(const detail::SequencePairs& all) const {
    return [this, &all](auto f) { all.each([&](detail::SequencePair s) { f(sight(s), s.queries, s.keys); }); };
  }
  Operands from(detail::SequencePair s, const Read<S>& q, const Read<S>& k, const Read<S>& v,
                const ActivationsView<S>& a) const {
    const auto keys_of = [&](const Read<S>& m) -> Read<S> { return m.middleCols(s.key, s.keys); };
    const auto queries_of = [&](const Read<S>& m) -> Read<S> { return m.middleCols(s.query, s.queries); };
    return {s.sequence,
            s.query,
            queries_of(turned_q ? Read<S>(a[turned_q]) : q),
            keys_of(turned_k ? Read<S>(a[turned_k]) : k),
            keys_of(v),
            queries_of(in_space() ? Read<S>(a[config.position.query_place]) : q),
            keys_of(in_space() ? Read<S>(a[config.position.key_place]) : k)};
  }
  /// Whether each gradient has a first tile, which can overwrite it: all is seen, and once.
  bool sees_all_once(detail::SequencePair s) const {
    const Mask& m = config.mask;
    const bool all = m.behind == unlimited && m.ahead == unlimited && m.stride == 0;
    return all && s.queries > 0 && s.keys > 0 && config.key_heads == config.heads && !memory_keys && !terms.table;
  }
  Targets to(detail::SequencePair s, Gradient<S>& q, Gradient<S>& k, Gradient<S>& v,
             const ActivationsView<S>& a) const {
    // One that is added to may lie where another does, and then both are cleared before any of them is touched.
    const bool over = sees_all_once(s) && !q.adds() && !k.adds() && !v.adds();
    const auto of = [&](Gradient<S>& m, Index i, Index n) { return over ? m.columns(i, n) : m.started(i, n); };
    Targets all{of(q, s.query, s.queries), of(k, s.key, s.keys), of(v, s.key, s.keys)};
    if (!in_space()) return all;
    const auto part = [](Gradient<S> m, Index first, Index n) { return m.part(0, m.rows(), first, n); };
    return {all.q, all.k, all.v, part(a.d(config.position.query_place), s.query, s.queries),
            part(a.d(config.position.key_place), s.key, s.keys)};
  }

  void turn(ParametersView<const S> p, const Read<S>& q, const Read<S>& k, const ActivationsView<S>& a,
            auto query_start, auto key_start) const {
    if (!turned_q) return;
    turned(config.heads)
        .forward(q, config.normalise ? p[scale](0) : S(1), a.sequences(lse.axis), query_start, Write<S>(a[turned_q]));
    turned(config.key_heads).forward(k, S(1), a.sequences(key_axis), key_start, Write<S>(a[turned_k]));
  }
  void turn_backward(ParametersView<const S> p, const Read<S>& q, const Read<S>& k, const detail::SequencePairs& all,
                     const ActivationsView<S>& a, ParametersView<S> g, const Gradient<S>& dq,
                     const Gradient<S>& dk) const {
    const S dscale = turned(config.heads)
                         .backward(
                             q, config.normalise ? p[scale](0) : S(1), a.sequences(lse.axis),
                             [&](Index s) { return sight(all[s]).query_position; }, Write<S>(a.d(turned_q)), dq);
    if (config.normalise) g[scale](0) += dscale;
    turned(config.key_heads)
        .backward(
            k, S(1), a.sequences(key_axis), [](Index) { return Index(0); }, Write<S>(a.d(turned_k)), dk);
  }

  Random random(const ActivationsView<S>& a) const { return {a.mode.seed, stream_}; }

  /// Visits the heads over the memory tokens, which have no positions, and those of each part in sight.
  template <class F>
  void each_heads(ParametersView<const S> p, const Operands& of, const Targets& d, const ActivationsView<S>& a,
                  const ParametersView<S>* g, const detail::Sight& whole, Index nearest, F&& f) const {
    if (memory_keys) {
      const detail::Every qs{0, of.q.cols(), 1}, ks{-memory_keys.rows, memory_keys.rows, 1};
      const auto added = [&](const Weight<>& w) -> Gradient<S> {
        if (!g) return no_gradient;
        return add_to((*g)[w].transpose());
      };
      Operands tokens{of.sequence, of.first_query, of.q, p[memory_keys].transpose(), p[memory_values].transpose(), of.q,
                      of.q};
      Targets to{qs.of(d.q), added(memory_keys), added(memory_values)};
      f(Heads{config, nullptr, p, a, g, tokens, to, {{}, whole.query_position}, qs, ks, nearest, random(a)});
    }
    each_part(whole, of.q.cols(), of.k.cols(), [&](detail::Every qs, detail::Every ks, const detail::Sight& in) {
      f(Heads{config, &terms, p, a, g, of.part(qs, ks, in_space()), d.part(qs, ks), in, qs, ks, nearest, random(a),
              whole});
    });
  }
  /// `remembered`: how many of the keys.
  void attend(ParametersView<const S> p, const Operands& of, Write<S> y, const ActivationsView<S>& a,
              const detail::Sight& whole, Index nearest, Index remembered) const {
    Write<S> lse_of = a[lse].middleCols(of.first_query, of.q.cols());
    const bool sees_past = remembered > whole.keys(0, 0, of.k.cols()).begin;
    // Only there: a way back goes by the tiles' sums, to the last bit.
    if (!sees_past || !detail::attend_beside<S>(config, a.mode.training, whole, of.q, of.k, of.v, y)) {
      bool fresh = !config.sink;
      if (config.sink) y.setZero(), lse_of.setZero();  // as after a key and value of zero (PyTorch's add_zero_attn)
      each_heads(p, of, {}, a, nullptr, whole, nearest, [&](Heads&& heads) {
        const detail::Every qs = heads.queries_in;
        detail::attention_forward<S>(heads, heads.sight, qs.of(y), qs.of(lse_of), std::exchange(fresh, false));
      });
    }
    // The weights of what is remembered cannot be asked for, and so those of the rest are unknown.
    if (sees_past) std::fill_n(lse_of.data(), lse_of.size(), std::numeric_limits<S>::quiet_NaN());
  }
  void attend_backward(ParametersView<const S> p, const Operands& of, const Targets& d, Read<S> y, Read<S> dy,
                       const ActivationsView<S>& a, ParametersView<S> g, const detail::Sight& whole,
                       Index nearest) const {
    const Index ev = config.value_dim / config.heads;
    const Write<S> lse_of = a[lse].middleCols(of.first_query, of.q.cols());
    each_heads(p, of, d, a, &g, whole, nearest, [&](Heads&& heads) {
      const detail::Every qs = heads.queries_in;
      for (Index h = 0; h < config.heads; ++h)
        detail::attention_backward<S>(heads.score(h), heads.sight, heads.values(h), qs.of(y).middleRows(h * ev, ev),
                                      qs.of(lse_of).row(h), qs.of(dy).middleRows(h * ev, ev), heads.values_gradient(h),
                                      heads.factor(h));
    });
  }

  template <class Y>
  detail::SequencePairs pairs(const Read<S>& q, const Read<S>& k, const Read<S>& v, const Y& y,
                              const ActivationsView<S>& a) const {
    const detail::SequencePairs all("DotProductAttention", a.sequences(lse.axis), a.sequences(key_axis));
    detail::expect_shape("DotProductAttention", "q", q, config.dim, all.queries());
    detail::expect_shape("DotProductAttention", "k", k, key_dim(), all.keys());
    detail::expect_shape("DotProductAttention", "v", v, key_value_dim(), all.keys());
    detail::expect_shape("DotProductAttention", "y", y, config.value_dim, all.queries());
    return all;
  }

  std::uint64_t stream_;
};

}  // namespace heed
