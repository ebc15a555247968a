#!/usr/bin/env bash
# Fuzzes every parser for a while and prints how many inputs each one was given.
#
#   usage: run.sh TOOLS SECONDS [TARGET...]    TOOLS is where cargo-fuzz is or will be installed
#
# A target is a claim of src/claims; without one it is all of them, as many at once as there are
# processors. What libFuzzer learns is kept in TOOLS/fuzz. An input that breaks a claim is written into
# tests/fuzz/corpus, where every `make test` tries it again; then this script fails, after the other
# targets had their turn.
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

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# Fuzzes one target.
fuzz() {
  local target=$1 learnt=$tools/fuzz/$1 log=$folder/$1 claim tried survived
  mkdir -p "$learnt"
  claim=$(sed -n '1s/^\/\/! \(.*\)\.$/\1/p' "tests/fuzz/targets/$target.rs")
  # What is left to the end of the process on purpose would count as a leak.
  if ! ASAN_OPTIONS=detect_leaks=0 "$built/$target" "$learnt" "tests/fuzz/corpus/$target" \
    -max_total_time="$seconds" -max_len=4096 -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="tests/fuzz/corpus/$target/" >"$log" 2>&1; then
    touch "$log.broken"
    tail -n 40 "$log" >&2
  fi
  tried=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log" | tail -n 1)
  survived=${tried:-0}
  if [[ -e $log.broken ]]; then survived=$((survived > 0 ? survived - 1 : 0)); fi
  printf 'fuzz: %-20s %12s inputs\n' "$target" "${tried:-no}"
  if [[ -n ${PROOFS:-} ]]; then
    printf 'fuzz/%s\t%s\t%s\t%s\n' "$target" "$claim" "${tried:-0}" "$survived" >>"$PROOFS"
  fi
}
# As many at once as there are processors.
for target in "${targets[@]}"; do
  while (($(jobs -rp | wc -l) >= $(getconf _NPROCESSORS_ONLN))); do wait -n || true; done
  fuzz "$target" &
done
wait
broken=("$folder"/*.broken)
if [[ -e ${broken[0]} ]]; then
  broken=("${broken[@]##*/}")
  echo "fuzz: broken: ${broken[*]%.broken}" >&2
  exit 1
fi
