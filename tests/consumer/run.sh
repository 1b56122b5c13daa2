#!/bin/sh
# Builds and runs a project that uses heed in each of the three ways:  sh tests/consumer/run.sh
set -eu
root=$(cd -P "$(dirname "$0")/../.." && pwd)
. "$root/cmake/packages.sh"
need Eigen3

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
work="$work/a path with spaces"
mkdir -p "$work"
cp "$root"/tests/consumer/*.cpp "$root/tests/consumer/CMakeLists.txt" "$work"
cd "$work"

say "installed, moved, and found by find_package"
cmake -S "$root" -B heed -DHEED_TESTS=OFF -DHEED_EXAMPLES=OFF -DHEED_BENCHMARKS=OFF
cmake --install heed --prefix "$work/installed"
mv installed moved
cmake -S . -B found -DCMAKE_PREFIX_PATH="$work/moved"
cmake --build found
./found/consumer

say "as a subdirectory"
cmake -S . -B inside -DHEED_SOURCE="$root"
cmake --build inside
./inside/consumer

say "by the compiler alone"
${CXX:-c++} -std=c++20 -I "$root/include" -isystem "$(eigen_include)" main.cpp other.cpp -o plain
./plain
