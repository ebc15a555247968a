#!/usr/bin/env bash
# Installs the third-party programs that the integration tests start, and fetches the crates.
#
#   usage: setup.sh DIR        DIR is an absolute path, e.g. $PWD/target/test-tools
#
# Everything but Debian packages goes into DIR:
#   DIR/python/bin                    from PyPI: node, npm, go, ansible, http, uv
#   DIR/oidc-provider/node_modules    from npm, for tests/servers/oidc-provider
#   DIR/pnpm/node_modules/.bin        from npm: pnpm
#   DIR/authlib/bin/python            from PyPI, for tests/servers/authlib
#   DIR/debian                        unpacked Debian packages that would enable a service
#   DIR/bin                           links to the programs above that are looked up on PATH
#   DIR/go-cache                      Go's standard library, compiled (GOCACHE)
# Debian packages are installed with apt-get, as root or through sudo without a password. If neither
# is possible, the script prints the command to run and ends. Nothing that is present is changed; a
# second run takes less than a second. No service is started or enabled.
# Not installed: terraform, kubectl, the docker CLI, git 2.46 or newer, java. Tests that need a
# missing one are skipped, and `make test` lists them.
set -euo pipefail

usage='usage: setup.sh DIR   (an absolute path)'
[[ $# -eq 1 ]] || { echo "$usage" >&2; exit 2; }
[[ $1 == /* ]] || { echo "$usage; got '$1'" >&2; exit 2; }

tools=$1
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/debian.sh
. "$here/debian.sh"

say() { echo "setup.sh: $*" >&2; }

# command and the Debian package that contains it
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
  /usr/bin/faketime       faketime
  /usr/sbin/ip            iproute2
  /usr/sbin/iptables      iptables
  make                    make
  openssl                 openssl
  /usr/bin/git            git
  skopeo                  skopeo
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
  redis-cli               redis-tools
)
mod_auth_openidc=/usr/lib/apache2/modules/mod_auth_openidc.so

missing_packages() {
  local i
  for ((i = 0; i < ${#wanted[@]}; i += 2)); do
    have "${wanted[i]}" || echo "${wanted[i + 1]}"
  done
  [[ -e $mod_auth_openidc ]] || echo libapache2-mod-auth-openidc
  # Debian's python3 has `venv`, but only python3-venv has `ensurepip`.
  python3 -c 'import venv, ensurepip' 2>/dev/null || echo python3-venv
  have_c_compiler || printf '%s\n' gcc libc6-dev
}

# unpack PACKAGE: unpacks a Debian package into DIR/debian without installing it.
unpack() {
  [[ -e $tools/debian/$1.unpacked ]] && return
  say "unpacking $1 into $tools/debian"
  mkdir -p "$tools/debian"
  (cd "$tools/debian" && apt-get -qq download "$1" && dpkg-deb --extract "$1"_*.deb . && rm -f "$1"_*.deb)
  touch "$tools/debian/$1.unpacked"
}

# npm_install FROM TO: the packages of FROM/package-lock.json in TO/node_modules
npm_install() {
  local from=$1 to=$2
  cmp -s "$from/package-lock.json" "$to/installed-lock.json" && return
  say "installing ${from##*/} into $to"
  rm -rf "$to"
  mkdir -p "$to"
  cp "$from/package.json" "$from/package-lock.json" "$to"
  "$tools/bin/npm" ci --prefix "$to" --cache "$to/cache" --ignore-scripts \
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

# Compiles the packages that the Go snippet imports, once: it takes most of a minute.
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
[[ ${#missing[@]} -eq 0 ]] || require_packages "${missing[@]}"

mkdir -p "$tools/bin"
exec 9>"$tools/.lock" # two test runs at once: the second one waits
flock 9
# The tests use cargo without a network, for every target in Cargo.lock.
cargo fetch --quiet --locked --manifest-path "$here/../Cargo.toml"
# A normal installation of these two packages would enable a service.
have docker-registry || unpack docker-registry
have redis-server || unpack redis-server
if [[ -e $tools/debian/usr/bin/docker-registry ]]; then
  ln -sf ../debian/usr/bin/docker-registry "$tools/bin/docker-registry"
fi
# In Debian, redis-server is the program redis-check-rdb (of redis-tools) under another name.
if [[ -e $tools/debian/redis-server.unpacked ]]; then
  ln -sf /usr/bin/redis-check-rdb "$tools/bin/redis-server"
fi
venv_install "$here/clients/python" "$tools/python"
for program in node npm; do ln -sf "../python/bin/$program" "$tools/bin/$program"; done
export PATH=$tools/bin:$PATH
npm_install "$here/servers/oidc-provider" "$tools/oidc-provider"
npm_install "$here/clients/pnpm" "$tools/pnpm"
venv_install "$here/servers/authlib" "$tools/authlib"
compile_for_go
