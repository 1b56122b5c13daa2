#pragma once
#include "heed/core/graph.hpp"
#include "heed/detail/column_attention.hpp"

namespace heed {

/// How a choice gets a gradient.
enum class Estimator { straight_through, score_function };

/// Hard attention: each query and head picks one key. It has no weights.
///
///   y_j = v_i,    p_j = softmax(K' q_j / sqrt(E)) over the keys that query j sees
///   i ~ p_j in training, otherwise the i of the highest p_ij, of equal ones the first
///
///   q: (heads E) x queries, along the axis of its scope    k: (heads E) x keys    v: (heads V) x keys, along `keys`
///   y: (heads V) x queries    Sequence i of the queries attends to sequence i of the keys.
///
/// What is drawn depends on the mode's seed, the name of its scope, the head and the query's column. On the way back
/// the value that was picked gets dy, and the scores
///
///   straight_through:  what they would get if y were V p (Bengio et al. 2013)
///   score_function:    nothing through y, but what follows from the gradient of log p_i that stands in
///                      a.d(log_probability): -(R - baseline), say, where R is what the choice brought (Mnih et al.
///                      2014; Xu et al. 2015, sec. 4.1). forward sets it to zero.
///
/// A query that sees no key answers zero, with zero gradient. Keys along an axis that belongs to another (entities at a
/// time step) are not remembered.
template <class S>
class HardAttention {
 public:
  struct Config {
    Index dim = 0;                                      ///< heads E
    Index value_dim = 0;                                ///< heads V; 0: dim
    Index heads = 1;                                    ///< how many; each looks by itself
    Mask mask = Full();                                 ///< which keys a query sees
    Estimator estimator = Estimator::straight_through;  ///< how the choice is learned
  };
  detail::ColumnAttention<S> attention;  ///< of one query at a time
  Estimator estimator;                   ///< how the choice is learned
  Columns<> log_probability;             ///< log p_i of what was picked, heads x queries; 0 where nothing is seen
  Columns<> chosen;  ///< i, counted from the beginning of the sequence, heads x queries; -1 where nothing is seen

  HardAttention(Scope at, Axis key_axis, Config c)
      : attention("HardAttention", at, key_axis, c.dim, c.value_dim, c.heads, c.mask),
        estimator(c.estimator),
        log_probability(at.columns(c.heads)),
        chosen(at.columns(c.heads)),
        stream_(at.stream()) {}

  void forward(Read<S> q, Read<S> k, Read<S> v, Write<S> y, ActivationsView<S> a) const {
    attention.forward(q, k, v, y, a, rules(a));
    take_logarithms(a);
    a.d(log_probability).setZero();
  }
  void backward(Read<S> q, Read<S> k, Read<S> v, Read<S> y, Read<S> dy, ActivationsView<S> a, Gradient<S> dq,
                Gradient<S> dk, Gradient<S> dv) const {
    attention.backward(q, k, v, y, dy, a, dq, dk, dv, rules(a));
  }
  /// Forward for new queries of each lane, over the keys it remembers and the new ones.
  void extend(Read<S> q, Read<S> k, Read<S> v, Write<S> y, MemoryView<S> m, ActivationsView<S> a) const {
    attention.extend(q, k, v, y, m, a, rules(a));
    take_logarithms(a);
  }
  /// The probabilities p of one sequence and head, keys x queries.
  void weights(Read<S> q, Read<S> k, ActivationsView<S> a, Index sequence, Index head, Write<S> w) const {
    attention.weights(q, k, a, sequence, head, w, Probabilities{});
  }

  template <class... Nodes>
  Node graph(Graph& g, const Nodes&...) const {
    return g.unsupported("HardAttention");
  }

 private:
  using Column = detail::WeightColumn<S>;
  struct Probabilities {
    void forward(Index, Index, Column w, S*) const { detail::softmax<S>(w); }
  };

  /// One sequence and head. Its columns start at first_query, its keys at key_position.
  struct Rule {
    const HardAttention& layer;
    ActivationsView<S> a;
    Index sequence, head, first_query, query_position, key_position;

    void forward(Index j, Index first_key, Column w, S*) const {
      const Index best = std::max_element(w.begin(), w.end()) - w.begin(), column = first_query + j;
      const bool any = detail::highest<S>(w) > -std::numeric_limits<S>::infinity();
      detail::softmax<S>(w);
      const Index i = any && a.mode.training ? draw(query_position + j, w) : best;
      a[layer.log_probability](head, column) = any ? w(i) : S(1);  // its logarithm is yet to come
      a[layer.chosen](head, column) = any ? S(key_position + first_key + i) : S(-1);
      pick(w, any ? i : -1);
    }
    // straight through: ds = p o (dp - p . dp)    score function: ds = dlog p_i (onehot_i - p)
    void backward(Index j, Index first_key, Column w, Column dw, S*) const {
      const Index i = Index(a[layer.chosen](head, first_query + j)) - key_position - first_key;
      detail::softmax<S>(w);
      if (layer.estimator == Estimator::straight_through) {
        detail::softmax_backward<S>(w, dw);
      } else {
        const S slope = a.d(layer.log_probability)(head, first_query + j);
        dw = -slope * w;
        if (i >= 0) dw(i) += slope;
      }
      pick(w, i);
    }

   private:
    static void pick(Column& w, Index i) {
      w.setZero();
      if (i >= 0) w(i) = 1;
    }
    /// The first key up to which the probabilities sum to more than a random number.
    Index draw(Index position, const Column& w) const {
      const Random of_layer(a.mode.seed, layer.stream_);
      const Random random(of_layer.bits_at(std::uint64_t(sequence)), std::uint64_t(head));
      const double u = random.uniform_at(std::uint64_t(position)) * double(w.sum());
      double sum = 0;
      Index last = 0;
      for (Index i = 0; i < w.size(); ++i) {
        if (!(w(i) > 0)) continue;
        last = i;
        sum += double(w(i));
        if (sum > u) break;
      }
      return last;
    }
  };
  void take_logarithms(ActivationsView<S> a) const {
    using R = detail::Register<S>;
    detail::elementwise(
        a[log_probability], false, [](const R& p) -> R { return log(p); }, a[log_probability]);
  }
  auto rules(ActivationsView<S> a) const {
    return [this, a](detail::SequencePair s, Index head, const detail::Sight& sight) {
      return Rule{*this, a, s.sequence, head, s.query, sight.query_position, sight.key_position};
    };
  }
  std::uint64_t stream_;
};

}  // namespace heed
