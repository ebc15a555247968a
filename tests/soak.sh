#!/usr/bin/env bash
# Repeats every test of tests/it/fault_injection and every property of src/fuzzing as often as time
# permits, and writes the counts to the table of docs/reliability.md. Takes long; `make test` does
# the same a few times.
#
#   usage: soak.sh TOOLS [FILTER]
#
# TOOLS is the directory that tests/setup.sh has filled, FILTER is a test's name.
#
# With FILTER, the table is printed and the document is not changed. Nothing is fuzzed then, because
# `make fuzz` does that. If a test fails, the table is printed too, and the document is not changed.
set -euo pipefail
cd "$(dirname "$0")/.."

tools=${1:?usage: soak.sh TOOLS [FILTER]}
filter=${2:-fault_injection::}
rows=$(mktemp)
trap 'rm -f "$rows" "$rows.md"' EXIT

# How long each parser is fuzzed, in seconds.
fuzzed=60

broken=
SOAK=1 PROOFS=$rows TEST_TOOLS=$tools cargo test --locked --no-fail-fast --lib --test it -- \
  --test-threads=2 "$filter" || broken=1
if [[ -z ${2:-} ]]; then
  PROOFS=$rows CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}/fuzz fuzz/run.sh "$tools" "$fuzzed" || broken=1
fi

{
  echo '| claim | tried | survived | repeated by |'
  echo '|---|---|---|---|'
  sort -u "$rows" | while IFS=$'\t' read -r name claim tried survived; do
    case $name in
    fuzz/*) again="make fuzz TARGET=${name#fuzz/} SECONDS=$fuzzed" ;;
    *) again="make soak FILTER=$name" ;;
    esac
    echo "| $claim | $tried | $survived | \`$again\` |"
  done
} >"$rows.md"

if [[ -n ${2:-} || -n $broken ]]; then
  cat "$rows.md"
  if [[ -n $broken ]]; then echo 'soak: not every claim held' >&2; exit 1; fi
  exit
fi
sed -i -e "/^<!-- counted -->$/,/^<!-- end -->$/ { /^<!-- counted -->$/r $rows.md
  /^<!-- counted -->$\|^<!-- end -->$/!d }" docs/reliability.md
echo 'soak: docs/reliability.md is written'
