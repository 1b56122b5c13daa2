#pragma once
#include "heed/core/activations.hpp"
#include "heed/core/parameters.hpp"
#include "heed/core/scope.hpp"

namespace heed::detail {

/// Learned queries that every set is asked: sequence i of an axis of their own is a copy of them for sequence i of the sets.
///
///   Q ("name"): count x D, Xavier uniform, a row a query    queries: D x (count sets), Q' again and again
template <class S>
class LearnedQueries {
 public:
  Weight<> weight;
  Axis sets;
  Columns<> queries;  // along their own axis, a sibling of that of the sets

  /// The axis of `at` is that of the sets.
  LearnedQueries(Scope at, std::string_view name, Index count, Index dim)
      : weight(at.weight<Dynamic, Dynamic>(name, {count, dim}, xavier_uniform())),
        sets(at.axis()),
        queries(at.along(at.sibling_axis()).columns(dim)) {}

  Index count() const { return weight.rows; }
  Axis axis() const { return queries.axis; }
  void begin(ActivationsView<S> a) const {
    a.begin(axis(), a.sequences(sets).count(), [this](Index) { return count(); });
  }

  void forward(ParametersView<const S> p, ActivationsView<S> a) const {
    begin(a);
    for (Index first = 0; first < a.columns(axis()); first += count())
      a[queries].middleCols(first, count()) = p[weight].transpose();
  }
  // dQ += the sum over sets of dqueries'
  void backward(ActivationsView<S> a, ParametersView<S> g) const {
    for (Index first = 0; first < a.columns(axis()); first += count())
      g[weight] += a.d(queries).middleCols(first, count()).transpose();
  }
};

}  // namespace heed::detail
