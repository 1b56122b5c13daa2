#pragma once
#include "heed/core/activations.hpp"
#include "heed/core/scope.hpp"

namespace heed::detail {

enum class Direction { forward, reverse };

/// Sequences of different lengths, one step of all of them at a time. Along an axis of its own, `steps`, "sequence" t
/// holds a column for each sequence that is longer than t, in their order: what happens at one step is one block of
/// columns, and nothing is padded. In reverse, step 0 is the last column of each sequence.
class Lockstep {
 public:
  Axis time, steps;

  /// Where a sequence is at a step.
  struct Place {
    Index sequence;
    Index column;      // along time
    Index now, after;  // along the steps: its column at this step and at the next, there -1 if this is its last
  };

  explicit Lockstep(Scope at) : time(at.axis()), steps(at.new_axis()) {}

  template <class S>
  void begin(ActivationsView<S> a) const {
    const SequencesView s = a.sequences(time);
    Index longest = 1;  // an axis has at least one sequence, if only an empty one
    for (Index i = 0; i < s.count(); ++i) longest = std::max(longest, s.length(i));
    a.begin(steps, longest, [s](Index t) {
      Index active = 0;
      for (Index i = 0; i < s.count(); ++i) active += s.length(i) > t;
      return active;
    });
  }

  /// Calls f(place) for each sequence that is longer than t.
  template <class S, class F>
  void each(ActivationsView<S> a, Index t, Direction direction, F&& f) const {
    const SequencesView s = a.sequences(time), at = a.sequences(steps);
    Index now = at.first(t), after = now + at.length(t);
    for (Index i = 0; i < s.count(); ++i) {
      const Index n = s.length(i);
      if (n <= t) continue;
      const Index column = s.first(i) + (direction == Direction::forward ? t : n - 1 - t);
      f(Place{i, column, now++, n > t + 1 ? after++ : -1});
    }
  }
};

}  // namespace heed::detail
