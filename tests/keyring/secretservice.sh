#!/usr/bin/env bash
# A D-Bus session with a GNOME keyring in it that is unlocked, and nobody to ask: no display.
#
#   usage: secretservice.sh DIR     DIR is for sockets: absolute, short, made by the caller
#
# Prints the bus's address, and ends when stdin does; bus and keyring end with it.
# Password of the keyring: pw. It stands in $HOME/.local/share/keyrings.
set -euo pipefail

[[ $# -eq 1 && $1 == /* ]] || { echo 'usage: secretservice.sh DIR' >&2; exit 2; }
export XDG_RUNTIME_DIR=$1
if [[ -z ${IN_SESSION:-} ]]; then
  IN_SESSION=1 exec dbus-run-session -- "$0" "$@"
fi
printf pw | gnome-keyring-daemon --unlock --components=secrets --control-directory="$1/keyring" >/dev/null
# Without this D-Bus might start a second one.
gdbus wait --session --timeout 20 org.freedesktop.secrets
echo "$DBUS_SESSION_BUS_ADDRESS"
cat >/dev/null
