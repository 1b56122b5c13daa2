#pragma once
#include "heed/detail/position_terms.hpp"
#include "heed/layers/attention_config.hpp"

namespace heed::detail {

/// What a sequence brings to a dot-product attention, as it meets: the places are looked at only where scores go by them.
template <class S>
struct AttentionOperands {
  Index sequence, first_query;
  Read<S> q, k, v, query_place, key_place;

  /// Those of one part of what is in sight.
  AttentionOperands part(Every qs, Every ks, bool in_space) const {
    return {sequence,
            first_query,
            qs.of(q),
            ks.of(k),
            ks.of(v),
            in_space ? qs.of(query_place) : query_place,
            in_space ? ks.of(key_place) : key_place};
  }
};
/// Where the gradients of that go.
template <class S>
struct AttentionTargets {
  Gradient<S> q = no_gradient, k = no_gradient, v = no_gradient, query_place = no_gradient, key_place = no_gradient;

  AttentionTargets part(Every qs, Every ks) const {
    return {qs.of(q), ks.of(k), ks.of(v), qs.of(query_place), ks.of(key_place)};
  }
};

/// The heads of a dot-product attention in one part of what is in sight, as detail/attention.hpp asks for them.
template <class S>
struct AttentionHeads {
  const AttentionConfig& config;
  const PositionTerms<S>* terms;  // null: none
  ParametersView<const S> p;
  const ActivationsView<S>& a;
  const ParametersView<S>* g;  // null: forward
  AttentionOperands<S> of;
  AttentionTargets<S> to;
  Sight sight;
  Every queries_in, keys_in;
  Index nearest;        // of the table of positions
  Random random;        // for dropout
  Sight whole = sight;  // of which this is a part
  const Index heads = config.heads, sharing = heads / config.key_heads;
  const Index e = config.dim / heads, ev = config.value_dim / heads;
  const S scale = config.normalise ? S(1) : 1 / std::sqrt(S(e));

  Index count() const { return heads; }
  Index keys() const { return of.k.cols(); }
  auto score(Index h) {
    const Index first = shared(h) * e;
    return DotProductScore<S>(queries(h), of.k.middleRows(first, e), to.q.middle_rows(h * e, e),
                              to.k.middle_rows(first, e), scale, position(h), sight);
  }
  Read<S> queries(Index h) const { return of.q.middleRows(h * e, e); }
  Read<S> values(Index h) const { return of.v.middleRows(shared(h) * ev, ev); }
  Gradient<S> values_gradient(Index h) { return to.v.middle_rows(shared(h) * ev, ev); }
  auto factor(Index h) const {
    return DroppedWeights(a.mode.training ? config.dropout : 0, random, of.sequence, h, whole, queries_in, keys_in);
  }

 private:
  Index shared(Index h) const { return sharing == 1 ? h : h / sharing; }
  PositionScore<S> position(Index h) const {
    if (!terms) return {};
    const auto places = [this] { return Places<S>{of.query_place, of.key_place, to.query_place, to.key_place}; };
    return terms->of_head(p, a, h, nearest, places, g);
  }
};

}  // namespace heed::detail
