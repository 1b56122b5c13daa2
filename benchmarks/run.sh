#!/bin/sh
# Builds and runs one benchmark or all, installing what they need:  sh benchmarks/run.sh [NAME] [options]
# By their names alone:
#   versus                     the comparison with LibTorch, layers and policies
#   versus_cart_pole           and of learning cart-pole
#   instructions [--renew]     counts the instructions of some kernels; status 1 where one needs over 2 % more than
#                              is kept in benchmarks/instructions/counts.txt, which --renew writes
#   instructions --if-alike    only if those were counted with this compiler, Eigen and C library
set -eu
root=$(cd -P "$(dirname "$0")/.." && pwd)
. "$root/cmake/packages.sh"

# Measured for this machine's processor.
build=$root/build/run/benchmarks
configure_benchmarks() {
  configure "$build" "Eigen3 benchmark" -DHEED_TESTS=OFF -DHEED_EXAMPLES=OFF -DHEED_BENCHMARKS=ON -DHEED_NATIVE=ON
}

# count KERNEL RUNS: the instructions of the whole program. Nothing may shift its stack from time to time, neither the
# environment nor the length of an argument.
count() {
  env -i "$(command -v valgrind)" --tool=callgrind --callgrind-out-file=/dev/null ./instructions "$1" "$2" \
    >"count_$2.log" 2>&1 || { cat "count_$2.log" >&2; return 1; }
  sed -n 's/.*Collected : *//p' "count_$2.log"
}

# count_all: what the program was built with, then KERNEL INSTRUCTIONS for each; starting and warming up cancel out.
count_all() {
  while read -r kernel comment; do
    if [ "$kernel" = "#" ]; then
      echo "# $comment"
      continue
    fi
    few=$(count "$kernel" 02) && many=$(count "$kernel" 12) || return 1
    echo "$kernel $(((many - few) / 10))"
  done <kernels.txt
}

# compare KEPT NOW: a table, and status 1 where a kernel needs more
compare() {
  awk -v limit=2 '
    /^#/ { built[now] = $0; next }
    !now { kept[$1] = $2; next }
    FNR == 2 { printf "%-50s %14s %14s %9s\n", "kernel", "instructions", "kept", "change" }
    !($1 in kept) { printf "%-50s %14.0f %14s %9s\n", $1, $2, "-", "new"; next }
    {
      change = 100 * ($2 / kept[$1] - 1)
      more = (100 * $2 > (100 + limit) * kept[$1])
      slower += more
      printf "%-50s %14.0f %14.0f %+7.2f %%%s\n", $1, $2, kept[$1], change, more ? "  slower" : ""
      delete kept[$1]
    }
    END {
      for (kernel in kept) printf "%-50s %14s %14.0f %9s\n", kernel, "-", kept[kernel], "gone"
      if (built[0] != built[1]) print "Not built alike, kept and now:\n  " built[0] "\n  " built[1]
      exit slower > 0
    }' now=0 "$1" now=1 "$2"
}

instructions() {
  kept=$root/benchmarks/instructions/counts.txt
  case $* in
    '' | --renew | --if-alike) ;;
    *) say "instructions takes --renew, --if-alike or nothing, not '$*'"; exit 2 ;;
  esac
  need valgrind
  configure_benchmarks
  build_target "$build" benchmark_instructions
  cd "$build/benchmarks/instructions"
  ./instructions >kernels.txt
  built=$(sed 1q kernels.txt) before=$(sed 1q "$kept")
  if [ "$*" = --if-alike ] && [ "$built" != "$before" ]; then
    say "instructions are not compared, kept and built now are not alike:" "$before" "$built"
    return
  fi
  say "counting"
  count_all >counts.txt
  if [ "$*" = --renew ]; then
    cp counts.txt "$kept"
  elif ! compare "$kept" counts.txt; then
    say "slower than what is kept; if that is meant: sh benchmarks/run.sh instructions --renew"
    exit 1
  fi
}

benchmarks=$(sources "$root/benchmarks")
case ${1:-} in
  '' | -*) ;;
  instructions)
    shift
    instructions "$@"
    exit
    ;;
  versus | versus_cart_pole)
    # LibTorch computes with whatever BLAS it finds: the reference's would be no peer.
    need Torch OpenBLAS
    benchmarks=versus/$1
    shift
    ;;
  *)
    if ! echo "$benchmarks" | grep -qFx -e "$1"; then
      say "there is no benchmark '$1'; there are:" $benchmarks instructions versus versus_cart_pole
      exit 2
    fi
    benchmarks=$1
    shift
    ;;
esac

configure_benchmarks
for benchmark in $benchmarks; do
  build_target "$build" "benchmark_$(basename "$benchmark")"
  "$build/benchmarks/$benchmark" "$@"
done
