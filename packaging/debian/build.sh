#!/usr/bin/env bash
# Makes a Debian package of a binary that is built already, with dpkg-deb alone.
#
#   usage: build.sh PROGRAM FOLDER        prints the path of FOLDER/cloudconnexa-auth_*.deb
#
# The same binary at the same commit gives the same bytes: the time in the package is
# SOURCE_DATE_EPOCH, or else that of the last commit, or else now.
set -euo pipefail
[[ $# -eq 2 ]] || { echo 'usage: build.sh PROGRAM FOLDER' >&2; exit 2; }
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
root=$(cd -- "$here/../.." && pwd)
program=$(realpath -- "$1")
mkdir -p "$2"
folder=$(realpath -- "$2")
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$root" log -1 --format=%ct 2>/dev/null || date +%s)}
umask 022

version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$root/Cargo.toml" | head -n 1)
architecture=$(dpkg --print-architecture)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
stage=$scratch/stage

make --silent -C "$root" install PREBUILT="$program" PAPERS="$scratch/papers" DESTDIR="$stage" \
  PREFIX=/usr ZSH_FUNCTIONS=/usr/share/zsh/vendor-completions

# Manual pages are gzipped, and so are the links to them.
for page in "$stage"/usr/share/man/man1/*.1; do
  if [[ -L $page ]]; then
    ln -s "$(readlink "$page").gz" "$page.gz"
    rm "$page"
  else
    gzip -9n "$page"
  fi
done

doc=$stage/usr/share/doc/cloudconnexa-auth
mkdir -p "$doc" "$stage/usr/share/lintian/overrides"
install -m 644 "$here/copyright" "$doc/copyright"
"$root/packaging/notices.py" "$(uname -m)-unknown-linux-musl" | gzip -9nc >"$doc/THIRD-PARTY.txt.gz"
gzip -9nc "$root/CHANGELOG.md" >"$doc/changelog.gz"
gzip -9nc >"$doc/changelog.Debian.gz" <<END
cloudconnexa-auth ($version-1) unstable; urgency=medium

  * Version $version; changelog.gz says what is new.

 -- $(sed -n 's/^Maintainer: //p' "$here/control")  $(LC_ALL=C date -uR -d "@$SOURCE_DATE_EPOCH")
END

# A static binary needs nothing; of a dynamic one dpkg-shlibdeps finds out.
depends=
overrides=$(<"$here/lintian-overrides")
if LC_ALL=C readelf --dynamic "$program" | grep -q '(NEEDED)'; then
  mkdir -p "$scratch/source/debian"
  printf 'Source: cloudconnexa-auth\n\nPackage: cloudconnexa-auth\nArchitecture: any\n' \
    >"$scratch/source/debian/control"
  depends=$(cd "$scratch/source" && dpkg-shlibdeps --warnings=0 -O "$program" | sed -n 's/^shlibs:Depends=/Depends: /p')
  overrides=$(sed 1,3d <<<"$overrides") # what is said of a static one
fi
printf '%s\n' "$overrides" >"$stage/usr/share/lintian/overrides/cloudconnexa-auth"

mkdir "$stage/DEBIAN"
size=$(du -k --apparent-size --summarize "$stage/usr" | cut -f 1)
awk -v version="$version-1" -v architecture="$architecture" -v size="$size" -v depends="$depends" '
  /^@DEPENDS@$/ { if (depends != "") print depends; next }
  { gsub(/@VERSION@/, version); gsub(/@ARCHITECTURE@/, architecture); gsub(/@SIZE@/, size); print }
' "$here/control" >"$stage/DEBIAN/control"
(cd "$stage" && find usr -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum) >"$stage/DEBIAN/md5sums"

package=$folder/cloudconnexa-auth_$version-1_$architecture.deb
dpkg-deb --root-owner-group --build "$stage" "$package" >/dev/null
echo "$package"
