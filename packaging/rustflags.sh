#!/usr/bin/env bash
# Prints, for CARGO_ENCODED_RUSTFLAGS, the flags by which a release holds no path of the machine that
# it was built on, so that everybody who builds it gets the same bytes. A crate's source stands there as
# `ureq-3.5.2/src/agent.rs`, whatever the home and the target folder are called.
#
#   usage: rustflags.sh TARGET_DIR
#
# Flags of the caller (RUSTFLAGS, CARGO_ENCODED_RUSTFLAGS) stay in front of them.
set -euo pipefail
[[ $# -eq 1 ]] || { echo 'usage: rustflags.sh TARGET_DIR' >&2; exit 2; }
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
mkdir -p "$1"
target=$(cd -- "$1" && pwd)
home=${CARGO_HOME:-$HOME/.cargo}
if [[ ${OSTYPE-} == msys ]]; then home=$(cygpath --unix -- "$home"); fi

# The folders of the sources are named after the registry; they are there once something is fetched.
cargo fetch --locked --quiet --manifest-path "$root/Cargo.toml" >&2

if [[ -n ${CARGO_ENCODED_RUSTFLAGS-} ]]; then
  IFS=$'\x1f' read -ra flags <<<"$CARGO_ENCODED_RUSTFLAGS"
else
  read -ra flags <<<"${RUSTFLAGS-}"
fi
remap() {
  local from=$1
  if [[ ${OSTYPE-} == msys ]]; then from=$(cygpath --windows -- "$from"); fi
  flags+=("--remap-path-prefix=$from=$2")
}
# Of several that fit, rustc takes the last one.
remap "$home" cargo
remap "$root" cloudconnexa-auth
remap "$target" target
for sources in "$home"/registry/src/*/; do
  remap "${sources%/}" ''
done
(IFS=$'\x1f' && printf '%s' "${flags[*]}")
