#!/usr/bin/env bash
# Installs the requirements of a static build: the Rust target and musl-gcc.
#
#   usage: static-toolchain.sh TARGET
set -euo pipefail
[[ $# -eq 1 ]] || { echo 'usage: static-toolchain.sh TARGET' >&2; exit 2; }
cd "$(dirname "$0")/.."
# shellcheck source=tests/debian.sh
. tests/debian.sh

command -v musl-gcc >/dev/null || require_packages musl-tools
[[ -d $(rustc --print target-libdir --target "$1" 2>/dev/null) ]] || rustup target add "$1" || {
  echo "error: Rust has no standard library for $1" >&2
  echo 'hint: make install STATIC=no builds a dynamic binary, which starts about 3 times slower' >&2
  exit 1
}
