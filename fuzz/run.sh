#!/usr/bin/env bash
# Fuzzes every parser for a while and prints the number of inputs of each.
#
#   usage: run.sh TOOLS SECONDS [TARGET...]    TOOLS is where cargo-fuzz is or will be installed
#
# Without TARGET all targets run, as many at once as there are processors. libFuzzer's own corpus is kept in
# TOOLS/fuzz. An input that breaks a property is written into fuzz/corpus, where every `make test` tries it
# again; this script then fails, after the other targets have run.
# With the variable PROOFS a row for each target is appended to that file: see tests/soak.sh.
set -euo pipefail
cd "$(dirname "$0")/.."

tools=${1:?usage: run.sh TOOLS SECONDS [TARGET...]}
seconds=${2:?usage: run.sh TOOLS SECONDS [TARGET...]}
shift 2
version=0.13.2

# libFuzzer needs unstable compiler flags.
export RUSTC_BOOTSTRAP=1
if [[ $("$tools/bin/cargo-fuzz" fuzz --version 2>/dev/null) != "cargo-fuzz $version" ]]; then
  echo "fuzz: installing cargo-fuzz $version" >&2
  cargo install cargo-fuzz --quiet --locked --version "$version" --root "$tools"
fi
export PATH=$tools/bin:$PATH

if (($# == 0)); then
  mapfile -t targets < <(sed -n '/^\[\[bin\]\]$/,/^name/ s/^name = "\(.*\)"$/\1/p' fuzz/Cargo.toml)
else
  targets=("$@")
fi
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/fuzz/target}
if ((${#targets[@]} == 1)); then
  cargo fuzz build --fuzz-dir fuzz "${targets[0]}" >&2
else
  cargo fuzz build --fuzz-dir fuzz >&2
fi
built=$CARGO_TARGET_DIR/$(rustc -vV | sed -n 's/^host: //p')/release

directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
# Fuzzes one target.
fuzz() {
  local target=$1 learned=$tools/fuzz/$1 log=$directory/$1 property tried survived
  mkdir -p "$learned"
  property=$(sed -n "s/^| $target | \(.*\)\. |$/\1/p" fuzz/README.md)
  # Memory that is kept until the process ends would count as a leak.
  if ! ASAN_OPTIONS=detect_leaks=0 "$built/$target" "$learned" "fuzz/corpus/$target" \
    -max_total_time="$seconds" -max_len=4096 -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="fuzz/corpus/$target/" >"$log" 2>&1; then
    touch "$log.broken"
    tail -n 40 "$log" >&2
  fi
  tried=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log" | tail -n 1)
  survived=${tried:-0}
  if [[ -e $log.broken ]]; then survived=$((survived > 0 ? survived - 1 : 0)); fi
  printf 'fuzz: %-20s %12s inputs\n' "$target" "${tried:-no}"
  if [[ -n ${PROOFS:-} ]]; then
    printf 'fuzz/%s\t%s\t%s\t%s\n' "$target" "$property" "${tried:-0}" "$survived" >>"$PROOFS"
  fi
}
# As many at once as there are processors.
for target in "${targets[@]}"; do
  while (($(jobs -rp | wc -l) >= $(getconf _NPROCESSORS_ONLN))); do wait -n || true; done
  fuzz "$target" &
done
wait
broken=("$directory"/*.broken)
if [[ -e ${broken[0]} ]]; then
  broken=("${broken[@]##*/}")
  echo "fuzz: broken: ${broken[*]%.broken}" >&2
  exit 1
fi
