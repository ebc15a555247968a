#!/usr/bin/env bash
# Regenerates packaging/order.ld: the functions that token requests execute, as valgrind recorded
# them. Run it if tests/costs.sh reports that they are too far apart, for example after a new
# compiler or a large change. Functions that are not in the list are linked too, and unknown entries
# do no harm.
#
#   usage: order.sh TARGET_DIR SANDBOX
set -euo pipefail
[[ $# -eq 2 ]] || { echo 'usage: order.sh TARGET_DIR SANDBOX' >&2; exit 2; }
cd "$(dirname "$0")/.."
fail() { echo "order: $*" >&2; exit 1; }

# shellcheck source=tests/warm.sh
. tests/warm.sh
folder=$(mktemp -d)
clean_up() {
  cool
  rm -rf "$folder"
}
trap clean_up EXIT

# Builds with the release settings, because other cargo settings change the hashes in the names. The
# linker's map has the addresses.
target=$(uname -m)-unknown-linux-musl
flags=$(packaging/rustflags.sh "$1" "$target")
printf '#!/bin/sh\nexec cc "$@" -Wl,-Map="%s"\n' "$folder/map" >"$folder/linker"
chmod 755 "$folder/linker"
linker=CARGO_TARGET_$(tr a-z- A-Z_ <<<"$target")_LINKER
touch src/main.rs
env "$linker=$folder/linker" CARGO_TARGET_DIR="$1/order" \
  cargo build --quiet --locked --release --config "$flags" --target "$target"
binary=$1/order/$target/release/cloudconnexa-auth
warm "$binary" "$2"

count=0
see() {
  local input=$1
  shift
  count=$((count + 1))
  run valgrind --tool=lackey --trace-mem=yes --log-file="$folder/trace.$count" \
    "$binary" "$@" <"$input" >/dev/null
}
see /dev/null token
see /dev/null header
see "$folder/get" get
see "$folder/git" git get
see /dev/null kubectl
see /dev/null terraform get "$host"
see "$folder/cargo" cargo --cargo-plugin
# One of many processes that wait for the request of another process. It finds the lock taken and no
# token; when the lock is free, it finds a token.
entry=$(echo "$folder"/home/.cache/cloudconnexa-auth/*.json)
exec 9<"${entry%.v1.json}.lock"
flock 9
mv "$entry" "$folder/entry"
(exec 9<&-; see /dev/null token --timeout 5m) &
until grep -q -e '->' /proc/locks; do sleep 0.1; done
mv "$folder/entry" "$entry"
exec 9<&-
wait $!

packaging/order.py "$folder/map" "$folder"/trace.* >"$folder/order.ld"
cp "$folder/order.ld" packaging/order.ld
