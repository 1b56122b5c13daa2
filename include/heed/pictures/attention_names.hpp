#pragma once
#include <cmath>
#include <string>
#include <vector>

#include "heed/core/tokens.hpp"

namespace heed {

/// What a picture of attention says of its keys and queries.
struct AttentionNames {
  std::vector<std::string> keys = {}, queries = {};                ///< a name for each; none: 0, 1, 2, ...
  std::string title = {};                                          ///< above the picture
  std::string key_title = "attended to", query_title = "attends";  ///< at its sides
};

namespace detail {

/// The weights of a picture, and a name for each key and query. What is no picture of attention is an error.
template <class M>
Tokens<double> weights_to_show(const char* who, const Eigen::MatrixBase<M>& weights, AttentionNames& names) {
  const Tokens<double> w = weights.template cast<double>();
  if (w.size() == 0) fail("%s: weights are %ld x %ld: there is nothing to show", who, long(w.rows()), long(w.cols()));
  for (Index j = 0; j < w.cols(); ++j)
    for (Index i = 0; i < w.rows(); ++i)
      if (!(w(i, j) >= 0 && std::isfinite(w(i, j))))
        fail("%s: the weight of key %ld for query %ld is %g", who, long(i), long(j), w(i, j));
  const auto complete = [&](const char* what, std::vector<std::string>& of, Index count) {
    if (of.empty())
      for (Index i = 0; i < count; ++i) of.push_back(std::to_string(i));
    if (Index(of.size()) != count) fail("%s: %zu names of %ld %s", who, of.size(), long(count), what);
  };
  complete("keys", names.keys, w.rows());
  complete("queries", names.queries, w.cols());
  return w;
}

}  // namespace detail
}  // namespace heed
