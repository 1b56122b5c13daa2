#pragma once
#include <algorithm>

#include "heed/core/masks.hpp"
#include "heed/core/memory.hpp"

namespace heed::detail {

/// What each query sees: a mask, and the absolute positions of the first query and the first key, `step` apart from one to
/// the next. In a part of a strided mask everything counts in steps.
struct Sight {
  Mask mask;
  Index query_position = 0, key_position = 0, step = 1;

  Interval keys(Index query, Index begin, Index end) const {
    const Interval seen = mask.keys(query_position + query);
    const Interval here{std::max(seen.begin - key_position, begin), std::min(seen.end - key_position, end)};
    return here.begin < here.end ? here : Interval{begin, begin};
  }
  /// What a block of queries sees together, of `keys` keys: from the first that its first query sees to the last that its
  /// last query sees.
  Interval keys_of_block(Index query, Index count, Index keys) const {
    const Index begin = mask.keys(query_position + query).begin - key_position;
    const Index end = mask.keys(query_position + query + count - 1).end - key_position;
    const Interval here{std::max(begin, Index(0)), std::min(end, keys)};
    return here.begin < here.end ? here : Interval{0, 0};
  }
  /// The position of a query less that of a key.
  Index distance(Index query, Index key) const { return step * (query_position + query - key_position - key); }
};

/// Some of the columns of a sequence: every step-th from `first` on.
struct Every {
  Index first, count, step;
  /// Those of `n` columns, the first at `position`, whose position is a multiple of `step` and a rest.
  static Every of_rest(Index rest, Index step, Index position, Index n) {
    const Index first = ((rest - position) % step + step) % step;
    return {first, first < n ? (n - first + step - 1) / step : 0, step};
  }
  template <class S>
  Read<S> of(const Read<S>& m) const {
    return ConstStrided<S, Dynamic>(place(m.data()) + (count > 0 ? first * m.outerStride() : 0), m.rows(), count,
                                    Eigen::OuterStride<>(step * m.outerStride()));
  }
  template <class S>
  Write<S> of(const Write<S>& m) const {
    return Strided<S, Dynamic>(place(const_cast<S*>(m.data())) + (count > 0 ? first * m.outerStride() : 0), m.rows(),
                               count, Eigen::OuterStride<>(step * m.outerStride()));
  }
  template <class S>
  Gradient<S> of(Gradient<S> m) const {
    if (!m.wanted()) return no_gradient;
    const Write<S> columns = of(Write<S>(m));
    if (m.adds()) return add_to(columns);
    return columns;
  }
};

/// Visits the parts in which a mask is seen, each an interval: f(queries, keys, sight). A strided mask is an interval, and
/// before it for each rest the same thing among every stride-th token.
template <class F>
void each_part(const Sight& whole, Index queries, Index keys, F&& f) {
  Sight sight = whole;
  sight.mask.stride = 0;
  f(Every{0, queries, 1}, Every{0, keys, 1}, sight);
  const Index stride = whole.mask.stride;
  for (Index rest = 0; rest < stride; ++rest) {
    const Every q = Every::of_rest(rest, stride, whole.query_position, queries);
    const Every k = Every::of_rest(rest, stride, whole.key_position, keys);
    if (q.count == 0 || k.count == 0) continue;
    sight.query_position = (whole.query_position + q.first) / stride;
    sight.key_position = (whole.key_position + k.first) / stride;
    sight.step = stride;
    sight.mask = whole.mask.beyond();
    f(q, k, sight);
  }
}

/// What the new queries of a lane see of the keys that it remembers. Along one axis a ring remembers so many positions back
/// from each query; positions of another axis may run ahead or behind, and there all that is remembered is in sight.
template <class S>
Sight sight_of_lane(const Mask& mask, const MemoryView<S>& m, Axis query_axis, Axis key_axis, Index lane) {
  const Index window = query_axis == key_axis ? m.window(key_axis) : unlimited;
  return {mask.within(window), m.length(query_axis, lane), m.first(key_axis, lane)};
}

}  // namespace heed::detail
