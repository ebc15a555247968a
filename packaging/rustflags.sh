#!/usr/bin/env bash
# Prints, for `cargo --config`, the flags by which a release holds no path of the machine that it was
# built on, so that everybody who builds it gets the same bytes. A crate's source stands there as
# `ureq-3.5.2/src/agent.rs`, whatever the home and the target folder are called. A static build has its
# parts in the order of order.ld as well, and no tables for unwinding (no-unwinding.ld).
#
#   usage: cargo build --config "$(rustflags.sh TARGET_DIR [TARGET])" [--target TARGET] ...
#
# cargo adds them to those of .cargo/config.toml. RUSTFLAGS in the environment would take the place of
# both.
set -euo pipefail
[[ $# -eq 1 || $# -eq 2 ]] || { echo 'usage: rustflags.sh TARGET_DIR [TARGET]' >&2; exit 2; }
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
mkdir -p "$1"
target=$(cd -- "$1" && pwd)
home=${CARGO_HOME:-$HOME/.cargo}
if [[ ${OSTYPE-} == msys ]]; then home=$(cygpath --unix -- "$home"); fi

# The folders of the sources are named after the registry; they are there once something is fetched.
cargo fetch --locked --quiet --manifest-path "$root/Cargo.toml" >&2

flags=()
remap() {
  local from=$1
  if [[ ${OSTYPE-} == msys ]]; then from=$(cygpath --windows -- "$from"); fi
  if [[ $from == *\'* ]]; then echo "rustflags: a quote in $from" >&2; exit 1; fi
  flags+=("'--remap-path-prefix=$from=$2'")
}
# Of several that fit, rustc takes the last one.
remap "$home" cargo
remap "$root" cloudconnexa-auth
remap "$target" target
for sources in "$home"/registry/src/*/; do
  remap "${sources%/}" ''
done
# The names of generic functions tell them apart only in the newer form. The linker runs in the root of
# the workspace, wherever that is.
if [[ ${2-} == *-linux-musl ]]; then
  flags+=("'-Csymbol-mangling-version=v0'")
  flags+=("'-Clink-arg=-Wl,-T,packaging/order.ld,-T,packaging/no-unwinding.ld'")
fi
(IFS=, && printf "target.'cfg(all())'.rustflags=[%s]" "${flags[*]}")
