#pragma once
#include "board.hpp"
#include "heed/core/policy.hpp"
#include "heed/core/static_activations.hpp"
#include "heed/core/static_layout.hpp"
#include "heed/core/static_memory.hpp"
#include "heed/core/static_parameters.hpp"
#include "observations.hpp"

/// Acts on each observation in turn, and prints a line a step: the action and the logits in millionths. Then what it took.
template <class Net>
int act(const Net& net, heed::ParametersView<const float> p, heed::MemoryView<float> m,
        heed::ActivationsView<float> a) {
  heed::error_handler() = board::die;
  a.begin(net.time, 1, [](heed::Index) { return heed::Index(1); });
  constexpr long steps = std::size(observations);
  long long instructions = 0;
  for (long t = 0; t < steps; ++t) {
    if (starts[t]) m.forget(0);
    const std::uint32_t before = board::clock();
    net.extend(p, Eigen::Map<const heed::Tokens<float>>(observations[t], 4, 1), m, a);
    m.advance(0);
    const auto logits = a[net.logits];
    const bool action = logits(1) > logits(0);
    instructions += board::instructions(before);
    board::print(long(action));
    for (long i : {0, 1}) {
      board::print(" ");
      board::print(long(logits(i) * 1e6f));
    }
    board::print("\n");
  }
  board::print("stack ");
  board::print(board::stack());
  board::print("\ninstructions ");
  board::print(long(instructions / steps));
  board::print("\n");
  return 0;
}
