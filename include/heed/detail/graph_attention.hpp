#pragma once
#include "heed/core/masks.hpp"
#include "heed/detail/graph_positions.hpp"
#include "heed/layers/positions.hpp"

namespace heed::detail {

/// [..., tokens, heads E] as [..., heads, tokens, E], and back.
inline Node split_heads(Graph& g, const Node& x, Index heads) {
  std::vector<std::int64_t> dims(std::size_t(x.rank - 1), 0), order;
  dims.insert(dims.end(), {heads, x.rows / heads});
  for (int i = 0; i < x.rank - 2; ++i) order.push_back(i);
  order.insert(order.end(), {x.rank - 1, x.rank - 2, x.rank});
  return g.permuted(g.reshape(x, dims), order, x.rows / heads);
}
inline Node join_heads(Graph& g, const Node& x, Index heads) {
  std::vector<std::int64_t> dims(std::size_t(x.rank - 2), 0), order;
  for (int i = 0; i < x.rank - 3; ++i) order.push_back(i);
  order.insert(order.end(), {x.rank - 2, x.rank - 3, x.rank - 1});
  dims.push_back(heads * x.rows);
  return g.reshape(g.permuted(x, order, x.rows), dims);
}

/// [..., key heads, tokens, E], of which several heads share one, for each head.
inline Node for_each_head(Graph& g, const Node& x, Index heads, Index key_heads) {
  if (key_heads == heads) return x;
  std::vector<std::int64_t> of_head;
  for (Index h = 0; h < heads; ++h) of_head.push_back(h * key_heads / heads);
  return g.gather(x, g.constant(of_head), -3, x.rows, x.rank);
}

/// The positions of queries less those of keys, queries x keys.
inline Node distances(Graph& g, const Node& query_positions, const Node& key_positions) {
  return g.subtract(g.unsqueeze(query_positions, {1}), g.unsqueeze(key_positions, {0}));
}

/// What a softmax over keys is told of those out of sight. Who sees nothing has weights of zero.
class GraphSight {
 public:
  /// Of tokens that are seen or not.
  explicit GraphSight(const Node& seen) : all_(false), seen_(seen) {}
  /// Of a mask, by the positions of queries and keys.
  GraphSight(Graph& g, const Mask& mask, const Node& query_positions, const Node& key_positions)
      : all_(mask.behind == unlimited && mask.ahead == unlimited) {
    if (!all_) seen_ = visible(g, mask, distances(g, query_positions, key_positions));
  }

  Node of_scores(Graph& g, const Node& scores) const {
    return all_ ? scores : g.op("Where", {seen_, scores, g.number(-1e30)}, scores.rows);
  }
  Node of_weights(Graph& g, const Node& weights) const {
    return all_ ? weights : g.multiply(weights, g.cast(seen_, Graph::Type::float32));
  }
  Node softmax(Graph& g, const Node& scores) const { return of_weights(g, g.softmax(of_scores(g, scores))); }

 private:
  static Node visible(Graph& g, const Mask& mask, const Node& distance) {
    const auto at = [&](Index i) { return g.constant(std::vector<std::int64_t>{i}); };
    const auto both = [&](const char* type, const Node& a, const Node& b) { return g.op(type, {a, b}, 0); };
    const Node ahead = both("GreaterOrEqual", distance, at(-mask.ahead));
    const Node near = both("And", ahead, both("LessOrEqual", distance, at(mask.behind)));
    if (mask.stride == 0) return near;
    const Node step = both("Equal", both("Mod", distance, at(mask.stride)), at(0));
    const Node beyond = both("Greater", distance, at(mask.behind)),
               within = both("LessOrEqual", distance, at(mask.far));
    return both("Or", near, both("And", step, both("And", beyond, within)));
  }
  bool all_;
  Node seen_;
};

/// R(position) x of rotary(), x: [..., heads, tokens, E].
inline Node rotated(Graph& g, const Node& x, const Node& positions, const Position& position) {
  const Index e = x.rows;
  std::vector<double> w(std::size_t(e), 0.0);
  std::vector<float> signs(w.size());
  std::vector<std::int64_t> partners(w.size());
  for (Index pair = 0; pair < e / 2; ++pair) {
    const std::size_t a = std::size_t(position.interleaved ? 2 * pair : pair);
    const std::size_t b = std::size_t(position.interleaved ? 2 * pair + 1 : pair + e / 2);
    w[a] = w[b] = std::pow(position.base, -double(2 * pair) / double(e));
    partners[a] = std::int64_t(b), partners[b] = std::int64_t(a);
    signs[a] = -1, signs[b] = 1;
  }
  const Node angle = angles(g, positions, w, std::vector<double>(w.size(), 0.0));
  const auto of_angle = [&](const char* function) { return g.cast(g.op(function, {angle}, e), Graph::Type::float32); };
  const Node partner = g.multiply(g.gather(x, g.constant(partners), -1, e, x.rank), g.constant(signs));
  return g.add(g.multiply(x, of_angle("Cos")), g.multiply(partner, of_angle("Sin")));
}

}  // namespace heed::detail
