#pragma once
#include "heed/core/activations.hpp"
#include "heed/detail/dot_product_score.hpp"
#include "heed/detail/graph_attention.hpp"
#include "heed/detail/sinusoid.hpp"
#include "heed/layers/linear.hpp"
#include "heed/layers/positions.hpp"

namespace heed::detail {

/// What a position adds to the scores of a dot-product attention: its weights, and the table of relative positions. The
/// formulas stand at the functions of layers/positions.hpp.
template <class S>
class PositionTerms {
 public:
  Position position;
  Index heads;
  Linear<S> pos_proj{{}, {}};
  Weight<Dynamic, 1> u, v, slope;
  Columns<> encodings, table;  // a column for each relative position, along an axis of its own

  PositionTerms(Scope at, const Position& position_, Index dim, Index heads_) : position(position_), heads(heads_) {
    if (position.kind == Position::Kind::relative) {
      const Scope distances = at.along(at.new_axis());
      encodings = distances.columns(dim);
      table = distances.columns(dim);
      pos_proj = Linear<S>(at / "pos_proj", dim, dim, false);
      u = at.weight<Dynamic>("pos_bias_u", {dim}, zero());
      v = at.weight<Dynamic>("pos_bias_v", {dim}, zero());
    }
    if (position.kind == Position::Kind::distance)
      slope = at.weight<Dynamic>("distance_slope", {heads}, {[](double* w, Index rows, Index, double, Random&) {
                                   for (Index h = 0; h < rows; ++h) w[h] = alibi_slope(h, rows);
                                 }});
  }

  /// Begins the table of all relative positions that a tile may meet, and projects their encodings. visit(f) calls
  /// f(sight, queries, keys) for each sequence. Returns the least of these positions.
  template <class Visit>
  Index tabulate(ParametersView<const S> p, const ActivationsView<S>& a, const Visit& visit) const {
    return table ? fill_table(p, a, range_of(visit)) : 0;
  }
  template <class Visit>
  static Interval range_of(Visit visit) {
    constexpr Index rounded = 32;  // so that the table of a memory that fills grows only now and then
    Interval range{unlimited, -unlimited};
    visit([&](const Sight& sight, Index queries, Index keys) {
      if (queries == 0 || keys == 0) return;
      const Mask& m = sight.mask;
      const Index step = std::max(m.stride, Index(1)), slack = step * tile_queries;  // a tile sees a little more
      const Index far = std::max(m.behind, m.stride > 0 ? m.far : 0);
      range.begin =
          std::min(range.begin, std::max(sight.distance(0, keys - 1), -std::min(m.ahead, unlimited - slack) - slack));
      range.end = std::max(range.end, std::min(sight.distance(queries - 1, 0), far + slack) + 1);
    });
    if (range.begin >= range.end) return {0, 1};
    return {range.begin, range.begin + (range.end - range.begin + rounded - 1) / rounded * rounded};
  }

  /// The terms of one head; places() says where its queries and keys stand. With g, gradients are added to it, to a.d(table)
  /// and to those of the places.
  template <class PlacesOf>
  PositionScore<S> of_head(ParametersView<const S> p, ActivationsView<S> a, Index h, Index nearest,
                           const PlacesOf& places, const ParametersView<S>* g) const {
    using Kind = typename PositionScore<S>::Kind;
    if (position.kind == Position::Kind::alibi) return {.kind = Kind::steps, .slope = S(alibi_slope(h, heads))};
    if (position.kind == Position::Kind::distance)
      return {.kind = Kind::places, .slope = p[slope](h), .dslope = g ? &(*g)[slope](h) : nullptr, .places = places()};
    if (position.kind != Position::Kind::relative) return {};
    const Index e = table.rows / heads, first = h * e;
    return {.kind = Kind::relative,
            .relative = RelativeTerms<S>{a[table].middleRows(first, e),
                                         g ? Gradient<S>(add_to(a.d(table).middleRows(first, e))) : no_gradient,
                                         nearest, p[u].data() + first, p[v].data() + first,
                                         g ? (*g)[u].data() + first : nullptr, g ? (*g)[v].data() + first : nullptr}};
  }

  /// The scores of queries and keys, both [..., heads, tokens, E].
  Node graph(Graph& g, const Node& q, const Node& k, const Node& query_positions, const Node& key_positions,
             double scale) const {
    using enum Position::Kind;
    const auto product = [&](const Node& a, const Node& b) { return g.matmul(a, g.transposed(b)); };
    if (position.kind == distance) g.unsupported("DotProductAttention with distance()");
    if (position.kind == relative) {
      const auto with = [&](const Weight<Dynamic, 1>& w) {
        return g.add(q, g.reshape(g.weight(w), {heads, 1, q.rows}));
      };
      return g.multiply(g.add(product(with(u), k), graph_relative(g, with(v), query_positions, key_positions)), scale);
    }
    const Node scores = g.multiply(product(q, k), scale);
    if (position.kind != alibi) return scores;
    std::vector<float> slopes;
    for (Index h = 0; h < heads; ++h) slopes.push_back(float(alibi_slope(h, heads)));
    const Node steps = g.cast(g.op("Abs", {distances(g, query_positions, key_positions)}, 0), Graph::Type::float32);
    return g.subtract(scores, g.multiply(steps, g.constant(slopes, {heads, 1, 1})));
  }

 private:
  Index fill_table(ParametersView<const S> p, const ActivationsView<S>& a, const Interval& range) const {
    a.begin(table.axis, 1, [&](Index) { return range.end - range.begin; });
    sinusoidal_encodings(range.begin, 1, Write<S>(a[encodings]));
    pos_proj.forward(p, a[encodings], a[table]);
    return range.begin;
  }
  /// q' W r for each query and key: the products with all distances that there are, of which each pair picks its own.
  Node graph_relative(Graph& g, const Node& q, const Node& query_positions, const Node& key_positions) const {
    const auto whole = [&](Index i) { return g.constant(std::vector<std::int64_t>{i}, {}); };
    const auto end_of = [&](const char* type, const Node& positions) {
      return g.op(type, {positions}, 1, {{"keepdims", std::int64_t(0)}}, 0);
    };
    const Node apart = distances(g, query_positions, key_positions);
    const Node first = end_of("ReduceMin", apart), last = end_of("ReduceMax", apart);
    const Node all = positions_of(g, first, g.add(last, whole(1)));
    const Node r = split_heads(g, pos_proj.graph(g, sinusoids(g, all, pos_proj.in())), heads);
    const Node by_distance = g.matmul(q, g.transposed(r));
    const Node leading = g.op("Shape", {q}, 1, {{"start", std::int64_t(0)}, {"end", std::int64_t(-2)}}, 1);
    const Node dims = g.concat({leading, g.op("Shape", {apart}, 1, {}, 1)}, 0, 1);
    const Node picked = g.op("Expand", {g.subtract(apart, first), dims}, 0, {}, q.rank);
    return g.op("GatherElements", {by_distance, picked}, 0, {{"axis", std::int64_t(-1)}});
  }
  /// The slopes of ALiBi (Press et al. 2022, sec. 3): 2^(-8/H), 2^(-16/H), ...
  static double alibi_slope(Index h, Index heads) { return std::exp2(-8.0 * double(h + 1) / double(heads)); }
};

}  // namespace heed::detail
