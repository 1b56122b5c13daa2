#pragma once
// That nothing is allocated once the largest batch was seen.
#include "allocations.hpp"
#include "support/subject.hpp"

namespace support {

inline bool counted() {
  if (!allocations::counted()) WARN("left out: allocations cannot be counted here");
  return allocations::counted();
}

template <class F>
void check_quiet(const char* what, F f) {
  const long before = allocations::count();
  f();
  const long made = allocations::count() - before;
  INFO(what);
  CHECK(made == 0);
}

/// Whether a layer has `extend`; `growing`: its scratch is as long as what a lane remembers, and grows in one episode.
enum class Acts { no, yes, growing };

struct Batch {
  Lengths time, source;
};

/// A pass over a batch, over a smaller one and, where the layer acts, twice extending lanes by the whole batch.
template <class S>
void check_batches(const char* name, Subject<S>& s, const Batch& large, const Batch& small, Acts acts) {
  INFO(name << (sizeof(S) == 4 ? ", float" : ", double"));
  Parameters<S> g(s.layout);
  const auto check_pass = [&](const char* what, const Batch& batch, heed::Gradient<S> (*into)(Tokens<S>&), bool warm) {
    s.begin(batch.time, batch.source);
    const Tokens<S> dy = random<S>(s.y.rows(), s.y.cols(), 1);
    std::vector<heed::Gradient<S>> to;
    for (Tokens<S>& d : s.dx) to.push_back(into(d));
    const auto pass = [&] {
      s.forward();
      s.run_backward(dy, g, to);
    };
    if (!warm) pass();
    check_quiet(what, pass);
  };
  check_pass(
      "forward and backward", large, [](Tokens<S>& d) { return heed::Gradient<S>(d); }, false);

  if (acts != Acts::no) {
    const Index columns = sum(large.time) + sum(large.source);
    heed::Memory<S> m(s.layout, Index(large.time.size()), {.columns = 2 * columns, .chunk = columns});
    const auto act = [&] {
      s.extend(m);
      m.advance();
    };
    if (acts == Acts::growing) act(), act(), m.forget();
    act();
    check_quiet("extend", act);
  }

  check_pass(
      "a smaller batch", small, [](Tokens<S>& d) { return heed::Gradient<S>(heed::add_to(d)); }, true);
  check_pass(
      "without dx", small, [](Tokens<S>&) { return heed::Gradient<S>(heed::no_gradient); }, true);
}

/// The same with a quarter of the columns in each sequence for the smaller batch.
template <class S>
void check_layer(const char* name, Subject<S>& s, const Lengths& time, const Lengths& source = {},
                 Acts acts = Acts::yes) {
  Batch small{time, source};
  for (Index& n : small.source) n /= 4;
  if (!(s.layout[s.source].parent == s.time))  // otherwise the source has a sequence for each column of time
    for (Index& n : small.time) n /= 4;
  check_batches(name, s, {time, source}, small, acts);
}

}  // namespace support
