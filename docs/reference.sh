#!/bin/sh
# The reference of all that is public, from the comments of the headers:  sh docs/reference.sh
# Fails where a public name has no comment, or one that Doxygen does not understand.
set -eu
root=$(cd -P "$(dirname "$0")/.." && pwd)
. "$root/cmake/packages.sh"
install_things $(missing doxygen)
cd "$root"
mkdir -p build
PROJECT_NUMBER=$(sed -n 's/^project(heed VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)
{ cat docs/Doxyfile; echo "PROJECT_NUMBER = $PROJECT_NUMBER"; } | doxygen -
say "written: build/reference/html/index.html"
