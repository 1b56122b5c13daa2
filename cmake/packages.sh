# Read by all run.sh and by .ci/run, with $root set to the repository:
# finds out what a build needs and this machine lacks, installs that, and configures.

say() { printf '%s\n' "heed: $*" >&2; }
die() { say "$@"; exit 1; }

have() { command -v "$1" >/dev/null 2>&1; }

cores() { getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2; }

# name THING apt|brew|plain: what a thing is called by Debian, by Homebrew, and by people
name() {
  case $1/$2 in
    compiler/apt) echo g++ ;;
    compiler/plain) echo "a C++20 compiler" ;;
    compiler/brew) echo llvm ;;
    Eigen3/apt) echo libeigen3-dev ;;
    Eigen3/brew) echo eigen ;;
    Eigen3/plain) echo "Eigen (3.4 or newer)" ;;
    Catch2/apt | Catch2/brew) echo catch2 ;;
    nlohmann_json/apt) echo nlohmann-json3-dev ;;
    nlohmann_json/brew) echo nlohmann-json ;;
    CLI11/apt) echo libcli11-dev ;;
    CLI11/brew) echo cli11 ;;
    benchmark/apt) echo libbenchmark-dev ;;
    benchmark/brew) echo google-benchmark ;;
    benchmark/plain) echo "Google Benchmark" ;;
    Torch/apt) echo libtorch-dev ;;
    Torch/brew) echo pytorch ;;
    Torch/plain) echo LibTorch ;;
    OpenBLAS/apt) echo libopenblas-dev ;;
    OpenBLAS/brew) echo openblas ;;
    arm-none-eabi-g++/apt) echo gcc-arm-none-eabi libnewlib-arm-none-eabi libstdc++-arm-none-eabi-newlib ;;
    arm-none-eabi-g++/brew) echo gcc-arm-embedded ;;
    qemu-system-arm/brew) echo qemu ;;
    aarch64-linux-gnu-g++/apt) echo g++-aarch64-linux-gnu ;;
    qemu-aarch64/apt) echo qemu-user ;;
    clang++/apt) echo clang ;;
    node/apt) echo nodejs ;;
    node/brew) echo node ;;
    onnx/apt) echo python3-onnx ;;
    python-torch/apt) echo python3-torch ;;
    clang++-*/apt) echo "clang-${1#clang++-}" ;;
    clang++/brew) echo llvm ;;
    clang++-*/brew) echo "llvm@${1#clang++-}" ;;
    *) echo "$1" ;;
  esac
}

# Compilers are run rather than looked for: on a fresh macOS they are there but only ask to be installed.
have_compiler() {
  for candidate in "${CXX:-c++}" g++ clang++; do
    "$candidate" --version >/dev/null 2>&1 && return
  done
  return 1
}

# missing THING...: those that are not there. Libraries are asked of CMake, which finds them wherever they lie.
missing() {
  libraries=
  for thing; do
    case $thing in
      compiler) have_compiler || echo compiler ;;
      make) have make || have ninja || echo make ;;
      onnx) /usr/bin/python3 -c 'import onnx' 2>/dev/null || echo onnx ;;
      python-torch) /usr/bin/python3 -c 'import torch' 2>/dev/null || echo python-torch ;;
      cmake | clang++ | clang++-* | clang-format | node | npm | git | valgrind | doxygen | pkg-config | python3 | \
        arm-none-eabi-g++ | qemu-system-arm | aarch64-linux-gnu-g++ | qemu-aarch64)
        have "$thing" || echo "$thing" ;;
      *) libraries="$libraries $thing" ;;
    esac
  done
  [ "$libraries" ] || return 0
  probe=$(mktemp -d) || die "cannot make a temporary directory"
  {
    echo "cmake_minimum_required(VERSION 3.22)"
    echo "project(probe CXX)"
    for library in $libraries; do
      echo "find_package($library QUIET CONFIG)"
      echo "file(APPEND found \"$library=\${${library}_FOUND};\")"
    done
  } >"$probe/CMakeLists.txt"
  run_cmake "$probe/build" -S "$probe" >/dev/null 2>&1 || :  # what was not reached is missing
  for library in $libraries; do
    grep -qsE "(^|;)$library=(1|TRUE|ON);" "$probe/found" || echo "$library"
  done
  rm -rf "$probe"
}

# apt_get and install THING...: Debian and Ubuntu by apt-get, macOS by Homebrew, elsewhere a message.
apt_get() {
  if [ "$(id -u)" -eq 0 ]; then
    env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 "$@" >&2
  else
    sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 "$@" >&2
  fi
}

install_things() {
  [ $# -gt 0 ] || return 0
  if have apt-get; then manager=apt; elif have brew; then manager=brew; else manager=plain; fi
  things=
  for thing; do
    [ $manager = plain ] && things="$things${things:+, }$(name "$thing" plain)" || things="$things $(name "$thing" $manager)"
  done
  case $manager in
    apt)
      [ "$(id -u)" -eq 0 ] || have sudo || die "please install as root: apt-get install$things"
      say "installing$things"
      # A fresh machine has no package lists, an old one stale ones.
      apt_get install -y $things 2>/dev/null || { apt_get update && apt_get install -y $things; } ||
        die "could not install, please do: apt-get install$things"
      ;;
    brew)
      say "installing$things"
      brew install $things >&2 || die "could not install, please do: brew install$things"
      ;;
    plain)
      [ "$(uname -s)" != Darwin ] || say "Homebrew (https://brew.sh) would let this script install what is missing"
      die "please install what is missing here: $things"
      ;;
  esac
}

# need THING...: installs those that are missing; first the tools, with which the libraries are looked for.
need() {
  install_things $(missing compiler cmake make)
  install_things $(missing "$@")
}

# run_cmake BUILD options...: takes Ninja where there is no make.
run_cmake() {
  directory=$1
  shift
  if [ ! -f "$directory/CMakeCache.txt" ] && [ -z "${CMAKE_GENERATOR:-}" ] && ! have make && have ninja; then
    set -- -G Ninja "$@"
  fi
  cmake -B "$directory" "$@"
}

# configure BUILD "LIBRARY..." options...: a Release build of the repository. Only if that fails is anything looked for
# and installed, so that the usual run is quick.
configure() {
  build=$1
  libraries=$2
  shift 2
  # CMake refuses the build of a repository that was moved.
  grep -qsFx "CMAKE_HOME_DIRECTORY:INTERNAL=$root" "$build/CMakeCache.txt" || rm -rf "$build"
  mkdir -p "$build"
  log=$build/configure.log
  if ! run_cmake "$build" -S "$root" -DCMAKE_BUILD_TYPE=Release "$@" >"$log" 2>&1; then
    need $libraries
    rm -f "$build/CMakeCache.txt"
    run_cmake "$build" -S "$root" -DCMAKE_BUILD_TYPE=Release "$@" >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
  fi
}

# build_target BUILD TARGET: quietly, unless it fails
build_target() {
  say "building $2"
  cmake --build "$1" --parallel "${CMAKE_BUILD_PARALLEL_LEVEL:-$(cores)}" --target "$2" >"$1/build.log" 2>&1 ||
    { cat "$1/build.log" >&2; exit 1; }
}

# sources DIRECTORY: the names of its programs
sources() {
  for source in "$1"/*.cpp; do
    case $source in
      *_options.cpp | *"/*.cpp") ;;
      *) basename "$source" .cpp ;;
    esac
  done
}

# eigen_include: the directory of Eigen's headers, for a compiler called without CMake
eigen_include() {
  for directory in "${EIGEN3_INCLUDE_DIR:-}" /usr/include/eigen3 /usr/local/include/eigen3 /opt/homebrew/include/eigen3; do
    if [ -f "$directory/Eigen/Core" ]; then
      echo "$directory"
      return
    fi
  done
  die "Eigen's headers were not found; please name their directory in EIGEN3_INCLUDE_DIR"
}
