#!/usr/bin/env bash
# Makes a throw-away `pass` store for docker-credential-pass: no terminal, no passphrase, no question.
#
#   usage: pass-init.sh DIR [--no-store]     --no-store: the key only, the store not initialised
#
# Makes DIR/gnupg (GNUPGHOME) and DIR/store (PASSWORD_STORE_DIR) and prints both as NAME=VALUE lines.
# DIR is absolute and has 80 characters at most (the agent's socket is in it).
# gpg leaves an agent running; stop it before DIR is removed:
#   GNUPGHOME=DIR/gnupg gpgconf --kill all
set -euo pipefail

usage='usage: pass-init.sh DIR [--no-store]'
[[ $# -ge 1 && $1 == /* && ${2:-} =~ ^(--no-store)?$ ]] || { echo "$usage" >&2; exit 2; }

export GNUPGHOME=$1/gnupg PASSWORD_STORE_DIR=$1/store
user='test <test@example.test>'

mkdir -p "$1"
mkdir -m 700 "$GNUPGHOME"
gpg --batch --quiet --no-tty --pinentry-mode loopback --passphrase '' \
  --quick-generate-key "$user" future-default default never 2>"$1/gpg.log" ||
  { cat "$1/gpg.log" >&2; exit 1; }
if [[ ${2:-} != --no-store ]]; then
  pass init test@example.test >"$1/pass.log"
fi
printf 'GNUPGHOME=%s\nPASSWORD_STORE_DIR=%s\n' "$GNUPGHOME" "$PASSWORD_STORE_DIR"
