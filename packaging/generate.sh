#!/usr/bin/env bash
# Writes the man pages and the completion scripts, which the program prints, into a directory.
#
#   usage: generate.sh PROGRAM FOLDER
#
#   FOLDER/man1/*.1                        a page for the program, one for each command, and links
#                                          under the program's other names
#   FOLDER/completions/cloudconnexa-auth.bash, _cloudconnexa-auth (zsh), cloudconnexa-auth.fish,
#   _cloudconnexa-auth.ps1
set -euo pipefail
[[ $# -eq 2 ]] || { echo 'usage: generate.sh PROGRAM FOLDER' >&2; exit 2; }
program=$1
man1=$2/man1
completions=$2/completions

rm -rf "$man1" "$completions"
mkdir -p "$man1" "$completions"

# The commands in the order of the help text.
commands=$("$program" --help | awk '
  /^Commands:/ { inside = 1; next }
  /^$/ { inside = 0 }
  inside && /^  [a-z]/ { print $1 }')
[[ -n $commands ]] || { echo "generate.sh: $program names no commands" >&2; exit 1; }

"$program" man >"$man1/cloudconnexa-auth.1"
for command in $commands; do
  "$program" man "$command" >"$man1/cloudconnexa-auth-$command.1"
done
for tool in git docker cargo pnpm; do
  ln -s "cloudconnexa-auth-$tool.1" "$man1/$tool-credential-cloudconnexa.1"
done

"$program" completions bash >"$completions/cloudconnexa-auth.bash"
"$program" completions zsh >"$completions/_cloudconnexa-auth"
"$program" completions fish >"$completions/cloudconnexa-auth.fish"
"$program" completions powershell >"$completions/_cloudconnexa-auth.ps1"
