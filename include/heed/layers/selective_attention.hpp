#pragma once
#include "heed/core/graph.hpp"
#include "heed/detail/column_attention.hpp"

namespace heed {

enum class Selection { top_k, sparsemax };

/// Scaled dot-product attention that leaves keys out altogether, its heads side by side; it has no weights.
///
///   y_j = V select(K' q_j / sqrt(E))    for each sequence and head, over the keys that query j sees
///
///   top_k:      the softmax of the k highest scores, of equal ones the earlier (Zhao et al. 2019)
///   sparsemax:  max(score - tau, 0), where tau makes the sum 1 (Martins and Astudillo 2016, eq. 2)
///
///   q: (heads E) x queries, along the axis of its scope    k: (heads E) x keys    v: (heads V) x keys, along `keys`
///   y: (heads V) x queries    Sequence i of the queries attends to sequence i of the keys.
///
/// A query that sees no key answers zero, with zero gradient. Keys along an axis that belongs to another (entities at a
/// time step) are not remembered.
template <class S>
class SelectiveAttention {
 public:
  struct Config {
    Index dim = 0;                           ///< heads E
    Index value_dim = 0;                     ///< heads V; 0: dim
    Index heads = 1;                         ///< how many; each looks by itself
    Mask mask = Full();                      ///< which keys a query sees
    Selection selection = Selection::top_k;  ///< how keys are selected
    Index k = 0;                             ///< of top_k, at least 1; more than the keys in sight: all of them
  };
  detail::ColumnAttention<S> attention;  ///< of one query at a time

  SelectiveAttention(Scope at, Axis key_axis, Config c)
      : attention("SelectiveAttention", at, key_axis, c.dim, c.value_dim, c.heads, c.mask), rule_{c.selection, c.k} {
    if (c.selection == Selection::top_k && c.k < 1)
      detail::fail("SelectiveAttention: k %ld must be at least 1", long(c.k));
  }

  void forward(Read<S> q, Read<S> k, Read<S> v, Write<S> y, ActivationsView<S> a) const {
    attention.forward(q, k, v, y, a, rules());
  }
  void backward(Read<S> q, Read<S> k, Read<S> v, Read<S> y, Read<S> dy, ActivationsView<S> a, Gradient<S> dq,
                Gradient<S> dk, Gradient<S> dv) const {
    attention.backward(q, k, v, y, dy, a, dq, dk, dv, rules());
  }
  /// Forward for new queries of each lane, over the keys it remembers and the new ones.
  void extend(Read<S> q, Read<S> k, Read<S> v, Write<S> y, MemoryView<S> m, ActivationsView<S> a) const {
    attention.extend(q, k, v, y, m, a, rules());
  }
  /// The weights of one sequence and head, keys x queries.
  void weights(Read<S> q, Read<S> k, ActivationsView<S> a, Index sequence, Index head, Write<S> w) const {
    attention.weights(q, k, a, sequence, head, w, rule_);
  }

  template <class... Nodes>
  Node graph(Graph& g, const Nodes&...) const {
    return g.unsupported("SelectiveAttention");
  }

 private:
  struct Rule {
    using Column = detail::WeightColumn<S>;
    Selection selection;
    Index k;

    void forward(Index, Index, Column w, S* copy) const {
      if (selection == Selection::top_k)
        detail::top_k_softmax<S>(w, k, copy);
      else
        detail::sparsemax<S>(w);
    }
    void backward(Index query, Index first_key, Column w, Column dw, S* copy) const {
      forward(query, first_key, w, copy);
      if (selection == Selection::top_k)
        detail::softmax_backward<S>(w, dw);
      else
        detail::sparsemax_backward<S>(w, dw);
    }
  };
  auto rules() const {
    return [this](const auto&...) { return rule_; };
  }
  Rule rule_;
};

}  // namespace heed
