#!/bin/sh
# Builds and runs a project that uses heed in each way there is:  sh tests/consumer/run.sh
set -eu
root=$(cd -P "$(dirname "$0")/../.." && pwd)
. "$root/cmake/packages.sh"
need Eigen3 nlohmann_json git pkg-config python3

base=$(mktemp -d)
trap 'rm -rf "$base"' EXIT
work="$base/a path with spaces"
mkdir -p "$work"
cp "$root"/tests/consumer/*.cpp "$root/tests/consumer/CMakeLists.txt" "$work"
cd "$work"
compiler=${CXX:-c++}

# consume DIRECTORY options...: the project, built and run
consume() {
  directory=$1
  shift
  cmake -S . -B "$directory" "$@" >"$directory.log" && cmake --build "$directory" >>"$directory.log" ||
    { cat "$directory.log" >&2; exit 1; }
  "./$directory/consumer"
}

say "installed, moved, and found by find_package"
cmake -S "$root" -B heed -DHEED_TESTS=OFF -DHEED_EXAMPLES=OFF -DHEED_BENCHMARKS=OFF >heed.log
cmake --install heed --prefix "$work/installed" >>heed.log
mv installed moved
consume found -DCMAKE_PREFIX_PATH="$work/moved"

say "installed, moved, and found by pkg-config"
cp -R moved "$base/moved"  # a compiler's flags are told apart by spaces
PKG_CONFIG_PATH="$base/moved/share/pkgconfig${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}"
export PKG_CONFIG_PATH
"$compiler" -std=c++20 $(pkg-config --cflags heed) main.cpp other.cpp -o packaged $(pkg-config --libs heed)
./packaged

say "as a subdirectory"
consume inside -DHEED_SOURCE="$root"

say "by FetchContent"
mkdir repository
cp -R "$root/CMakeLists.txt" "$root/cmake" "$root/include" "$root/LICENSE" repository
git -C repository init -q -b main
git -C repository add .
git -C repository -c user.name=heed -c user.email=heed@localhost commit -q -m heed
consume fetched -DHEED_GIT="$work/repository"

say "by the compiler alone"
"$compiler" -std=c++20 -I "$root/include" -isystem "$(eigen_include)" main.cpp other.cpp -o plain
./plain

if have dpkg-deb; then
  say "as a Debian package"
  cpack -G DEB --config heed/CPackConfig.cmake -B deb >deb.log
  package=$(echo deb/heed_*_all.deb)
  dpkg-deb --field "$package" Depends | grep -q libeigen3-dev || die "$package does not depend on Eigen"
  dpkg-deb -x "$package" root
  consume unpacked -DCMAKE_PREFIX_PATH="$work/root/usr"
fi

say "recipes for vcpkg and Conan"
cmake -D CURRENT_PORT_DIR="$root/cmake/packaging/vcpkg" -D WORK="$work/vcpkg" -P "$root/tests/consumer/vcpkg.cmake"
python3 - "$root" <<'PYTHON'
import ast, json, pathlib, re, sys

root = pathlib.Path(sys.argv[1])
recipes = root / "cmake/packaging"
project = re.search(r"project\(heed VERSION ([0-9.]+)", (root / "CMakeLists.txt").read_text()).group(1)
port = json.loads((recipes / "vcpkg/vcpkg.json").read_text())
conan = re.search(r'^    version = "(.*)"$', (recipes / "conan/conanfile.py").read_text(), re.M).group(1)
for name, version in {"vcpkg.json": port["version"], "conanfile.py": conan}.items():
    if version != project:
        sys.exit(f"heed: {name} says version {version}, CMakeLists.txt {project}")
if not re.search(rf"^## {re.escape(project)}\b", (root / "CHANGELOG.md").read_text(), re.M):
    sys.exit(f"heed: CHANGELOG.md says nothing of version {project}")
for recipe in recipes.glob("conan/**/conanfile.py"):
    ast.parse(recipe.read_text(), str(recipe))
PYTHON
