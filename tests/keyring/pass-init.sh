#!/usr/bin/env bash
# Makes a throw-away `pass` store for docker-credential-pass: no terminal, no question, and unless one
# is given, no passphrase.
#
#   usage: pass-init.sh DIR [--no-store | --passphrase=TEXT]
#     --no-store    the key only, the store not initialised
#     --passphrase  the key needs it; the agent has forgotten it and asks by pinentry-curses
#
# Makes DIR/gnupg (GNUPGHOME) and DIR/store (PASSWORD_STORE_DIR) and prints both as NAME=VALUE lines.
# DIR is absolute and has 80 characters at most (the agent's socket is in it).
# gpg leaves an agent running; stop it before DIR is removed:
#   GNUPGHOME=DIR/gnupg gpgconf --kill all
set -euo pipefail

usage='usage: pass-init.sh DIR [--no-store | --passphrase=TEXT]'
[[ $# -ge 1 && $1 == /* && ${2:-} =~ ^(--no-store|--passphrase=.+)?$ ]] || { echo "$usage" >&2; exit 2; }

export GNUPGHOME=$1/gnupg PASSWORD_STORE_DIR=$1/store
user='test <test@example.test>'
passphrase=
[[ ${2:-} != --passphrase=* ]] || passphrase=${2#*=}

mkdir -p "$1"
mkdir -m 700 "$GNUPGHOME"
# With a count of its own the agent does not measure for seconds how slow a passphrase can be made.
printf 'pinentry-program %s\ns2k-count 65536\n' "$(command -v pinentry-curses)" >"$GNUPGHOME/gpg-agent.conf"
gpg --batch --quiet --no-tty --pinentry-mode loopback --passphrase "$passphrase" \
  --quick-generate-key "$user" future-default default never 2>"$1/gpg.log" ||
  { cat "$1/gpg.log" >&2; exit 1; }
if [[ ${2:-} != --no-store ]]; then
  pass init test@example.test >"$1/pass.log"
fi
[[ -z $passphrase ]] || gpgconf --kill gpg-agent
printf 'GNUPGHOME=%s\nPASSWORD_STORE_DIR=%s\n' "$GNUPGHOME" "$PASSWORD_STORE_DIR"
