#pragma once
#include "heed/core/sequences.hpp"

namespace heed::detail {

/// A sequence of queries and the sequence of keys that it attends to.
struct SequencePair {
  Index sequence;
  Index query, queries;  // first column and count
  Index key, keys;
};

class SequencePairs {
 public:
  SequencePairs(const char* who, SequencesView queries, SequencesView keys)
      : who_(who), queries_(queries), keys_(keys) {
    if (queries.count() != keys.count())
      fail("%s: %ld sequences of queries, but %ld of keys", who, long(queries.count()), long(keys.count()));
  }
  SequencePair operator[](Index s) const {
    if (s < 0 || s >= queries_.count())
      fail("%s: sequence %ld asked for, but there are %ld", who_, long(s), long(queries_.count()));
    return {s, queries_.first(s), queries_.length(s), keys_.first(s), keys_.length(s)};
  }
  template <class F>
  void each(F&& f) const {
    for (Index s = 0; s < queries_.count(); ++s) f((*this)[s]);
  }
  Index queries() const { return queries_.columns(); }
  Index keys() const { return keys_.columns(); }

 private:
  const char* who_;
  SequencesView queries_, keys_;
};

}  // namespace heed::detail
