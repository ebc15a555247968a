#!/usr/bin/env bash
# Lists the changes since FILE was written, in places that no test may change. Exits 1 if there are
# any.
#
#   usage: left-behind.sh FILE
set -euo pipefail
[[ $# -eq 1 ]] || { echo 'usage: left-behind.sh FILE' >&2; exit 2; }
cd "$(dirname "$0")/.."
tree=$PWD

changed() {
  git status --porcelain --untracked-files=all
  # The test programs are in this directory. Cargo itself writes *.d files and directories.
  find "${CARGO_TARGET_DIR:-target}/debug" -maxdepth 1 \( -type l -o -type f ! -name '*.d' ! -name '.*' \) -cnewer "$1"
  local place
  for place in /etc /usr /opt /run/netns /var/lib/containers; do
    # Not -cnewer: a mount on a file in another mount namespace changes its ctime. A __pycache__ is
    # written when gdb, or a tool in Python, starts for the first time.
    [[ -e $place ]] && find "$place" -xdev -newer "$1" ! -type d ! -path "$tree/*" ! -path '*/__pycache__/*' 2>/dev/null
  done
  # Cargo, rustup and their caches belong to the build.
  find "${HOME:?}" -maxdepth 3 -xdev \( -path "$tree" -o -name .cargo -o -name .rustup -o -name .cache \) -prune \
    -o ! -type d -cnewer "$1" -print 2>/dev/null
  true
}

list=$(changed "$1")
[[ -z $list ]] && exit
printf '%s\n' "$list"
exit 1
