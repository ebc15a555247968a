#!/usr/bin/env bash
# Packs the release files of one target: a .tar.gz, or a .zip for Windows.
#
#   usage: archive.sh PROGRAM TARGET PAPERS FOLDER        prints the path of the archive
#
# PAPERS is the directory that generate.sh has written. The time in the archive is
# SOURCE_DATE_EPOCH, or else the time of the last commit.
set -euo pipefail
[[ $# -eq 4 ]] || { echo 'usage: archive.sh PROGRAM TARGET PAPERS FOLDER' >&2; exit 2; }
program=$1 target=$2 papers=$3
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$root/Cargo.toml" | head -n 1)
name=cloudconnexa-auth-$version-$target
mkdir -p "$4"
folder=$(cd -- "$4" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

stage=$scratch/$name
mkdir "$stage"
cp "$root"/{README.md,CHANGELOG.md,SECURITY.md,LICENSE-MIT,LICENSE-APACHE} "$stage"
"$root/packaging/notices.py" "$target" >"$stage/THIRD-PARTY.txt"
cp -R "$papers/completions" "$stage"
if [[ $target == *windows* ]]; then
  # No man pages, because Windows has no man. The user makes a copy where Unix has a link.
  cp "$program" "$stage/cloudconnexa-auth.exe"
  (cd "$scratch" && 7z a -bso0 "$folder/$name.zip" "$name")
  echo "$folder/$name.zip"
else
  cp "$program" "$stage/cloudconnexa-auth"
  cp -R "$papers/man1" "$stage"
  epoch=${SOURCE_DATE_EPOCH:-$(git -C "$root" log -1 --format=%ct)}
  # Uses Python, because macOS's tar cannot sort or set the owner. The format is the same on all
  # systems.
  python3 - "$stage" "$folder/$name.tar.gz" "$epoch" <<'END'
import gzip, os, sys, tarfile

stage, archive, epoch = sys.argv[1], sys.argv[2], int(sys.argv[3])

def plain(member):
    member.mtime, member.uid, member.gid, member.uname, member.gname = epoch, 0, 0, "", ""
    member.mode = 0o755 if member.isdir() or os.path.basename(member.name) == "cloudconnexa-auth" else 0o644
    return member

with open(archive, "wb") as file, gzip.GzipFile("", "wb", 9, file, epoch) as packed:
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        tar.add(stage, os.path.basename(stage), filter=plain)  # sorted, since Python 3.7
END
  echo "$folder/$name.tar.gz"
fi
