#include "heed/layers/lstm.hpp"

#include "../support.hpp"
#include "../support/recurrence.hpp"

using namespace support;

namespace {

const auto step = []<class T>(const Table<T>& of_x, const Table<T>& of_h, Table<T>& state) {
  plain_lstm(of_x, of_h, state);
};
const RecurrentChecks<heed::Lstm, decltype(step)> checks("Lstm", 4, step);

}  // namespace

TEST_CASE("Lstm computes its formula") { checks.formula(); }
TEST_CASE("Lstm: gradients") { checks.gradients(); }
TEST_CASE("Lstm: saturated gates") { checks.saturated_inputs(); }
TEST_CASE("Lstm: nothing leaks") { checks.sight(); }
TEST_CASE("Lstm: extend") { checks.extend(); }
TEST_CASE("Lstm has PyTorch's names and starts uniform in +-1 / sqrt(hidden)") { checks.names_and_start(); }
TEST_CASE("Lstm: wrong shapes, sizes and counts") { checks.complaints(); }
