#!/bin/sh
# libFuzzer looks for files that break the readers:  sh tests/fuzz/run.sh [SECONDS [keep]]
#
# Each target runs for SECONDS (60) from the files in tests/data/fuzz/TARGET on. A file that breaks one ends up in
# build/fuzz, and the script with an error. With keep, files that reach code that none did before are added to
# tests/data/fuzz, under the hash of what they are; those with a name were made by hand.
set -eu
root=$(cd -P "$(dirname "$0")/../.." && pwd)
. "$root/cmake/packages.sh"
cd "$root"
seconds=${1:-60}
keep=${2:-}
work=$root/build/fuzz
clang=${CLANG:-clang++}
need Eigen3 nlohmann_json clang++
mkdir -p "$work"

for target in header safetensors checkpoint curve; do
  say "fuzzing $target for $seconds s"
  "$clang" -std=c++20 -O1 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -I include \
    -isystem "$(eigen_include)" "tests/fuzz/$target.cpp" -o "$work/$target" ||
    die "clang cannot build a fuzzer here; does it lack libclang-rt-14-dev (of its version)?"
  corpus=tests/data/fuzz/$target
  mkdir -p "$work/$target-found" "$corpus"
  "$work/$target" -max_total_time="$seconds" -max_len=4096 -timeout=10 -rss_limit_mb=2048 -malloc_limit_mb=16 \
    -dict=tests/fuzz/safetensors.dict -artifact_prefix="$work/$target-" -print_final_stats=1 \
    "$work/$target-found" "$corpus" >"$work/$target.log" 2>&1 ||
    { tail -n 60 "$work/$target.log" >&2; die "$target is broken by a file in $work"; }
  grep -E "number_of_executed_units|new_units_added" "$work/$target.log"
  if [ "$keep" = keep ]; then
    "$work/$target" -merge=1 -use_counters=0 -max_len=4096 "$corpus" "$work/$target-found" >>"$work/$target.log" 2>&1
    say "$corpus: $(ls "$corpus" | wc -l) files"
  fi
done
