#!/usr/bin/env bash
# Builds the shipped files twice and compares every byte. The second build uses a copy of the
# sources in another directory, with another home, cargo home, target directory, umask, time zone
# and locale. Then it searches the binary for paths of this machine.
#
#   usage: reproduce.sh TARGET_DIR
#
# If SOURCE_DATE_EPOCH is unset, the packages have the time of the last commit.
set -euo pipefail
[[ $# -eq 1 ]] || { echo 'usage: reproduce.sh TARGET_DIR' >&2; exit 2; }
cd "$(dirname "$0")/.."
fail() { echo "reproduce: $*" >&2; exit 1; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}

# Builds the binary, the man pages and completions, the archive and, if dpkg-deb is installed, the
# Debian package, in the directory of that name.
pack() {
  make --no-print-directory --silent release >&2
  binary=$(make --no-print-directory --silent show-binary)
  mkdir -p "$1"
  cp "$binary" "$1/cloudconnexa-auth"
  packaging/generate.sh "$1/cloudconnexa-auth" "$1"
  packaging/archive.sh "$1/cloudconnexa-auth" "$(uname -m)-unknown-linux-musl" "$1" "$1" >&2
  if command -v dpkg-deb >/dev/null; then
    packaging/debian/build.sh "$1/cloudconnexa-auth" "$1" >&2
  fi
}

echo 'reproduce: here'
CARGO_TARGET_DIR=$1 pack "$folder/one"

echo 'reproduce: elsewhere'
elsewhere=$folder/somewhere/quite/else
home=$folder/another-home
mkdir -p "$elsewhere" "$home/.cargo/registry"
git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents --target-directory="$elsewhere"
# Downloaded crates are reused from this machine; cargo unpacks them again.
for part in index cache; do
  cp -R "${CARGO_HOME:-$HOME/.cargo}/registry/$part" "$home/.cargo/registry/"
done
rustup=$(rustup show home 2>/dev/null || true)
(
  cd "$elsewhere"
  umask 077
  unset CARGO_HOME
  export HOME=$home CARGO_TARGET_DIR=$home/built TZ=Asia/Kathmandu LC_ALL=C.UTF-8 CARGO_NET_OFFLINE=true
  if [[ -n $rustup ]]; then export RUSTUP_HOME=$rustup; fi
  pack "$folder/two"
)

(cd "$folder/one" && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum) >"$folder/sums"
(cd "$folder/two" && sha256sum --check --quiet "$folder/sums") || fail 'the second build is another one'
[[ $(find "$folder/one" | wc -l) -eq $(find "$folder/two" | wc -l) ]] || fail 'the second build has other files'
for path in "$HOME" "${CARGO_HOME:-$HOME/.cargo}" "$PWD" "$1" "$folder" /home/ /root/ .cargo/registry; do
  if LC_ALL=C grep --quiet --text --fixed-strings -- "$path" "$folder/one/cloudconnexa-auth"; then
    fail "the binary names $path"
  fi
done
echo "reproduce: $(wc -l <"$folder/sums") files twice the same, no path of this machine in the binary:"
grep -v -e man1 -e completions "$folder/sums" | sed 's/^/reproduce:   /'
