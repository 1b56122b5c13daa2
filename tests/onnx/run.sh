#!/bin/sh
# Exports many networks and layers to ONNX and asks ONNX's own checker and ONNX Runtime about them:  sh tests/onnx/run.sh
set -eu
root=$(cd -P "$(dirname "$0")/../.." && pwd)
. "$root/cmake/packages.sh"

need Eigen3 nlohmann_json onnx node npm
build=${HEED_BUILD:-$root/build/run}/onnx
mkdir -p "$build/models"
rm -f "$build/models/"*
cp "$root/tests/onnx/package.json" "$build"
# Without scripts: they would fetch what only a graphics card needs.
npm install --prefix "$build" --ignore-scripts --no-audit --no-fund --silent >&2

say "building the models"
"${CXX:-c++}" -std=c++20 -O1 -I"$root/include" -isystem "$(eigen_include)" "$root/tests/onnx/models.cpp" -o "$build/models.out"
"$build/models.out" "$build/models" >/dev/null
/usr/bin/python3 "$root/tests/onnx/check.py" "$build/models"
NODE_PATH=$build/node_modules node "$root/tests/onnx/run.js" "$build/models"
