#!/bin/sh
# Builds and runs one benchmark or all, installing what they need:  sh benchmarks/run.sh [NAME] [options]
# By its name alone: `versus`, the comparison with LibTorch.
set -eu
root=$(cd -P "$(dirname "$0")/.." && pwd)
. "$root/cmake/packages.sh"

benchmarks=$(sources "$root/benchmarks")
case ${1:-} in
  '' | -*) ;;
  versus)
    # LibTorch computes with whatever BLAS it finds: the reference's would be no peer.
    need Torch OpenBLAS
    benchmarks=versus/versus
    shift
    ;;
  *)
    if ! echo "$benchmarks" | grep -qFx -e "$1"; then
      say "there is no benchmark '$1'; there are:" $benchmarks versus
      exit 2
    fi
    benchmarks=$1
    shift
    ;;
esac

# Measured for this machine's processor.
build=$root/build/run/benchmarks
configure "$build" "Eigen3 benchmark" -DHEED_TESTS=OFF -DHEED_EXAMPLES=OFF -DHEED_BENCHMARKS=ON -DHEED_NATIVE=ON
for benchmark in $benchmarks; do
  build_target "$build" "benchmark_$(basename "$benchmark")"
  "$build/benchmarks/$benchmark" "$@"
done
