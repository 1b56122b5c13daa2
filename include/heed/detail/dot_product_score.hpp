#pragma once
#include <cmath>
#include <optional>
#include <utility>

#include "heed/detail/attention.hpp"

namespace heed::detail {

/// Where the queries and keys that are looked at stand in space: coordinates x tokens, and where their gradients go.
template <class S>
struct Places {
  Read<S> query = Tokens<S>(), key = Tokens<S>();
  Gradient<S> dquery = no_gradient, dkey = no_gradient;
};

/// Transformer-XL's terms of one head: score += (q' R + u' K + v' R) / sqrt(E), R a column for each relative position from
/// `nearest` on. Pointers to numbers that lie elsewhere.
template <class S>
struct RelativeTerms {
  Read<S> table;
  Gradient<S> dtable;
  Index nearest;
  const S *u, *v;
  S *du, *dv;
};

/// What of a position goes into the scores of one head: nothing, a slope by the distance of positions or of places,
/// score -= slope * distance, or Transformer-XL's terms.
template <class S>
struct PositionScore {
  enum class Kind { none, steps, places, relative } kind = Kind::none;
  S slope = 0;
  S* dslope = nullptr;
  std::optional<Places<S>> places{};
  std::optional<RelativeTerms<S>> relative{};
};

/// score(i, j) = k_i . q_j scale, and what the positions add.
///
///   q: E x queries    k: E x keys
template <class S>
struct DotProductScore {
  using P = PositionScore<S>;
  Read<S> q, k;
  Gradient<S> dq, dk;
  S scale;
  P position;
  Sight sight;

  DotProductScore(Read<S> q_, Read<S> k_, Gradient<S> dq_ = no_gradient, Gradient<S> dk_ = no_gradient)
      : DotProductScore(q_, k_, dq_, dk_, 1 / std::sqrt(S(q_.rows()))) {}
  DotProductScore(Read<S> q_, Read<S> k_, Gradient<S> dq_, Gradient<S> dk_, S scale_, P position_ = {},
                  const Sight& sight_ = {})
      : q(q_), k(k_), dq(dq_), dk(dk_), scale(scale_), position(std::move(position_)), sight(sight_) {}

  const Read<S>& queries() const { return q; }
  template <class M>
  void tile(Index q0, Index nq, Index k0, Index nk, M&& s) const {
    tile(q0, nq, k0, nk, s, q.middleCols(q0, nq));
  }
  template <class M, class Q>
  void tile(Index q0, Index nq, Index k0, Index nk, M&& s, const Q& of_block) const {
    multiply(s, k.middleCols(k0, nk).transpose(), of_block);
    if (position.kind != P::Kind::none) add_position(q0, nq, k0, nk, s);
  }
  /// The tile stays unscaled, what the positions add included: the softmax multiplies on its way.
  S unscaled() const { return scale; }
  // ds = dA scale    dQ += K ds    dK += Q ds'
  template <class M>
  void backward(Index q0, Index nq, Index k0, Index nk, M&& ds) {
    if (position.kind == P::Kind::places) places_backward(q0, nq, k0, nk, ds);
    if (position.kind == P::Kind::relative) relative_backward(q0, nq, k0, nk, ds);
    if (dq.wanted()) multiply(dq.middleCols(q0, nq), k.middleCols(k0, nk), ds, dq.adds() || k0 > 0);
    if (dk.wanted()) multiply(dk.middleCols(k0, nk), q.middleCols(q0, nq), ds.transpose(), dk.adds() || q0 > 0);
  }

 private:
  template <class F>
  static void each(Index nq, Index nk, F&& f) {
    for (Index j = 0; j < nq; ++j)
      for (Index i = 0; i < nk; ++i) f(i, j);
  }
  template <class M>
  void add_position(Index q0, Index nq, Index k0, Index nk, M& s) const {
    if (position.kind == P::Kind::relative) relative_tile(q0, nq, k0, nk, s);
    if (position.kind == P::Kind::steps) steps_tile(q0, nq, k0, nk, s);
    if (position.kind == P::Kind::places)
      each(nq, nk, [&](Index i, Index j) { s(i, j) -= position.slope / scale * apart(q0 + j, k0 + i); });
  }
  // s(i, j) -= slope / scale |d|, d the distance of j and i, for what lies side by side in the tile at once
  template <class M>
  void steps_tile(Index q0, Index nq, Index k0, Index nk, M& s) const {
    constexpr bool of_key = M::IsRowMajor;
    S further[std::max(tile_queries, tile_keys)];
    const Index lines = of_key ? nk : nq, count = of_key ? nq : nk, step = of_key ? sight.step : -sight.step;
    for (Index i = 0; i < count; ++i) further[i] = S(step * i);
    const Register<S> less = -position.slope / scale;
    for (Index line = 0; line < lines; ++line) {
      const Register<S> d = S(of_key ? sight.distance(q0, k0 + line) : sight.distance(q0 + line, k0));
      elementwise_run(
          count, s.data() + line * s.outerStride(), true,
          [d, less](const Register<S>& on) -> Register<S> { return less * abs(d + on); }, further);
    }
  }
  S apart(Index query, Index key) const {
    return (position.places->query.col(query) - position.places->key.col(key)).norm();
  }

  // d = |r_q - r_k|, dA = ds / scale    dslope -= dA d    dr_q -= slope dA (r_q - r_k) / d, and dr_k the opposite; nothing
  // where d is 0. Rare, so kept out of line.
  template <class M>
  [[gnu::noinline]] void places_backward(Index q0, Index nq, Index k0, Index nk, M& ds) {
    each(nq, nk, [&](Index i, Index j) {
      const S d = apart(q0 + j, k0 + i);
      if (d == S(0)) return;
      const S of_score = ds(i, j) / scale;
      *position.dslope -= of_score * d;
      const S along = position.slope * of_score / d;
      auto& at = *position.places;
      for (Index r = 0; r < at.query.rows(); ++r) {
        const S part = along * (at.query(r, q0 + j) - at.key(r, k0 + i));
        if (at.dquery.wanted()) at.dquery(r, q0 + j) -= part;
        if (at.dkey.wanted()) at.dkey(r, k0 + i) += part;
      }
    });
  }

  // A tile knows at most nq + nk - 1 distances, `step` apart: those of its band, from its first query and last key on.
  static constexpr Index most = tile_queries + tile_keys - 1;
  struct Band {
    Index first, count, step;
  };
  Band band(Index q0, Index nq, Index k0, Index nk) const {
    return {sight.distance(q0, k0 + nk - 1) - position.relative->nearest, nq + nk - 1, sight.step};
  }
  auto head(const S* vector) const { return Eigen::Map<const Tokens<S>>(vector, q.rows(), 1); }
  auto head(S* vector) const { return Eigen::Map<Tokens<S>>(vector, q.rows(), 1); }
  template <class M>
  static auto columns(M& m, const Band& b) {
    return Every{b.first, b.count, b.step}.of(m);
  }

  // s(i, j) += R_d . q_j + v . R_d + u . k_i, d the distance of j and i
  template <class M>
  void relative_tile(Index q0, Index nq, Index k0, Index nk, M& s) const {
    S by_distance[most * tile_queries], of_distance[most], of_key[tile_keys];
    const RelativeTerms<S>& terms = *position.relative;
    const Band b = band(q0, nq, k0, nk);
    const auto r = columns(terms.table, b);
    Eigen::Map<Tokens<S>> rq(by_distance, b.count, nq), rv(of_distance, b.count, 1), ku(of_key, nk, 1);
    multiply(rq, r.transpose(), q.middleCols(q0, nq));
    multiply(rv, r.transpose(), head(terms.v));
    multiply(ku, k.middleCols(k0, nk).transpose(), head(terms.u));
    each(nq, nk, [&](Index i, Index j) { s(i, j) += rq(nk - 1 - i + j, j) + rv(nk - 1 - i + j, 0) + ku(i, 0); });
  }
  // T(d, j) = dA(i, j)    dQ += R T    dR += Q T' + v (T 1)'    dv += R T 1    du += K dA 1    dK += u (dA 1)'
  template <class M>
  void relative_backward(Index q0, Index nq, Index k0, Index nk, M& ds) {
    S by_distance[most * tile_queries], of_distance[most], of_key[tile_keys];
    RelativeTerms<S>& terms = *position.relative;
    const Band b = band(q0, nq, k0, nk);
    const auto r = columns(terms.table, b);
    Eigen::Map<Tokens<S>> t(by_distance, b.count, nq), t1(of_distance, b.count, 1), a1(of_key, nk, 1);
    t.setZero();
    each(nq, nk, [&](Index i, Index j) { t(nk - 1 - i + j, j) = ds(i, j); });
    t1 = t.rowwise().sum();
    a1 = ds.rowwise().sum();
    if (dq.wanted()) multiply(dq.middleCols(q0, nq), r, t, true);
    auto dr = columns(terms.dtable, b);
    multiply(dr, q.middleCols(q0, nq), t.transpose(), true);
    multiply(dr, head(terms.v), t1.transpose(), true);
    multiply(head(terms.dv), r, t1, true);
    multiply(head(terms.du), k.middleCols(k0, nk), a1, true);
    if (dk.wanted()) multiply(dk.middleCols(k0, nk), head(terms.u), a1.transpose(), true);
  }
};

/// Weights that are dropped in training, and what is left made larger by 1 / (1 - rate) (Srivastava et al. 2014). Which ones
/// is a hash of the seed, the layer, the head, the sequence and the positions of query and key: the same whether a sequence
/// comes whole or piece by piece.
class DroppedWeights {
 public:
  /// queries and keys: those of the sequence that are looked at; the first of all stand where `whole` says.
  DroppedWeights(double rate, const Random& of_layer, Index sequence, Index head, const Sight& whole, Every queries,
                 Every keys)
      : rate_(rate),
        random_(rate > 0 ? of_layer.bits_at(std::uint64_t(sequence)) : 0, std::uint64_t(head)),
        queries_{whole.query_position + queries.first, queries.count, queries.step},
        keys_{whole.key_position + keys.first, keys.count, keys.step} {}
  bool active() const { return rate_ > 0; }
  template <class M>
  void apply(Index q0, Index nq, Index k0, Index nk, M&& w) const {
    using S = typename Plain<M>::Scalar;
    if (!active()) return;
    const S kept = S(1 / (1 - rate_));
    for (Index j = 0; j < nq; ++j) {
      const Random of_query(random_.bits_at(std::uint64_t(queries_.first + queries_.step * (q0 + j))), 0);
      for (Index i = 0; i < nk; ++i) {
        const Index key = keys_.first + keys_.step * (k0 + i);
        w(i, j) *= of_query.uniform_at(std::uint64_t(key)) < rate_ ? S(0) : kept;
      }
    }
  }
  template <class M>
  void backward(Index, Index, Index, Index, M&&) const {}

 private:
  double rate_;
  Random random_;
  Every queries_, keys_;  // first: a position
};

}  // namespace heed::detail
