#!/usr/bin/env bash
# Installs the third-party programs that the integration tests drive.
#
#   usage: setup.sh DIR        DIR is an absolute path, e.g. $PWD/target/test-tools
#
# npm and Python packages go under DIR and nowhere else:
#   DIR/oidc-provider/node_modules    for  NODE_PATH=... node servers/oidc-provider/server.mjs
#   DIR/authlib/bin/python            for  .../python servers/authlib/server.py
#   DIR/pnpm/node_modules/.bin        pnpm
#   DIR/python/bin                    go, ansible, http, uv; python3 for servers/resource/server.py
#   DIR/go-cache                      Go's standard library, compiled (GOCACHE)
# Debian packages are installed with apt-get, as root or through sudo without a password.
# What is there already is left alone; with everything there this takes well under a second.
# No service is started: of tinyproxy, for example, only the binary is installed.
# Not to be had this way: terraform, kubectl, the docker CLI, git 2.46 or newer. Tests that need
# one of them are skipped where it is absent, but not in CI.
set -euo pipefail

usage='usage: setup.sh DIR   (an absolute path)'
[[ $# -eq 1 ]] || { echo "$usage" >&2; exit 2; }
[[ $1 == /* ]] || { echo "$usage; got '$1'" >&2; exit 2; }

tools=$1
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)

say() { echo "setup.sh: $*" >&2; }
have() { command -v "$1" >/dev/null 2>&1; }

# command and the Debian package that has it
wanted=(
  tinyproxy               tinyproxy-bin
  pass                    pass
  gpg                     gnupg
  gpgconf                 gpgconf
  pinentry-curses         pinentry-curses
  docker-credential-pass  golang-docker-credential-helpers
  gnome-keyring-daemon    gnome-keyring
  dbus-run-session        dbus-daemon
  gdbus                   libglib2.0-bin
  /usr/bin/setsid         util-linux
  curl                    curl
  jq                      jq
  strace                  strace
  gdb                     gdb
  /usr/sbin/mkfs.btrfs    btrfs-progs
  faketime                faketime
  flock                   util-linux
  unshare                 util-linux
  /usr/sbin/ip            iproute2
  /usr/sbin/iptables      iptables
  node                    nodejs
  npm                     npm
  make                    make
  openssl                 openssl
  /usr/bin/git            git
  skopeo                  skopeo
  docker-registry         docker-registry
  rclone                  rclone
  htpasswd                apache2-utils
  /usr/sbin/apache2       apache2-bin
  direnv                  direnv
  systemd-analyze         systemd
  zsh                     zsh
  fish                    fish
  man                     man-db
  groff                   groff-base
  mandoc                  mandoc
  lintian                 lintian
  strip                   binutils
  redis-server            redis-server
  redis-cli               redis-tools
  /usr/bin/faketime       faketime
  ip                      iproute2
  /usr/sbin/iptables      iptables
)
mod_auth_openidc=/usr/lib/apache2/modules/mod_auth_openidc.so

missing_packages() {
  local i
  for ((i = 0; i < ${#wanted[@]}; i += 2)); do
    have "${wanted[i]}" || echo "${wanted[i + 1]}"
  done
  [[ -e $mod_auth_openidc ]] || echo libapache2-mod-auth-openidc
  # A `venv` without `ensurepip` (Debian's python3 without python3-venv) makes no pip.
  python3 -c 'import venv, ensurepip' 2>/dev/null || echo python3-venv
}

as_root=()
install_packages() {
  if ! have apt-get; then
    say "no apt-get here; install what corresponds to: $*"
    return 1
  fi
  if [[ $(id -u) -ne 0 ]]; then
    if ! have sudo || ! sudo -n true 2>/dev/null; then
      say "not root and no sudo without a password; missing Debian packages: $*"
      return 1
    fi
    as_root=(sudo -n)
  fi
  say "installing Debian packages: $*"
  "${as_root[@]}" apt-get -qq update
  # docker-registry would be started; this file, unless there is one, says that nothing is.
  local policy=/usr/sbin/policy-rc.d
  if [[ ! -e $policy ]]; then
    trap '"${as_root[@]}" rm -f /usr/sbin/policy-rc.d' EXIT
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
    "${as_root[@]}" chmod 755 "$policy"
  fi
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y \
    --no-install-recommends -o DPkg::Lock::Timeout=120 "$@" >/dev/null
}

# npm_install FROM TO: the packages of FROM/package-lock.json in TO/node_modules
npm_install() {
  local from=$1 to=$2
  cmp -s "$from/package-lock.json" "$to/installed-lock.json" && return
  say "installing ${from##*/} into $to"
  rm -rf "$to"
  mkdir -p "$to"
  cp "$from/package.json" "$from/package-lock.json" "$to"
  npm ci --prefix "$to" --cache "$to/cache" --ignore-scripts \
    --no-audit --no-fund --no-update-notifier --loglevel=error >&2
  rm -rf "$to/cache"
  cp "$from/package-lock.json" "$to/installed-lock.json"
}

# venv_install FROM TO: the packages of FROM/requirements.txt in a virtual environment
venv_install() {
  local from=$1 to=$2
  # The interpreter is run too: it is a link that an upgrade of Python can break.
  cmp -s "$from/requirements.txt" "$to/installed-requirements.txt" &&
    "$to/bin/python" -c '' 2>/dev/null && return
  say "installing ${from##*/} into $to"
  python3 -m venv --clear "$to"
  "$to/bin/python" -m pip install --quiet --no-input --no-cache-dir \
    --disable-pip-version-check --requirement "$from/requirements.txt" >&2
  cp "$from/requirements.txt" "$to/installed-requirements.txt"
}

# What the Go snippet imports, compiled once: it takes the better part of a minute.
compile_for_go() {
  local from=$here/clients/python to=$tools/go-cache
  cmp -s "$from/requirements.txt" "$to/installed-requirements.txt" && return
  say "compiling Go's standard library into $to"
  rm -rf "$to"
  HOME=$to GOCACHE=$to GOTOOLCHAIN=local CGO_ENABLED=0 GO111MODULE=off \
    "$tools/python/bin/go" build net/http encoding/json os/exec testing/internal/testdeps >&2
  cp "$from/requirements.txt" "$to/installed-requirements.txt"
}

mapfile -t missing < <(missing_packages)
[[ ${#missing[@]} -eq 0 ]] || install_packages "${missing[@]}"

mkdir -p "$tools"
exec 9>"$tools/.lock" # two test runs at once: the second one waits
flock 9
npm_install "$here/servers/oidc-provider" "$tools/oidc-provider"
npm_install "$here/clients/pnpm" "$tools/pnpm"
venv_install "$here/servers/authlib" "$tools/authlib"
venv_install "$here/clients/python" "$tools/python"
compile_for_go
