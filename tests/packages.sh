#!/usr/bin/env bash
# Tests the program as it is shipped. Builds a release (static if possible), installs it with make,
# as a Debian package and with cargo, runs it and removes it. Exits non-zero if a step fails, and
# leaves only the build output behind.
#
#   usage: packages.sh TARGET_DIR
#
# The test suite does the same with the test build (tests/it/packages.rs), except for the release
# build, which takes minutes.
set -euo pipefail
[[ $# -eq 1 ]] || { echo 'usage: packages.sh TARGET_DIR' >&2; exit 2; }
cd "$(dirname "$0")/.."
export CARGO_TARGET_DIR=$1

fail() { echo "packages: $*" >&2; exit 1; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# Checks that the binary works and prints its version.
check() {
  [[ $("$1" --version) == "cloudconnexa-auth $version" ]] || fail "$1 does not run"
}
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)

make --no-print-directory install DESTDIR="$folder/make" PREFIX=/usr
binary=$folder/make/usr/bin/cloudconnexa-auth
check "$binary"
size=$(stat --format=%s "$binary")
echo "packages: the binary has $size bytes"
musl=$(uname -m)-unknown-linux-musl
target=()
if [[ -e $CARGO_TARGET_DIR/$musl/release/cloudconnexa-auth ]]; then
  target=(--target "$musl")
  ((size <= 3500000)) || fail 'the binary is larger than 3.5 MB'
  if LC_ALL=C readelf --dynamic "$binary" | grep '(NEEDED)'; then fail 'the static binary is not one'; fi
  # See .cargo/config.toml.
  LC_ALL=C readelf --file-header "$binary" | grep -q 'EXEC (' || fail 'the static binary is one that can be loaded anywhere'
  cargo build --quiet --locked --package cloudconnexa-sandbox
  tests/costs.sh "$binary" "$CARGO_TARGET_DIR/debug/cloudconnexa-sandbox"
elif [[ -n ${CI-} ]]; then
  fail "no static binary: rustup target add $musl, and the package musl-tools"
else
  echo 'packages: the binary is a dynamic one'
fi
make --no-print-directory uninstall DESTDIR="$folder/make" PREFIX=/usr
[[ -z $(find "$folder/make" ! -type d) ]] || fail 'make uninstall leaves files behind'

if command -v dpkg-deb >/dev/null; then
  built=$CARGO_TARGET_DIR/${target[1]+$musl/}release/cloudconnexa-auth
  package=$(make --no-print-directory --silent deb PREBUILT="$built" | tail -n 1)
  if command -v lintian >/dev/null; then
    lintian --allow-root --fail-on error,warning "$package"
  elif [[ -n ${CI-} ]]; then
    fail 'lintian is not here'
  fi
  mkdir -p "$folder"/root/var/lib/dpkg/{info,updates}
  touch "$folder/root/var/lib/dpkg/status"
  PATH=$PATH:/usr/sbin:/sbin
  root=(dpkg --force-not-root --root="$folder/root" --log="$folder/log")
  "${root[@]}" --install "$package" >/dev/null
  check "$folder/root/usr/bin/cloudconnexa-auth"
  [[ -z $("${root[@]}" --verify cloudconnexa-auth) ]] || fail 'the package is not what it says'
  "${root[@]}" --purge cloudconnexa-auth >/dev/null
  [[ ! -e $folder/root/usr ]] || fail 'the package leaves files behind'
elif [[ -n ${CI-} ]]; then
  fail 'dpkg-deb is not here'
else
  echo 'packages: SKIPPED: dpkg-deb is not here'
fi

# Uses the same target and flags, so that nothing is built twice.
flags=$(packaging/rustflags.sh "$CARGO_TARGET_DIR" ${target[1]+"${target[1]}"})
cargo install --quiet --locked --config "$flags" --path . --root "$folder/cargo" "${target[@]}" --no-track
check "$folder/cargo/bin/cloudconnexa-auth"
echo 'packages: installed by make, dpkg and cargo, run, and removed'
