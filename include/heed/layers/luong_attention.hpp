#pragma once
#include "heed/core/graph.hpp"
#include "heed/detail/dot_product_score.hpp"
#include "heed/detail/sequence_pairs.hpp"
#include "heed/layers/additive_attention.hpp"

namespace heed {

namespace detail {

/// exp(-(s - center)^2 / (2 sigma^2)) for the keys s of one query.
template <class S>
struct GaussianFactor {
  bool on;
  S center, sigma;
  S* dcenter = nullptr;

  bool active() const { return on; }
  template <class M>
  void apply(Index, Index, Index k0, Index nk, M&& w) const {
    if (!on) return;
    Eigen::Array<S, Dynamic, 1, 0, tile_keys, 1> factors(nk);
    for (Index i = 0; i < nk; ++i) factors(i) = (S(k0 + i) - center) / sigma;
    elementwise(
        factors, false, [](const Register<S>& away) { return exponential<S>(S(-0.5) * away * away); }, factors);
    w.col(0).array() *= factors;
  }
  // dcenter = sum_s dlog (s - center) / sigma^2
  template <class M>
  void backward(Index, Index, Index k0, Index nk, const M& dlog) const {
    for (Index i = 0; i < nk; ++i) *dcenter += dlog(i, 0) * (S(k0 + i) - center) / (sigma * sigma);
  }
};

}  // namespace detail

enum class LuongScore { dot, general, concat };
/// What of the source is in sight: all; monotonic (local-m), around the query's own position; predictive (local-p), around
/// a place that the query predicts.
enum class LuongReach { global, monotonic, predictive };

/// Attention of Luong et al. 2015, with the attentional output (sec. 3, eq. 5 to 10).
///
///   e_sj = h_s . q_j (dot), (W h_s) . q_j (general), v' tanh(W1 q_j + W2 h_s) (concat)
///   a_j = softmax(e_j) over the source of the sequence, or over its columns from p_j - D to p_j + D
///   c_j = sum_s a_sj h_s    y_j = tanh(Wc [c_j; q_j])
///
///   monotonic:  p_j = the position of query j    predictive:  p_j = (length of the source) sigmoid(vp' tanh(Wp q_j)), and
///   a_sj times exp(-(s - p_j)^2 / (2 sigma^2)), sigma = D / 2
///
///   q: Q x queries, along the axis of its scope    h: K x source, along `source`    y: O x queries
///   W ("key.weight"): Q x K, or for concat W2: A x K    W1 ("query.weight"): A x Q    v ("v"): A    Wc ("output.weight"):
///   O x (K + Q)    Wp ("position.weight"): Q x Q    vp ("position_v"): Q    each uniform in +-1 / sqrt(inputs)
///
/// Sequence i of the queries attends to sequence i of the source; a query that sees none of it has c = 0.
template <class S>
class LuongAttention {
 public:
  struct Config {
    Index query_dim, key_dim;                ///< rows of queries and of keys
    Index output_dim = 0;                    ///< O; 0: query_dim
    LuongScore score = LuongScore::general;  ///< how a query and a key are compared
    Index width = 0;                         ///< A, for concat; 0: query_dim
    LuongReach reach = LuongReach::global;   ///< how much of the source is looked at
    Index half_window = 5;                   ///< D
  };
  Config config;  ///< as it was told
  Axis source;
  Linear<S> query, key, position, output;
  Weight<Dynamic, 1> v, position_v;
  Columns<> joined, before, lse;  ///< [c; q], Wc [c; q]
  Columns<> projected_query, projected_key;
  Columns<> predicting;  ///< tanh(Wp q)
  Columns<1> place;      ///< sigmoid(vp' tanh(Wp q))
  Remembered<> past_keys, past_projected;

  LuongAttention(Scope at, Axis source_, const Config& c)
      : config(checked(c)),
        source(source_),
        query({}, {}),
        key({}, {}),
        position({}, {}),
        output(at / "output", c.key_dim + c.query_dim, config.output_dim, false),
        joined(at.columns(c.key_dim + c.query_dim)),
        before(at.columns(config.output_dim)),
        lse(at.columns(1)) {
    const Scope along = at.along(source);
    if (!along.nested()) past_keys = along.remembered(c.key_dim);
    if (c.score == LuongScore::concat) {
      query = Linear<S>(at / "query", c.query_dim, config.width, false);
      projected_query = at.columns(config.width);
      v = at.weight<Dynamic>("v", {config.width}, bounded(config.width));
    }
    if (c.score != LuongScore::dot) {
      const Index width = c.score == LuongScore::concat ? config.width : c.query_dim;
      key = Linear<S>(at / "key", c.key_dim, width, false);
      projected_key = along.columns(width);
      if (!along.nested()) past_projected = along.remembered(width);
    }
    if (c.reach == LuongReach::predictive) {
      position = Linear<S>(at / "position", c.query_dim, c.query_dim, false);
      position_v = at.weight<Dynamic>("position_v", {c.query_dim}, bounded(c.query_dim));
      predicting = at.columns(c.query_dim);
      place = at.columns<1>();
    }
  }

  void forward(ParametersView<const S> p, Read<S> q, Read<S> h, Write<S> y, ActivationsView<S> a) const {
    const auto all = project(p, q, h, y, a);
    all.each([&](detail::SequencePair s) { attend(p, q, a, s, source_of(s, h, a)); });
    answer(p, y, a);
  }

  // dz = dy o (1 - y^2)    [dc; dq] = Wc' dz    then back through attention, places and projections
  // r = sigmoid(vp' t), t = tanh(Wp q):    dr = (length of the source) dp    du = dr r (1 - r)    dt = vp du
  void backward(ParametersView<const S> p, Read<S> q, Read<S> h, Read<S> y, Read<S> dy, ActivationsView<S> a,
                ParametersView<S> g, Gradient<S> dq, Gradient<S> dh) const {
    const auto all = pairs(q, h, y, a);
    detail::expect_shape("LuongAttention", "dy", dy, output.out(), q.cols());
    detail::expect_gradient("LuongAttention", "dq", dq, q.rows(), q.cols());
    detail::expect_gradient("LuongAttention", "dh", dh, h.rows(), h.cols());
    a.d(before).array() = dy.array() * (1 - y.array().square());
    output.backward(p, a[joined], a.d(before), g, a.d(joined));
    dh.start();
    if (dq.wanted()) dq.put(0, a.d(joined).bottomRows(q.rows()));
    if (query.weight) a.d(projected_query).setZero();
    if (key.weight) a.d(projected_key).setZero();
    Gradient<S> more_q = dq.part(0, q.rows(), 0, q.cols()), more_h = dh.part(0, h.rows(), 0, h.cols());
    all.each([&](detail::SequencePair s) { attend_backward(p, q, a, g, s, source_of(s, h, a), more_q, more_h); });
    if (position.weight) {
      a.d(place).array() *= a[place].array() * (1 - a[place].array());
      detail::multiply(g[position_v], a[predicting], a.d(place).transpose(), true);
      detail::multiply(a.d(predicting), p[position_v], a.d(place));
      a.d(predicting).array() *= 1 - a[predicting].array().square();
      position.backward(p, q, a.d(predicting), g, more_q);
    }
    if (query.weight) query.backward(p, q, a.d(projected_query), g, more_q);
    if (key.weight) key.backward(p, h, a.d(projected_key), g, more_h);
  }

  /// Forward for new queries and new source columns of each lane (none, where the source stays as it is).
  void extend(ParametersView<const S> p, Read<S> q, Read<S> h, Write<S> y, MemoryView<S> m,
              ActivationsView<S> a) const {
    if (past_keys.rows == 0) detail::fail("LuongAttention: a source that belongs to another axis is not remembered");
    const auto all = project(p, q, h, y, a);
    m.begin(lse.axis, a.sequences(lse.axis));
    m.begin(source, a.sequences(source));
    all.each([&](detail::SequencePair s) {
      const Index lane = s.sequence;
      m.write(past_keys, lane, h.middleCols(s.key, s.keys));
      if (key.weight) m.write(past_projected, lane, a[projected_key].middleCols(s.key, s.keys));
      const Read<S> keys = m(past_keys, lane);
      attend(p, q, a, s,
             {keys, key.weight ? Read<S>(m(past_projected, lane)) : keys, m.length(lse.axis, lane),
              m.first(source, lane), m.length(source, lane) + s.keys});
    });
    answer(p, y, a);
  }

  /// The attention weights of one sequence after a forward, source x queries.
  void weights(ParametersView<const S> p, Read<S> q, Read<S> h, ActivationsView<S> a, Index sequence,
               Write<S> w) const {
    const auto s = detail::SequencePairs("LuongAttention", a.sequences(lse.axis), a.sequences(source))[sequence];
    detail::expect_shape("LuongAttention", "q", q, config.query_dim, a.columns(lse.axis));
    detail::expect_shape("LuongAttention", "h", h, config.key_dim, a.columns(source));
    detail::expect_shape("LuongAttention", "weights", w, s.keys, s.queries);
    w.setZero();
    const Source of = source_of(s, h, a);
    each_run(a, s, of, [&](Index j, Index n, const detail::Sight& sight, const auto& factor) {
      with_score(p, q, a, nullptr, s, of, j, n, no_gradient, no_gradient, [&](const auto& score) {
        detail::attention_weights<S>(score, sight, lse_of(a, s, j, n), w.middleCols(j, n), factor);
      });
    });
  }

  template <class... Nodes>
  Node graph(Graph& g, const Nodes&...) const {
    return g.unsupported("LuongAttention");
  }

 private:
  /// What a sequence of queries attends to: source columns, how they score, and where queries and columns stand.
  struct Source {
    Read<S> h, projected;
    Index query_position, first, length;
  };

  static Initialiser bounded(Index inputs) { return uniform(1 / std::sqrt(double(std::max(inputs, Index(1))))); }
  static Config checked(Config c) {
    if (c.output_dim == 0) c.output_dim = c.query_dim;
    if (c.width == 0) c.width = c.query_dim;
    if (c.score == LuongScore::dot && c.query_dim != c.key_dim)
      detail::fail("LuongAttention: a dot score needs queries and keys alike, but they have %ld and %ld features",
                   long(c.query_dim), long(c.key_dim));
    if (c.half_window < 1) detail::fail("LuongAttention: half window %ld must be at least 1", long(c.half_window));
    return c;
  }
  template <class Y>
  detail::SequencePairs pairs(const Read<S>& q, const Read<S>& h, const Y& y, ActivationsView<S> a) const {
    const detail::SequencePairs all("LuongAttention", a.sequences(lse.axis), a.sequences(source));
    detail::expect_shape("LuongAttention", "q", q, config.query_dim, all.queries());
    detail::expect_shape("LuongAttention", "h", h, config.key_dim, all.keys());
    detail::expect_shape("LuongAttention", "y", y, output.out(), all.queries());
    return all;
  }
  detail::SequencePairs project(ParametersView<const S> p, const Read<S>& q, const Read<S>& h, const Write<S>& y,
                                ActivationsView<S> a) const {
    const auto all = pairs(q, h, y, a);
    if (query.weight) query.forward(p, q, a[projected_query]);
    if (key.weight) key.forward(p, h, a[projected_key]);
    if (position.weight) {
      position.forward(p, q, a[predicting]);
      detail::tangent_in_place(a[predicting]);
      detail::multiply(a[place], p[position_v].transpose(), a[predicting]);
      detail::sigmoid_in_place(a[place]);
    }
    a[joined].bottomRows(q.rows()) = q;
    return all;
  }
  void answer(ParametersView<const S> p, Write<S> y, ActivationsView<S> a) const {
    output.forward(p, a[joined], y);
    detail::tangent_in_place(y);
  }

  Source source_of(detail::SequencePair s, const Read<S>& h, ActivationsView<S> a) const {
    const Read<S> scored = key.weight ? Read<S>(a[projected_key]) : h;
    return {h.middleCols(s.key, s.keys), scored.middleCols(s.key, s.keys), 0, 0, s.keys};
  }
  auto context_of(auto columns, detail::SequencePair s, Index j, Index n) const {
    return columns.block(0, s.query + j, config.key_dim, n);
  }
  auto lse_of(ActivationsView<S> a, detail::SequencePair s, Index j, Index n) const {
    return a[lse].row(0).segment(s.query + j, n);
  }

  /// The queries that share what they see: f(first, count, sight, factor). Each that predicts its place is alone.
  template <class F>
  void each_run(ActivationsView<S> a, detail::SequencePair s, const Source& of, F f) const {
    const Index d = config.half_window;
    detail::GaussianFactor<S> factor{false, 0, S(d) / 2};
    if (config.reach != LuongReach::predictive) {
      const Mask mask = config.reach == LuongReach::monotonic ? Mask{d, d} : Mask{};
      return f(Index(0), s.queries, detail::Sight{mask, of.query_position, of.first}, factor);
    }
    factor.on = true;
    for (Index j = 0; j < s.queries; ++j) {
      const S center = S(of.length) * a[place](0, s.query + j);
      const Index begin = Index(std::ceil(center - S(d))), end = Index(std::floor(center + S(d)));
      factor.center = center - S(of.first);
      f(j, Index(1), detail::Sight{Mask{0, end - begin}, begin, of.first}, factor);
    }
  }
  /// f(score) with the score of queries j to j + n of a sequence. With g, its gradients go to dq and dh, or to the
  /// projections' and v's where there are such.
  template <class F>
  void with_score(ParametersView<const S> p, const Read<S>& q, ActivationsView<S> a, const ParametersView<S>* g,
                  detail::SequencePair s, const Source& of, Index j, Index n, Gradient<S> dq, Gradient<S> dh,
                  F f) const {
    const auto queries = [&](Gradient<S> m) { return m.part(0, m.rows(), s.query + j, n); };
    const auto keys = [&](Gradient<S> m) { return m.part(0, m.rows(), s.key, s.keys); };
    const Gradient<S> dkey = key.weight && g ? Gradient<S>(a.d(projected_key)) : dh;
    if (config.score == LuongScore::concat) {
      using Vector = Eigen::Map<Eigen::Matrix<S, Dynamic, 1>>;
      f(detail::AdditiveScore<S>{a[projected_query].middleCols(s.query + j, n), of.projected, p[v],
                                 g ? queries(a.d(projected_query)) : no_gradient, keys(dkey),
                                 g ? Vector((*g)[v]) : Vector(nullptr, 0)});
    } else {
      f(detail::DotProductScore<S>(q.middleCols(s.query + j, n), of.projected, queries(dq), keys(dkey), S(1)));
    }
  }
  void attend(ParametersView<const S> p, const Read<S>& q, ActivationsView<S> a, detail::SequencePair s,
              const Source& of) const {
    auto context = context_of(a[joined], s, 0, s.queries);
    each_run(a, s, of, [&](Index j, Index n, const detail::Sight& sight, const auto& factor) {
      with_score(p, q, a, nullptr, s, of, j, n, no_gradient, no_gradient, [&](const auto& score) {
        detail::attention_forward<S>(score, sight, of.h, context.middleCols(j, n), lse_of(a, s, j, n), factor);
      });
    });
  }
  void attend_backward(ParametersView<const S> p, const Read<S>& q, ActivationsView<S> a, ParametersView<S> g,
                       detail::SequencePair s, const Source& of, Gradient<S> dq, Gradient<S> dh) const {
    each_run(a, s, of, [&](Index j, Index n, const detail::Sight& sight, auto factor) {
      S dcenter = 0;
      factor.dcenter = &dcenter;
      with_score(p, q, a, &g, s, of, j, n, dq, dh, [&](const auto& score) {
        detail::attention_backward<S>(score, sight, of.h, context_of(a[joined], s, j, n), lse_of(a, s, j, n),
                                      context_of(a.d(joined), s, j, n), dh.part(0, dh.rows(), s.key, s.keys), factor);
      });
      if (place) a.d(place)(0, s.query + j) = S(of.length) * dcenter;
    });
  }
};

}  // namespace heed
