#!/usr/bin/env bash
# Tries every claim of tests/it/proof as often as there is time for, and writes what was counted
# into the table of docs/reliability.md. Takes a while; `make test` tries the same a few times.
#
#   usage: soak.sh TOOLS [FILTER]    TOOLS is where tests/setup.sh has installed, FILTER a test's name
#
# With FILTER the table is printed and the document left as it is.
set -euo pipefail
cd "$(dirname "$0")/.."

tools=${1:?usage: soak.sh TOOLS [FILTER]}
filter=${2:-proof::}
rows=$(mktemp)
trap 'rm -f "$rows" "$rows.md"' EXIT

SOAK=1 PROOFS=$rows TEST_TOOLS=$tools cargo test --locked --test it -- --test-threads=2 "$filter"

{
  echo '| claim | tried | survived | repeated by |'
  echo '|---|---|---|---|'
  sort -u "$rows" | while IFS=$'\t' read -r name claim tried survived; do
    echo "| $claim | $tried | $survived | \`make soak FILTER=$name\` |"
  done
} >"$rows.md"

if [[ -n ${2:-} ]]; then
  cat "$rows.md"
  exit
fi
sed -i -e "/^<!-- counted -->$/,/^<!-- end -->$/ { /^<!-- counted -->$/r $rows.md
  /^<!-- counted -->$\|^<!-- end -->$/!d }" docs/reliability.md
echo 'soak: docs/reliability.md is written'
