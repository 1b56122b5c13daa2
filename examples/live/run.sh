#!/bin/sh
# A page with a cart-pole, its policy and its attention, compiled to WebAssembly, in build/live:
#
#   sh examples/live/run.sh                  trains the policy and builds the page
#   sh examples/live/run.sh --serve [PORT]   and serves it
set -eu
root=$(cd -P "$(dirname "$0")/../.." && pwd)
. "$root/cmake/packages.sh"
here=$root/examples/live
page=$root/build/live

case ${1-} in
  "" | --serve) ;;
  *) die "usage: sh examples/live/run.sh [--serve [PORT]]" ;;
esac
port=${2-8000}

mkdir -p "$page"
sh "$root/examples/run.sh" cart_pole --quiet --save "$page/policy.safetensors"

have em++ || install_things emscripten
say "compiling to WebAssembly"
# Undefined is what live.js brings.
em++ -std=c++20 -O3 -DNDEBUG -DEIGEN_NO_IO -fno-exceptions -fno-rtti -Wall -Wextra \
  -sSTANDALONE_WASM --no-entry -sERROR_ON_UNDEFINED_SYMBOLS=0 -sWARN_ON_UNDEFINED_SYMBOLS=0 \
  -I "$root/include" -isystem "$(eigen_include)" "$here/page.cpp" -o "$page/live.wasm"
cp "$here/index.html" "$here/live.css" "$here/live.js" "$page"
say "built $page, $(cat "$page"/* | wc -c | tr -d ' ') bytes"

if [ $# -eq 0 ]; then
  say "serve it by --serve or by any static server, for example: python3 -m http.server --directory '$page'"
else
  have python3 || install_things python3
  say "serving http://localhost:$port until Ctrl-C"
  exec python3 -m http.server --bind 127.0.0.1 --directory "$page" "$port"
fi
