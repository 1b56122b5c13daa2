#!/bin/sh
# Policies act on a Cortex-M4 that QEMU simulates, without heap, exceptions, RTTI or an operating system, and do what they do
# here:  sh tests/firmware/run.sh
set -eu
root=$(cd -P "$(dirname "$0")/../.." && pwd)
. "$root/cmake/packages.sh"
need Eigen3 arm-none-eabi-g++ qemu-system-arm

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
here=$root/tests/firmware
# Eigen's directory alone, so that nothing of this machine's own headers comes before the device's.
eigen=$(eigen_include)

say "what is expected"
${CXX:-c++} -std=c++20 -O1 -I "$root/include" -isystem "$eigen" "$here/desktop.cpp" -o "$work/desktop"
"$work/desktop" "$work"

# firmware NAME: links against the C library's memcpy and mathematics, and the compiler's own arithmetic. libstdc++ is left out.
firmware() {
  arm-none-eabi-g++ -std=c++20 -mcpu=cortex-m4 -mthumb -mfloat-abi=hard -mfpu=fpv4-sp-d16 -Os -DNDEBUG \
    -fno-exceptions -fno-rtti -fno-threadsafe-statics -ffunction-sections -fdata-sections -Wall -Wextra -Werror \
    -I "$root/include" -I "$work" -isystem "$eigen" "$here/$1.cpp" "$here/board.cpp" \
    -nostdlib -T "$here/mps2.ld" -Wl,--gc-sections -lm -lc_nano -lgcc -o "$work/$1.elf"
}

limit=
! have timeout || limit='timeout 120'
# A nanosecond passes with each instruction: the board's clock counts them.
simulate() {
  $limit qemu-system-arm -M mps2-an386 -display none -monitor none -serial stdio \
    -semihosting-config enable=on,target=native -icount shift=0 -kernel "$work/$1.elf" >"$work/$1.out"
}

# bytes NAME SYMBOL...: how many bytes they take
bytes() {
  elf=$work/$1.elf
  shift
  for symbol; do arm-none-eabi-nm -C -S -t d "$elf" | awk -v symbol="$symbol" '$4 == symbol { print $2 + 0 }'; done |
    awk '{ sum += $1 } END { print sum + 0 }'
}

forbidden='(_?(m|c|re)alloc(_r)?|_?free(_r)?|_?sbrk(_r)?|_Z(nw|na|dl|da).*|__cxa_.*|_ZT[ISV].*|__gxx_personality.*|_Unwind_.*'
forbidden="$forbidden|.*printf.*|_?(open|write|exit|abort|kill)(_r)?)"

table=
for policy in attention transformer mlp; do
  say "$policy"
  firmware $policy
  if arm-none-eabi-nm "$work/$policy.elf" | grep -E " $forbidden\$" >&2; then die "$policy: this must not be linked"; fi
  simulate $policy || die "$policy: the program failed: $(tail -n 1 "$work/$policy.out")"
  steps=$(wc -l <"$work/$policy.expected")
  head -n "$steps" "$work/$policy.out" | paste -d ' ' - "$work/$policy.expected" | awk -v steps="$steps" '
    function off(a, b) { return a > b ? a - b : b - a }
    NF != 6 || $1 != $4 || off($2, $5) > 100 || off($3, $6) > 100 { print "step " NR ": " $0 >"/dev/stderr"; wrong++ }
    END { exit wrong > 0 || NR != steps || steps < 100 }
  ' || die "$policy: it acts otherwise than here (action, logits in millionths; then those that are expected)"
  weights=$(bytes $policy ${policy}_weights::values)
  given=$(bytes $policy observations starts)
  set -- $(arm-none-eabi-size "$work/$policy.elf" | tail -n 1)
  code=$(($1 + $2 - weights - given)) static=$(($2 + $3))
  stack=$(awk '$1 == "stack" { print $2 }' "$work/$policy.out")
  instructions=$(awk '$1 == "instructions" { print $2 }' "$work/$policy.out")
  table="$table$policy $code $weights $static $stack $instructions
"
done

say "weights of another network"
firmware complaint
! simulate complaint || die "they were not refused"
grep -qx "static_parameters: 5986 numbers, but the network has [0-9]*" "$work/complaint.out" ||
  die "an error in other words: $(cat "$work/complaint.out")"

echo "bytes of code and constants, of weights, of static RAM and of stack; instructions a step, over $steps steps"
printf %s "$table" | awk '{ printf "%-12s%8d%8d%8d%8d%10d\n", $1, $2, $3, $4, $5, $6 }'
