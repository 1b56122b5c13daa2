#!/bin/sh
# Builds the page of examples/live and tests it in Chromium:  sh tests/live/run.sh [--screenshot FILE]
#
# docs/live.png is such a screenshot, in fewer colours: pngquant 128
set -eu
root=$(cd -P "$(dirname "$0")/../.." && pwd)
. "$root/cmake/packages.sh"
sh "$root/examples/live/run.sh"
have python3 || install_things python3
have chromedriver || install_things chromium-driver
exec python3 -B "$root/tests/live/test.py" "$root/build/live" "$@"
