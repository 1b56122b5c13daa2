#include "heed/layers/gru.hpp"

#include "../support.hpp"
#include "../support/recurrence.hpp"

using namespace support;

namespace {

const auto step = []<class T>(const Table<T>& of_x, const Table<T>& of_h, Table<T>& state) {
  plain_gru(of_x, of_h, state);
};
const RecurrentChecks<heed::Gru, decltype(step)> checks("Gru", 3, step);

}  // namespace

TEST_CASE("Gru computes its formula") { checks.formula(); }
TEST_CASE("Gru: gradients") { checks.gradients(); }
TEST_CASE("Gru: saturated gates") { checks.saturated_inputs(); }
TEST_CASE("Gru: nothing leaks") { checks.sight(); }
TEST_CASE("Gru: extend") { checks.extend(); }
TEST_CASE("Gru has PyTorch's names and starts uniform in +-1 / sqrt(hidden)") { checks.names_and_start(); }
TEST_CASE("Gru: wrong shapes, sizes and counts") { checks.complaints(); }
