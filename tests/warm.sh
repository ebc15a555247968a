# shellcheck shell=bash disable=SC2034,SC2154  # the sourcing script sets or uses some variables
# For scripts that examine calls with a warm cache. Creates a sandbox, a home with three profiles
# for it, and the input that tools send on stdin. The first profile is the default and has a cached
# token.
#
#   usage: . warm.sh; warm BINARY SANDBOX [ARGUMENT OF THE SANDBOX...]
#
# Expects `folder`, a directory that only the script uses, and a function `fail`. Sets `server`
# (stop it with `cool`), `base_url`, `host`, `config`, `variables` (the environment of an
# invocation) and `token`, and writes `$folder/get`, `git` and `cargo`. `run` runs a command in that
# environment.

server=
run() { env -i "${variables[@]}" "$@"; }
cool() {
  if [[ -n $server ]]; then kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; fi
}
warm() {
  local binary=$1 sandbox=$2 profile
  shift 2
  "$sandbox" "$@" --directory "$folder/sandbox" --ready-file "$folder/ready" >/dev/null 2>&1 &
  server=$!
  for _ in $(seq 100); do [[ -s $folder/ready ]] && break; sleep 0.1; done
  [[ -s $folder/ready ]] || fail 'the sandbox did not become ready'
  # shellcheck disable=SC1091  # the sandbox has just written this file
  . "$folder/ready"
  base_url=$CLOUDCONNEXA_BASE_URL
  host=${base_url#*://}
  mkdir "$folder/home"
  variables=(HOME="$folder/home" SSL_CERT_FILE="$SSL_CERT_FILE" PATH="$PATH")
  for profile in prod stage dev; do
    printf '{"profile":"%s","base_url":"%s","client_id":"%s","client_secret":"%s"}' "$profile" \
      "$base_url" "$CLOUDCONNEXA_CLIENT_ID" "$CLOUDCONNEXA_CLIENT_SECRET" | run "$binary" store >/dev/null
  done
  config=$folder/home/.config/cloudconnexa-auth/config.toml
  token=$(run "$binary" token)
  printf '{"uri":"%s"}' "$base_url" >"$folder/get"
  printf 'protocol=https\nhost=%s\n\n' "$host" >"$folder/git"
  printf '{"v":1,"registry":{"index-url":"sparse+%s/index/","name":"acme","headers":[]},"kind":"get","operation":"read","args":[]}\n' \
    "$base_url" >"$folder/cargo"
}
