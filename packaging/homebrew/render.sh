#!/usr/bin/env bash
# Prints the Homebrew formula of a release.
#
#   usage: render.sh VERSION URL SHA256SUMS        URL is the repository's page
set -euo pipefail
[[ $# -eq 3 ]] || { echo 'usage: render.sh VERSION URL SHA256SUMS' >&2; exit 2; }
formula=$(sed -e '1d' -e "s|@VERSION@|$1|g" -e "s|@URL@|$2|g" "$(dirname -- "${BASH_SOURCE[0]}")/cloudconnexa-auth.rb.in")
while [[ $formula =~ @SHA256:([a-z0-9_-]+)@ ]]; do
  target=${BASH_REMATCH[1]}
  sum=$(awk -v file="cloudconnexa-auth-$1-$target.tar.gz" '$2 == file { print $1 }' "$3")
  [[ $sum =~ ^[0-9a-f]{64}$ ]] || { echo "render.sh: $3 has no sum for $target" >&2; exit 1; }
  formula=${formula//"@SHA256:$target@"/$sum}
done
printf '%s\n' "$formula"
