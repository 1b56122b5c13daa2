#pragma once
#include <bit>

#include "heed/core/activations.hpp"
#include "heed/core/memory.hpp"
#include "heed/core/scope.hpp"
#include "heed/detail/dot_product_score.hpp"
#include "heed/detail/selection.hpp"
#include "heed/detail/sequence_pairs.hpp"

namespace heed::detail {

/// Dot-product attention with weights that need all scores of a query at once. A tile of queries at a time, all their
/// scores are computed, and what they become is said by a Rule, one for each sequence and head:
///
///   rule.forward(j, first_key, w, copy)         w: the scores of query j of keys from first_key on; then its weights
///   rule.backward(j, first_key, w, dw, copy)    w likewise, and dw = V' dy_j; then the gradient of the scores
///
/// What is not in sight has the score -infinity. `copy`: room for a column. Rules are made by rules(pair, head, sight).
template <class S>
class ColumnAttention {
 public:
  using Column = WeightColumn<S>;
  const char* who;
  Index dim, value_dim, heads;
  Mask mask;
  Axis query_axis, key_axis;
  Columns<> room;  // along an axis of its own, for a tile of scores and a column; not kept
  Remembered<> keys, values;

  ColumnAttention(const char* who_, Scope at, Axis key_axis_, Index dim_, Index value_dim_, Index heads_, Mask mask_)
      : who(who_),
        dim(dim_),
        value_dim(value_dim_ == 0 ? dim_ : value_dim_),
        heads(heads_),
        mask(mask_),
        query_axis(at.axis()),
        key_axis(key_axis_) {
    if (heads < 1 || dim < 1 || dim % heads != 0 || value_dim < 1 || value_dim % heads != 0)
      fail("%s: dim %ld and value dim %ld must be multiples of heads %ld", who, long(dim), long(value_dim),
           long(heads));
    room = at.along(at.child_axis()).columns(1);
    const Scope along = at.along(key_axis);
    if (along.nested()) return;
    const Index lookback = key_axis == query_axis ? mask.lookback() : unlimited;
    keys = along.remembered(dim, lookback);
    values = along.remembered(value_dim, lookback);
  }

  template <class Rules>
  void forward(Read<S> q, Read<S> k, Read<S> v, Write<S> y, ActivationsView<S> a, Rules rules) const {
    const auto all = pairs(q, k, v, y, a);
    make_room(all, a, [](SequencePair s) { return s.keys; });
    all.each([&](SequencePair s) {
      attend(s, q, k.middleCols(s.key, s.keys), v.middleCols(s.key, s.keys), y, {mask}, a, rules);
    });
  }

  // dV += dY W'    dW = V' dY    dscores by the rule
  template <class Rules>
  void backward(Read<S> q, Read<S> k, Read<S> v, Read<S> y, Read<S> dy, ActivationsView<S> a, Gradient<S> dq,
                Gradient<S> dk, Gradient<S> dv, Rules rules) const {
    const auto all = pairs(q, k, v, y, a);
    expect_shape(who, "dy", dy, value_dim, q.cols());
    expect_gradient(who, "dq", dq, dim, q.cols());
    expect_gradient(who, "dk", dk, dim, k.cols());
    expect_gradient(who, "dv", dv, value_dim, k.cols());
    dq.start(), dk.start(), dv.start();
    make_room(all, a, [](SequencePair s) { return s.keys; });
    const Index e = dim / heads, ev = value_dim / heads;
    all.each([&](SequencePair s) {
      for (Index h = 0; h < heads; ++h)
        head_backward(DotProductScore<S>(q.block(h * e, s.query, e, s.queries), k.block(h * e, s.key, e, s.keys),
                                         dq.part(h * e, e, s.query, s.queries), dk.part(h * e, e, s.key, s.keys)),
                      v.block(h * ev, s.key, ev, s.keys), dy.block(h * ev, s.query, ev, s.queries),
                      dv.part(h * ev, ev, s.key, s.keys), a, rules(s, h, Sight{mask}));
    });
  }

  template <class Rules>
  void extend(Read<S> q, Read<S> k, Read<S> v, Write<S> y, MemoryView<S> m, ActivationsView<S> a, Rules rules) const {
    if (keys.rows == 0) fail("%s: keys along an axis that belongs to another are not remembered", who);
    const auto all = pairs(q, k, v, y, a);
    m.begin(query_axis, a.sequences(query_axis));
    m.begin(key_axis, a.sequences(key_axis));
    make_room(all, a, [&](SequencePair lane) { return m(keys, lane.sequence).cols(); });
    all.each([&](SequencePair lane) {
      m.write(keys, lane.sequence, k.middleCols(lane.key, lane.keys));
      m.write(values, lane.sequence, v.middleCols(lane.key, lane.keys));
      attend(lane, q, m(keys, lane.sequence), m(values, lane.sequence), y,
             sight_of_lane(mask, m, query_axis, key_axis, lane.sequence), a, rules);
    });
  }

  template <class Rule>
  void weights(Read<S> q, Read<S> k, ActivationsView<S> a, Index sequence, Index head, Write<S> w, Rule rule) const {
    const SequencePairs all(who, a.sequences(query_axis), a.sequences(key_axis));
    const auto s = all[sequence];
    if (head < 0 || head >= heads) fail("%s: head %ld asked for, but there are %ld", who, long(head), long(heads));
    expect_shape(who, "q", q, dim, all.queries());
    expect_shape(who, "k", k, dim, all.keys());
    expect_shape(who, "weights", w, s.keys, s.queries);
    make_room(all, a, [](SequencePair one) { return one.keys; });
    const Index e = dim / heads;
    w.setZero();
    each_tile(DotProductScore<S>(q.block(head * e, s.query, e, s.queries), k.block(head * e, s.key, e, s.keys)),
              Sight{mask}, s.queries, s.keys, a, [&](Index q0, Interval in, Eigen::Map<Tokens<S>> tile, S* copy) {
                for (Index j = 0; j < tile.cols(); ++j)
                  rule.forward(q0 + j, in.begin, Column(tile.col(j).data(), tile.rows()), copy);
                w.block(in.begin, q0, tile.rows(), tile.cols()) = tile;
              });
  }

 private:
  static bool sees(const Sight& sight, Index query, Index key) {
    const Mask& m = sight.mask;
    const Index behind = sight.distance(query, key);
    return behind >= -m.ahead && (behind <= m.behind || (m.stride > 0 && behind <= m.far && behind % m.stride == 0));
  }
  /// The first to the last key that any of a tile's queries sees.
  static Interval in_sight(Sight sight, Index q0, Index nq, Index keys) {
    if (sight.mask.stride > 0) sight.mask.behind = std::max(sight.mask.behind, sight.mask.far);
    return sight.keys_of_block(q0, nq, keys);
  }

  /// For keys_of(pair) keys. Rounded up, so that a memory that fills makes it grow only now and then.
  template <class KeysOf>
  void make_room(const SequencePairs& all, ActivationsView<S> a, KeysOf keys_of) const {
    if (all.queries() == 0) return;
    Index most_keys = 1, most_queries = 1;
    all.each([&](SequencePair s) {
      most_keys = std::max(most_keys, Index(keys_of(s)));
      most_queries = std::max(most_queries, s.queries);
    });
    const Index numbers = Index(std::bit_ceil(std::size_t(most_keys))) * (std::min(most_queries, tile_queries) + 1);
    a.begin(room.axis, all.queries(), [&](Index i) { return i == 0 ? numbers : 0; });
  }

  /// Visits the scores of each tile of queries: f(q0, keys in sight, scores, room for a column).
  template <class F>
  void each_tile(const DotProductScore<S>& score, const Sight& sight, Index queries, Index all_keys,
                 ActivationsView<S> a, F f) const {
    each_query_tile(queries, [&](Index q0, Index nq) {
      const Interval in = in_sight(sight, q0, nq, all_keys);
      Eigen::Map<Tokens<S>> tile(a[room].data(), in.end - in.begin, nq);
      each_key_tile(in, [&](Index k0, Index nk) { score.tile(q0, nq, k0, nk, tile.middleRows(k0 - in.begin, nk)); });
      tile *= score.unscaled();
      for (Index j = 0; j < nq; ++j)
        for (Index i = 0; i < tile.rows(); ++i)
          if (!sees(sight, q0 + j, in.begin + i)) tile(i, j) = -std::numeric_limits<S>::infinity();
      f(q0, in, tile, tile.data() + tile.size());
    });
  }

  template <class Rules>
  void attend(SequencePair s, const Read<S>& q, Read<S> k, Read<S> v, Write<S>& y, Sight sight, ActivationsView<S> a,
              Rules& rules) const {
    const Index e = dim / heads, ev = value_dim / heads;
    for (Index h = 0; h < heads; ++h) {
      auto rule = rules(s, h, sight);
      each_tile(DotProductScore<S>(q.block(h * e, s.query, e, s.queries), k.middleRows(h * e, e)), sight, s.queries,
                k.cols(), a, [&](Index q0, Interval in, Eigen::Map<Tokens<S>> tile, S* copy) {
                  for (Index j = 0; j < tile.cols(); ++j)
                    rule.forward(q0 + j, in.begin, Column(tile.col(j).data(), tile.rows()), copy);
                  multiply(y.block(h * ev, s.query + q0, ev, tile.cols()), v.block(h * ev, in.begin, ev, tile.rows()),
                           tile);
                });
    }
  }

  template <class Rule>
  void head_backward(DotProductScore<S> score, Read<S> v, Read<S> dy, Gradient<S> dv, ActivationsView<S> a,
                     Rule rule) const {
    each_tile(score, Sight{mask}, dy.cols(), v.cols(), a,
              [&](Index q0, Interval in, Eigen::Map<Tokens<S>> tile, S* copy) {
                Eigen::Map<Tokens<S>> slope(a.d(room).data(), tile.rows(), tile.cols());
                const auto dout = dy.middleCols(q0, tile.cols());
                multiply(slope, v.middleCols(in.begin, tile.rows()).transpose(), dout);
                for (Index j = 0; j < tile.cols(); ++j)
                  rule.backward(q0 + j, in.begin, Column(tile.col(j).data(), tile.rows()),
                                Column(slope.col(j).data(), tile.rows()), copy);
                if (dv.wanted()) multiply(dv.middleCols(in.begin, tile.rows()), dout, tile.transpose(), true);
                slope *= score.unscaled();
                each_key_tile(in, [&](Index k0, Index nk) {
                  score.backward(q0, tile.cols(), k0, nk, slope.middleRows(k0 - in.begin, nk));
                });
              });
  }

  template <class Y>
  SequencePairs pairs(const Read<S>& q, const Read<S>& k, const Read<S>& v, const Y& y, ActivationsView<S> a) const {
    const SequencePairs all(who, a.sequences(query_axis), a.sequences(key_axis));
    expect_shape(who, "q", q, dim, all.queries());
    expect_shape(who, "k", k, dim, all.keys());
    expect_shape(who, "v", v, value_dim, all.keys());
    expect_shape(who, "y", y, value_dim, all.queries());
    return all;
  }
};

}  // namespace heed::detail
