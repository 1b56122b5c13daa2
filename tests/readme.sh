#!/bin/sh
# Builds and runs what README.md and docs/*.md show:  sh tests/readme.sh [FILE...]
#
#   ```cpp with int main        a program: compiled and run in an empty directory
#   ```cpp after <!-- main -->  the same, after being put into a main function
#   ```cpp otherwise            a fragment: skipped
#   ```sh                       commands: run in the repository, unless after <!-- not run -->
set -eu
root=$(cd -P "$(dirname "$0")/.." && pwd)
. "$root/cmake/packages.sh"
cd "$root"
if [ $# -eq 0 ]; then
  set -- README.md
  for page in docs/*.md; do [ ! -f "$page" ] || set -- "$@" "$page"; done
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/run"

# Each block becomes a file, numbered in order; the compiler's messages name the page and its line.
awk -v work="$work" '
  function flush_block(   file, i) {
    where = page ":" first
    if (kind == "cpp" && body !~ /int main/ && mark != "main") { skipped++; return }
    if (kind == "sh" && mark == "not run") { skipped++; return }
    file = sprintf("%s/%03d.%s", work, ++blocks, kind)
    if (kind == "cpp" && body !~ /int main/) {
      printf "#include <heed/heed.hpp>\n%sint main() {\n#line %d \"%s\"\n%s}\n", includes, first, page, rest > file
    } else if (kind == "cpp") {
      printf "#line %d \"%s\"\n%s", first, page, body > file
    } else {
      printf "%s", body > file
    }
    close(file)
    print file "\t" where
  }
  FNR == 1 { page = FILENAME; kind = mark = "" }
  kind == "" && /^```[a-z]/ {
    kind = substr($1, 4); first = FNR + 1; body = includes = rest = ""
    next
  }
  kind != "" && /^```/ {
    if (kind == "cpp" || kind == "sh") flush_block()
    kind = mark = ""
    next
  }
  kind != "" {
    body = body $0 "\n"
    if ($0 ~ /^#include/) { includes = includes $0 "\n"; rest = rest "\n" } else rest = rest $0 "\n"
    next
  }
  /^<!-- main -->/ { mark = "main"; next }
  /^<!-- not run -->/ { mark = "not run"; next }
  NF { mark = "" }
  END { printf "%d blocks, %d skipped\n", blocks, skipped > (work "/summary") }
' "$@" >"$work/blocks"
cat "$work/summary"

# compile FILE: beside it, as FILE.out
compile() {
  ${CXX:-c++} -std=c++20 -O1 -pthread -I "$root/include" -I "$work/run" -isystem "$eigen" "$1" -o "$1.out"
}

# All at once as far as it goes: a program may need what one before it writes, and is compiled when its turn comes.
eigen=$(eigen_include)
say "compiling"
running=0
for file in "$work"/*.cpp; do
  [ -f "$file" ] || continue
  compile "$file" 2>/dev/null &
  running=$((running + 1))
  if [ $((running % $(cores))) -eq 0 ]; then wait; fi
done
wait

tab=$(printf '\t')
while IFS=$tab read -r file where <&3; do
  say "$where"
  case $file in
    *.cpp)
      [ -x "$file.out" ] || compile "$file"
      (cd "$work/run" && "$file.out") || die "$where: the program failed"
      ;;
    *.sh)
      sh -eux "$file" || die "$where: a command failed"
      ;;
  esac
done 3<"$work/blocks"
