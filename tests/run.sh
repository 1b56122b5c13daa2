#!/bin/sh
# Builds and runs the tests, installing what they need:  sh tests/run.sh [options of ctest]
set -eu
root=$(cd -P "$(dirname "$0")/.." && pwd)
. "$root/cmake/packages.sh"

# HEED_BUILD names a directory that is configured already, as in .ci/run. Otherwise not build/tests: that is where the plain
# `cmake -B build` keeps its own. The comparison with PyTorch takes longest to compile: it is for whoever says HEED_PARITY=ON.
build=${HEED_BUILD:-$root/build/run/tests}
[ "${HEED_BUILD:-}" ] || configure "$build" "Eigen3 Catch2 nlohmann_json" -DHEED_TESTS=ON -DHEED_EXAMPLES=OFF \
  -DHEED_BENCHMARKS=OFF -DHEED_PARITY="${HEED_PARITY:-OFF}"
cmake --build "$build" --parallel "${CMAKE_BUILD_PARALLEL_LEVEL:-$(cores)}"
exec ctest --test-dir "$build" --parallel "${CTEST_PARALLEL_LEVEL:-$(cores)}" --output-on-failure "$@"
