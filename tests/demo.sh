#!/usr/bin/env bash
# Shows the program with the sandbox: logs in, calls the API, shows the cache, starts 100 processes
# at once, and shows a rejected request. Exits non-zero if a step fails, and leaves no files or
# processes behind.
set -euo pipefail
cd "$(dirname "$0")/.."

if [[ -t 1 ]]; then
  say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
else
  say() { printf '\n%s\n' "$*"; }
fi
fail() { echo "demo: error: $*" >&2; exit 1; }
command -v cargo >/dev/null || fail 'cargo is not installed: see https://rustup.rs'
# shellcheck source=tests/debian.sh
. tests/debian.sh
needed=()
have curl || needed+=(curl)
have_c_compiler || needed+=(gcc libc6-dev)
[[ ${#needed[@]} -eq 0 ]] || require_packages "${needed[@]}"

# run COMMAND: prints a shell command, then runs it.
run() { printf '$ %s\n' "$1"; eval "$1"; }

folder=$(mktemp -d)
sandbox=
clean_up() {
  status=$?
  if [[ -n $sandbox ]]; then kill "$sandbox" 2>/dev/null || true; wait "$sandbox" 2>/dev/null || true; fi
  rm -rf "$folder"
  if [[ $status -eq 0 ]]; then say 'All steps passed.'; else say 'The demonstration failed.'; fi
}
trap clean_up EXIT

say '1. Build the program and the sandbox (the first build takes some minutes)'
cargo build --locked --workspace
target=$(cargo metadata --locked --no-deps --format-version 1 | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
PATH=$target/debug:$PATH

say '2. Start the sandbox: a CloudConnexa API on this machine, over HTTPS'
ready=$folder/ready
cloudconnexa-sandbox --directory "$folder/sandbox" --ready-file "$ready" \
  >"$folder/sandbox.out" 2>"$folder/sandbox.log" &
sandbox=$!
for _ in $(seq 100); do
  [[ -s $ready ]] && break
  kill -0 "$sandbox" 2>/dev/null || { cat "$folder/sandbox.log" >&2; fail 'the sandbox ended'; }
  sleep 0.1
done
[[ -s $ready ]] || fail 'the sandbox did not become ready within 10 s'
# shellcheck disable=SC1090  # written by the sandbox
. "$ready"
base_url=$CLOUDCONNEXA_BASE_URL
client_id=$CLOUDCONNEXA_CLIENT_ID
client_secret=$CLOUDCONNEXA_CLIENT_SECRET
unset "${!CLOUDCONNEXA_@}"
unset https_proxy HTTPS_PROXY all_proxy ALL_PROXY CURL_CA_BUNDLE SSL_CERT_DIR
export HOME=$folder/home XDG_CONFIG_HOME=$folder/home/config XDG_CACHE_HOME=$folder/home/cache
mkdir "$HOME"
echo "$base_url"

# Returns the number of token requests that the sandbox has received.
token_requests() {
  curl --silent --fail --cacert "$SSL_CERT_FILE" "$base_url/sandbox/requests" |
    grep -o '"path":"[^"]*"' | grep -c 'oauth/token' || true
}

say '3. Log in. The client secret comes on stdin and is stored in a file of mode 0600'
printf '%s\n' "$client_secret" >"$folder/secret"
run "cloudconnexa-auth login --client-id $client_id --base-url $base_url --profile demo --lifetime 6mo --store file --secret-stdin <$folder/secret"

say '4. Call the API. The program gives the token to curl'
run 'cloudconnexa-auth curl /api/v1/networks --silent --show-error --fail' >"$folder/networks"
head -c 300 "$folder/networks"
echo

say '5. Look at the profile and its cached token, without a request'
run 'cloudconnexa-auth status'

say '6. Check every step up to an authorised call'
run 'cloudconnexa-auth doctor'

say '7. Start 100 processes at once without a cached token'
run 'rm -r $XDG_CACHE_HOME'
before=$(token_requests)
run "for i in \$(seq 100); do cloudconnexa-auth token >$folder/token.\$i & pids+=(\$!); done"
for pid in "${pids[@]}"; do wait "$pid" || fail 'one of the 100 processes failed'; done
distinct=$(cat "$folder"/token.* | sort -u | wc -l)
requests=$(($(token_requests) - before))
echo "100 answers, $distinct token, $requests token request"
[[ $distinct -eq 1 && $requests -eq 1 ]] || fail 'more than one token request was made'
token=$(cloudconnexa-auth token)

say '8. Switch API access off in the portal and ask for a new token'
curl --silent --fail --cacert "$SSL_CERT_FILE" --header 'Content-Type: application/json' \
  --data '{"enabled":false}' "$base_url/sandbox/api" >/dev/null
code=0
run "cloudconnexa-auth token --refresh 2>$folder/refusal" || code=$?
cat "$folder/refusal"
[[ $code -eq 4 ]] || fail "the exit code is $code instead of 4"
grep -q 'hint: .*Enable API' "$folder/refusal" || fail 'the hint is missing'
[[ $(cloudconnexa-auth token) == "$token" ]] || fail 'the valid token was lost'
echo 'exit code 4; the cached token stays valid for all other callers'
