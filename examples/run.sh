#!/bin/sh
# Builds and runs an example, installing what it needs:  sh examples/run.sh NAME [options]
set -eu
root=$(cd -P "$(dirname "$0")/.." && pwd)
. "$root/cmake/packages.sh"

list() {
  echo "usage: sh examples/run.sh NAME [options]"
  echo "examples:"
  { sources "$root/examples"; scripts; } | sed 's/^/  /'
}

# Examples with a script of their own: directories.
scripts() {
  for script in "$root"/examples/*/run.sh; do basename "$(dirname "$script")"; done
}

if [ $# -eq 0 ]; then
  list
  exit
fi
example=$1
shift
if scripts | grep -qFx -e "$example"; then exec sh "$root/examples/$example/run.sh" "$@"; fi
if ! sources "$root/examples" | grep -qFx -e "$example"; then
  say "there is no example '$example'"
  list >&2
  exit 2
fi

# HEED_BUILD names a directory that is configured already, as in .ci/run. Otherwise not build/examples: that is where the plain
# `cmake -B build` keeps its own.
build=${HEED_BUILD:-$root/build/run/examples}
[ "${HEED_BUILD:-}" ] || configure "$build" "Eigen3 CLI11 nlohmann_json" -DHEED_TESTS=OFF -DHEED_EXAMPLES=ON \
  -DHEED_BENCHMARKS=OFF
build_target "$build" "$example"
exec "$build/examples/$example" "$@"
