# Sourced by scripts that need Debian packages.

have() { command -v "$1" >/dev/null 2>&1; }

# Returns whether a C program can be compiled and linked; Rust's linker needs the same tools.
have_c_compiler() {
  have cc && echo 'int main(void) { return 0; }' | cc -x c -o /dev/null - 2>/dev/null
}

# require_packages PACKAGE...: installs the packages as root or through sudo without a password. If
# neither is possible, prints the command to run and exits. No service of the packages is started.
require_packages() {
  local packages as_root=()
  mapfile -t packages < <(printf '%s\n' "$@" | sort -u)
  if ! have apt-get; then
    echo "error: install what corresponds to these Debian packages: ${packages[*]}" >&2
    exit 1
  fi
  if [[ $(id -u) -ne 0 ]]; then
    if ! have sudo || ! sudo -n true 2>/dev/null; then
      echo "sudo apt-get install --no-install-recommends ${packages[*]}" >&2
      exit 1
    fi
    as_root=(sudo -n)
  fi
  echo "Installing Debian packages: ${packages[*]}" >&2
  "${as_root[@]}" apt-get -qq update
  local policy=/usr/sbin/policy-rc.d
  if [[ ! -e $policy ]]; then
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
    "${as_root[@]}" chmod 755 "$policy"
    # shellcheck disable=SC2064  # expand now, not when the trap runs
    trap "${as_root[*]} rm -f $policy" EXIT
  fi
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y \
    --no-install-recommends -o DPkg::Lock::Timeout=120 "${packages[@]}" >/dev/null
  if [[ -n $(trap -p EXIT) ]]; then
    "${as_root[@]}" rm -f "$policy"
    trap - EXIT
  fi
}
