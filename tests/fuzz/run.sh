#!/usr/bin/env bash
# Fuzzes every parser for a while and prints how many inputs each one was given.
#
#   usage: run.sh TOOLS SECONDS [TARGET...]    TOOLS is where cargo-fuzz is or will be installed
#
# A target is a claim of src/claims; without one it is all of them, one after the other. What libFuzzer
# learns is kept in TOOLS/fuzz. An input that breaks a claim is written into tests/fuzz/corpus, where
# every `make test` tries it again; then this script fails, after the other targets had their turn.
# With the variable PROOFS a row for each target is appended to that file: see tests/soak.sh.
set -euo pipefail
cd "$(dirname "$0")/../.."

tools=${1:?usage: run.sh TOOLS SECONDS [TARGET...]}
seconds=${2:?usage: run.sh TOOLS SECONDS [TARGET...]}
shift 2
version=0.13.2

# libFuzzer needs flags of the compiler that a stable one takes only so.
export RUSTC_BOOTSTRAP=1
if [[ $("$tools/bin/cargo-fuzz" fuzz --version 2>/dev/null) != "cargo-fuzz $version" ]]; then
  echo "fuzz: installing cargo-fuzz $version" >&2
  cargo install cargo-fuzz --quiet --locked --version "$version" --root "$tools"
fi
export PATH=$tools/bin:$PATH

if (($# == 0)); then
  mapfile -t targets < <(cd tests/fuzz/targets && printf '%s\n' *.rs | sed 's/\.rs$//')
else
  targets=("$@")
fi
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/tests/fuzz/target}
if ((${#targets[@]} == 1)); then
  cargo fuzz build --fuzz-dir tests/fuzz "${targets[0]}" >&2
else
  cargo fuzz build --fuzz-dir tests/fuzz >&2
fi
built=$CARGO_TARGET_DIR/$(rustc -vV | sed -n 's/^host: //p')/release

log=$(mktemp)
trap 'rm -f "$log"' EXIT
broken=()
for target in "${targets[@]}"; do
  learnt=$tools/fuzz/$target
  mkdir -p "$learnt"
  claim=$(sed -n '1s/^\/\/! \(.*\)\.$/\1/p' "tests/fuzz/targets/$target.rs")
  "$built/$target" "$learnt" "tests/fuzz/corpus/$target" \
    -max_total_time="$seconds" -max_len=4096 -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="tests/fuzz/corpus/$target/" >"$log" 2>&1 || broken+=("$target")
  tried=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  survived=${tried:-0}
  if [[ " ${broken[*]} " == *" $target "* ]]; then
    survived=$((survived > 0 ? survived - 1 : 0))
    tail -n 40 "$log" >&2
  fi
  printf 'fuzz: %-20s %12s inputs\n' "$target" "${tried:-no}"
  if [[ -n ${PROOFS:-} ]]; then
    printf 'fuzz/%s\t%s\t%s\t%s\n' "$target" "$claim" "${tried:-0}" "$survived" >>"$PROOFS"
  fi
done
if ((${#broken[@]})); then
  echo "fuzz: broken: ${broken[*]}" >&2
  exit 1
fi
