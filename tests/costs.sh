#!/usr/bin/env bash
# Measures the cost of a warm call of the shipped binary: its own instructions (valgrind) and system
# calls (strace). Both are the same on every invocation. Exits non-zero if one exceeds its limit.
# `make bench` measures times.
#
#   usage: costs.sh BINARY SANDBOX
set -euo pipefail
[[ $# -eq 2 ]] || { echo 'usage: costs.sh BINARY SANDBOX' >&2; exit 2; }
binary=$1
sandbox=$2
fail() { echo "costs: $*" >&2; exit 1; }

# shellcheck source=tests/warm.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/warm.sh"
folder=$(mktemp -d)
clean_up() {
  cool
  rm -rf "$folder"
}
trap clean_up EXIT

warm "$binary" "$sandbox"

# The limits are goals; docs/performance.md has the counts on x86_64. The executed code is in four
# or five pieces of 64 KiB if packaging/order.ld matches the build, and in thirty if it does not.
most_pieces=8
check() {
  local most_instructions=$1 most_calls=$2 input=$3 calls instructions=- pieces=-
  shift 3
  run strace -f -qq -o "$folder/calls" "$binary" "$@" <"$input" >/dev/null
  calls=$(grep -cv -e 'exited with' -e '^[0-9 ]*---' "$folder/calls")
  if command -v valgrind >/dev/null; then
    run valgrind --tool=callgrind --dump-instr=yes --compress-pos=no \
      --callgrind-out-file="$folder/ran" "$binary" "$@" <"$input" 2>"$folder/valgrind" >/dev/null
    instructions=$(sed -n 's/.*Collected : \([0-9]*\).*/\1/p' "$folder/valgrind")
    # If the binary has fixed addresses, it is below 16 MiB, and nothing else is.
    pieces=$(sed -n 's/^0x\([0-9a-f]\{2\}\)[0-9a-f]\{4\} .*/\1/p' "$folder/ran" | sort -u | wc -l)
  fi
  echo "costs: $*: $instructions instructions in $pieces pieces of 64 KiB, $calls system calls"
  ((calls <= most_calls)) || fail "$*: more than $most_calls system calls"
  [[ $(uname -m) != x86_64 || $instructions == - ]] || ((instructions <= most_instructions)) ||
    fail "$*: more than $most_instructions instructions"
  [[ $(uname -m) != x86_64 || $pieces == - ]] || ((pieces <= most_pieces)) ||
    fail "$*: what runs lies in more than $most_pieces pieces of 64 KiB; \`make order\` puts it together"
}
for tool in strace valgrind; do
  command -v "$tool" >/dev/null && continue
  [[ -z ${CI-} ]] || fail "$tool is not here"
  echo "costs: SKIPPED: $tool is not here"
  [[ $tool == valgrind ]] || exit 0
done
check 140000 45 /dev/null token
check 140000 45 /dev/null header
check 140000 45 "$folder/get" get
check 140000 45 /dev/null kubectl
check 150000 45 "$folder/git" git get
