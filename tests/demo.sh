#!/usr/bin/env bash
# The whole story on one machine: a sandbox over HTTPS, stored credentials, a token, an authorised
# API call, a storm that costs one request, a refusal with its hint. Ends non-zero if any of it
# does not happen, and leaves nothing behind.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
[[ -t 1 ]] || say() { printf '\n%s\n' "$*"; }
fail() { echo "demo: $*" >&2; exit 1; }
command -v cargo >/dev/null || fail 'cargo is needed: install Rust'
if ! command -v curl >/dev/null && [[ $(id -u) -eq 0 ]] && command -v apt-get >/dev/null; then
  say '0. Install curl'
  apt-get -qq update && apt-get -qq install -y --no-install-recommends curl >/dev/null
fi
command -v curl >/dev/null || fail 'curl is needed: install it'

folder=$(mktemp -d)
sandbox=
clean_up() {
  status=$?
  if [[ -n $sandbox ]]; then kill "$sandbox" 2>/dev/null || true; wait "$sandbox" 2>/dev/null || true; fi
  rm -rf "$folder"
  if [[ $status -eq 0 ]]; then say 'All of it happened.'; else say 'The demonstration failed.'; fi
}
trap clean_up EXIT

say '1. Build the program and the sandbox'
cargo build --locked --quiet --workspace
bin=$(cargo metadata --locked --no-deps --format-version 1 | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')/debug
PATH=$bin:$PATH

say '2. Start the sandbox on loopback, over HTTPS with its own CA'
ready=$folder/ready
cloudconnexa-sandbox --directory "$folder/sandbox" --ready-file "$ready" \
  >"$folder/sandbox.out" 2>"$folder/sandbox.log" &
sandbox=$!
for _ in $(seq 100); do
  [[ -s $ready ]] && break
  kill -0 "$sandbox" 2>/dev/null || { cat "$folder/sandbox.log" >&2; fail 'the sandbox ended'; }
  sleep 0.1
done
[[ -s $ready ]] || fail 'the sandbox did not become ready'
# shellcheck disable=SC1090  # made a moment ago, by the sandbox
. "$ready"
base_url=$CLOUDCONNEXA_BASE_URL
client_id=$CLOUDCONNEXA_CLIENT_ID
client_secret=$CLOUDCONNEXA_CLIENT_SECRET
unset "${!CLOUDCONNEXA_@}"
unset https_proxy HTTPS_PROXY all_proxy ALL_PROXY CURL_CA_BUNDLE
export HOME=$folder/home XDG_CONFIG_HOME=$folder/home/config XDG_CACHE_HOME=$folder/home/cache
mkdir "$HOME"
echo "$base_url"

say '3. Store the credentials (JSON on stdin; the secret goes into a file of mode 0600)'
printf '{"profile":"demo","base_url":"%s","client_id":"%s","client_secret":"%s","lifetime":"6mo"}' \
  "$base_url" "$client_id" "$client_secret" | cloudconnexa-auth store
find "$XDG_CONFIG_HOME" -type f -printf '%m %f\n'

# What the sandbox has counted of the token endpoint.
token_requests() {
  curl --silent --fail --cacert "$SSL_CERT_FILE" "$base_url/sandbox/requests" |
    grep -o '"path":"[^"]*"' | grep -c 'oauth/token' || true
}

say '4. Start 100 processes at once on a cold cache'
for number in $(seq 100); do
  cloudconnexa-auth token >"$folder/token.$number" &
  pids+=("$!")
done
for pid in "${pids[@]}"; do wait "$pid" || fail 'one of the 100 failed'; done
distinct=$(cat "$folder"/token.* | sort -u | wc -l)
requests=$(token_requests)
echo "100 answers, $distinct token, $requests token request"
[[ $distinct -eq 1 && $requests -eq 1 ]] || fail 'more than one token request was made'

say '5. Print the token, and call the protected API with it through curl'
token=$(cloudconnexa-auth token)
echo "${token:0:6}… (${#token} characters)"
[[ $token == "$(cat "$folder/token.1")" ]] || fail 'the token is not the one from the storm'
cloudconnexa-auth header --curl |
  curl --silent --fail --show-error --cacert "$SSL_CERT_FILE" --config - "$base_url/api/v1/networks" |
  head -c 200
echo
refused=$(curl --silent --output /dev/null --write-out '%{http_code}' \
  --cacert "$SSL_CERT_FILE" "$base_url/api/v1/networks")
echo "and without it: $refused"
[[ $refused -eq 401 ]] || fail 'the API is not protected'

say '6. What is known without asking anybody'
cloudconnexa-auth status

say '7. Check the whole way, as one does when something is wrong'
cloudconnexa-auth doctor

say '8. Switch API access off in the "portal" and see a refusal with its hint'
curl --silent --fail --cacert "$SSL_CERT_FILE" --header 'Content-Type: application/json' \
  --data '{"enabled":false}' "$base_url/sandbox/api" >/dev/null
code=0
cloudconnexa-auth token --refresh 2>"$folder/refusal" || code=$?
cat "$folder/refusal"
[[ $code -eq 4 ]] || fail "the exit code is $code and not 4"
grep -q 'hint: .*Enable API' "$folder/refusal" || fail 'the hint is missing'
[[ $(cloudconnexa-auth token) == "$token" ]] || fail 'the good token was lost'
echo 'exit code 4; the token at hand is still good for everybody else'
