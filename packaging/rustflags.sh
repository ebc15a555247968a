#!/usr/bin/env bash
# Prints, for `cargo --config`, the flags that keep paths of the build machine out of a release, so
# that every build has the same bytes. The path of a crate's source is `ureq-3.5.2/src/agent.rs`,
# for any home and target directory. A static build also has its functions in the order of order.ld,
# and no tables for unwinding (no-unwinding.ld).
#
#   usage: cargo build --config "$(rustflags.sh TARGET_DIR [TARGET])" [--target TARGET] ...
#
# cargo adds them to the flags of .cargo/config.toml. RUSTFLAGS in the environment would replace
# both.
set -euo pipefail
[[ $# -eq 1 || $# -eq 2 ]] || { echo 'usage: rustflags.sh TARGET_DIR [TARGET]' >&2; exit 2; }
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
mkdir -p "$1"
target=$(cd -- "$1" && pwd)
home=${CARGO_HOME:-$HOME/.cargo}
if [[ ${OSTYPE-} == msys ]]; then home=$(cygpath --unix -- "$home"); fi

# The source directories are named after the registry; they exist after the first download.
cargo fetch --locked --quiet --manifest-path "$root/Cargo.toml" >&2

flags=()
remap() {
  local from=$1
  if [[ ${OSTYPE-} == msys ]]; then from=$(cygpath --windows -- "$from"); fi
  if [[ $from == *\'* ]]; then echo "rustflags: a quote in $from" >&2; exit 1; fi
  flags+=("'--remap-path-prefix=$from=$2'")
}
# If several mappings match, rustc uses the last one.
remap "$home" cargo
remap "$root" cloudconnexa-auth
remap "$target" target
for sources in "$home"/registry/src/*/; do
  remap "${sources%/}" ''
done
# Only the newer form of symbol names distinguishes instances of generic functions. The linker runs
# in the root directory of the workspace.
if [[ ${2-} == *-linux-musl ]]; then
  flags+=("'-Csymbol-mangling-version=v0'")
  flags+=("'-Clink-arg=-Wl,-T,packaging/order.ld,-T,packaging/no-unwinding.ld'")
fi
(IFS=, && printf "target.'cfg(all())'.rustflags=[%s]" "${flags[*]}")
