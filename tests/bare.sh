#!/usr/bin/env bash
# Runs `make demo` and `make test` on a bare Debian: the smallest root that debootstrap makes, with
# ca-certificates, git, make and a copy of this machine's Rust toolchain. The root has its own mount
# and process namespaces. It uses this machine's network to reach the package registries.
#
#   usage: bare.sh [SUITE]     SUITE is a Debian release, by default bookworm
#
# Needs root, debootstrap and 10 GB in ${TMPDIR:-/var/tmp}. Tests the last commit, not the working
# tree. The last lines are a summary: each step with its result and time.
set -euo pipefail
cd "$(dirname "$0")/.."
fail() { echo "bare: error: $*" >&2; exit 1; }

# Copies the toolchain and the project into the root.
prepare() {
  local root=$1 sysroot user
  sysroot=$(rustc --print sysroot)
  mkdir "$root/opt/rust"
  cp -a "$sysroot/bin" "$sysroot/lib" "$sysroot/libexec" "$root/opt/rust/"
  chroot "$root" useradd --create-home --shell /bin/bash user
  for user in root home/user; do git clone --quiet --no-local . "$root/$user/project"; done
  chroot "$root" chown -R user:user /home/user/project
  cp /etc/resolv.conf "$root/etc/resolv.conf"
  cp /etc/hosts "$root/etc/hosts"
  # A registry mirror or a proxy may need certificates that only this machine trusts.
  cp /usr/local/share/ca-certificates/*.crt "$root/usr/local/share/ca-certificates/" 2>/dev/null || true
  chroot "$root" update-ca-certificates >/dev/null
  chroot "$root" apt-get clean
}

# Makes the directory the root of this process, and unmounts the old root. Unlike chroot, this lets
# the tests create user namespaces.
enter() {
  mount --bind "$1" "$1"
  cd "$1"
  mount -t proc proc proc
  mount --rbind /sys sys
  mount --rbind /dev dev
  mount -t tmpfs tmpfs run
  mkdir -p old
  pivot_root . old
  cd /
  umount -l /old
  rmdir /old
  hash -r
}

# clean_environment COMMAND...: without the variables of this machine, but with those that name its
# proxy and its certificates.
clean_environment() {
  local kept=() name
  for name in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY; do
    [[ -z ${!name:-} ]] || kept+=("$name=${!name}")
  done
  env -i LANG=C.UTF-8 TERM=dumb PATH=/opt/rust/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    PIP_CERT=/etc/ssl/certs/ca-certificates.crt NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt \
    "${kept[@]}" "$@"
}

as_root() { (cd /root/project && clean_environment HOME=/root "$@"); }
as_user() { (cd /home/user/project && clean_environment HOME=/home/user USER=user runuser -u user -- "$@"); }

# step NAME COMMAND...: runs it, and keeps its output, its result and its time for the summary.
step() {
  local name=$1 start=$SECONDS result=passed
  shift
  printf '\n== %s\n' "$name"
  "$@" </dev/null 2>&1 | tee "/var/log/step" || result=FAILED
  [[ $result == passed ]] || failed=yes
  summary+="$(printf '%-34s %s, %d s' "$name" "$result" $((SECONDS - start)))"$'\n'
  summary+=$(sed -n '/^== Summary$/,$ { /^== Summary$/d; s/^/    /; p }' /var/log/step)$'\n'
}

# Without root and sudo nothing can be installed, so the answer is the command that does it.
refused_demo() {
  local output packages
  if output=$(as_user make demo 2>&1); then echo 'make demo passed without a C compiler'; return 1; fi
  printf '%s\n' "$output"
  packages=$(sed -n 's/^sudo apt-get install --no-install-recommends //p' <<<"$output")
  [[ -n $packages ]] || { echo 'no command to install the packages was printed'; return 1; }
  [[ -z $(tr ' ' '\n' <<<"$packages" | sort | uniq -d) ]] || { echo 'a package is named twice'; return 1; }
}

# The links by which systemd and init start services.
services() { find /etc/systemd/system /etc/rc?.d -type l 2>/dev/null | sort; }

inside() {
  enter "$1"
  failed='' summary=''
  local before after
  apt-mark showmanual | sort >/var/log/packages-before
  dpkg-query -W -f '${Package}\n' | sort >/var/log/all-before
  before=$(services)
  step 'make demo, user, nothing installed' refused_demo
  step 'make demo, root, first run' as_root make demo
  step 'make test, root, first run' as_root make test
  step 'make test, root, second run, CI=1' as_root env CI=1 make test
  step 'make demo, user' as_user make demo
  after=$(services)

  printf '\n== Packages that were asked for\n'
  apt-mark showmanual | sort | comm -13 /var/log/packages-before - | paste -sd ' ' | fold -s -w 100
  printf '== Services that were enabled\n'
  comm -13 <(printf '%s\n' "$before") <(printf '%s\n' "$after")
  printf '== Summary of all steps\n%s' "$summary"
  echo "$(dpkg-query -W -f '${Package}\n' | sort | comm -13 /var/log/all-before - | wc -l) packages were installed"
  [[ -z $failed ]] || { echo 'result: FAILED'; exit 1; }
  echo 'result: passed'
}

if [[ ${1:-} == --inside ]]; then inside "$2"; exit; fi
[[ $(id -u) -eq 0 ]] || fail 'run it as root: sudo env "PATH=$PATH" "HOME=$HOME" make bare-test'
command -v debootstrap >/dev/null || fail 'debootstrap is missing: apt-get install --no-install-recommends debootstrap'
root=$(mktemp -d "${TMPDIR:-/var/tmp}/bare.XXXXXX")
trap 'rm -rf --one-file-system "$root"' EXIT
chmod 755 "$root"
unset TMPDIR # it is not a directory of the root
debootstrap --variant=minbase --include=ca-certificates,git,make "${1:-bookworm}" "$root" >"$root.log" ||
  { cat "$root.log" >&2; fail 'debootstrap failed'; }
rm -f "$root.log"
prepare "$root"
# The mounts and processes end with the namespaces.
unshare --mount --propagation private --pid --fork --kill-child "$BASH" "$PWD/tests/bare.sh" --inside "$root"
