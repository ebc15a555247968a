#!/usr/bin/env bash
# Times of the shipped binary beside the least that a start can take and beside what people use
# instead, all started by one program, in random order, in one run. Writes the tables between the
# markers of docs/performance.md. What is not installed is named and left out.
#
#   usage: bench.sh BINARY SANDBOX        (ROUNDS=500)
# shellcheck disable=SC2016  # backticks here are those of Markdown
set -euo pipefail
[[ $# -eq 2 ]] || { echo 'usage: bench.sh BINARY SANDBOX' >&2; exit 2; }
cd "$(dirname "$0")/../.."
rounds=${ROUNDS:-500}
page=docs/performance.md
fail() { echo "bench: $*" >&2; exit 1; }

folder=$(mktemp -d)
server=
clean_up() {
  if [[ -n $server ]]; then kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; fi
  rm -rf "$folder"
}
trap clean_up EXIT
# A fresh copy: how the pages of a file lie in the cache is worth a good part of a start.
ours=$folder/cloudconnexa-auth
install -m 755 "$1" "$ours"
cc -O2 -o "$folder/start" tests/bench/start.c
cc -nostdlib -static -o "$folder/floor" tests/bench/floor.S

"$2" --no-rate-limit --directory "$folder/sandbox" --ready-file "$folder/ready" >/dev/null 2>&1 &
server=$!
for _ in $(seq 100); do [[ -s $folder/ready ]] && break; sleep 0.1; done
[[ -s $folder/ready ]] || fail 'the sandbox did not become ready'
# shellcheck disable=SC1091  # made a moment ago, by the sandbox
. "$folder/ready"
base_url=$CLOUDCONNEXA_BASE_URL
host=${base_url#*://}
mkdir "$folder/home"
variables=(HOME="$folder/home" SSL_CERT_FILE="$SSL_CERT_FILE" PATH="$PATH")
run() { env -i "${variables[@]}" "$@"; }
config=$folder/home/.config/cloudconnexa-auth/config.toml
for profile in prod stage dev; do
  printf '{"profile":"%s","base_url":"%s","client_id":"%s","client_secret":"%s"}' "$profile" \
    "$base_url" "$CLOUDCONNEXA_CLIENT_ID" "$CLOUDCONNEXA_CLIENT_SECRET" | run "$ours" store >/dev/null
done
sed -i -e '/^default_profile/d' -e '1i default_profile = "prod"' "$config"
token=$(run "$ours" token)
printf '{"uri":"%s"}' "$base_url" >"$folder/get"
printf 'protocol=https\nhost=%s\n\n' "$host" >"$folder/git"

names=()
: >"$folder/jobs"
# A job: its name in the table, the file for its stdin, the program and its arguments.
job() {
  names+=("$1")
  shift
  (IFS=$'\t'; echo "$*") >>"$folder/jobs"
}
# Runs the jobs, the first of which all others are compared with, and prints the rows of a table.
measure() {
  "$folder/start" "$1" "${variables[@]}" <"$folder/jobs" >"$folder/measured"
  for number in "${!names[@]}"; do
    for column in 2 3 4 5; do
      awk -v job="$number" -v column="$column" '$1 == job { print $column }' "$folder/measured" |
        sort -n | awk '{ all[NR] = $1 } END { printf "%d ", all[int((NR + 1) / 2)] }'
    done
    echo "${names[number]}"
  done | awk '{
    if (NR == 1) floor = $1
    name = $5; for (word = 6; word <= NF; word++) name = name " " $word
    printf "| %s | %.0f | %.2f | %d | %d | %d |\n", name, $1 / 1000, $1 / floor, $2, $3, $4
  }'
}
forget() {
  names=()
  : >"$folder/jobs"
}
head='| what | wall µs | × | CPU µs | memory KiB | page faults |
|---|---|---|---|---|---|'

echo "bench: $rounds rounds of our own verbs" >&2
job 'floor: static, no libc, ends at once' /dev/null "$folder/floor"
job '`--version`' /dev/null "$ours" --version
job '`token`' /dev/null "$ours" token
job '`header`' /dev/null "$ours" header
job '`get`' "$folder/get" "$ours" get
job '`git get`' "$folder/git" "$ours" git get
job '`kubectl`' /dev/null "$ours" kubectl
job '`terraform get`' /dev/null "$ours" terraform get "$host"
job '`cargo`, token on stdout' /dev/null "$ours" token --for "$base_url"
own=$(measure "$rounds")
forget

echo 'bench: what people use instead' >&2
absent=()
have() { command -v "$1" >/dev/null || { absent+=("$2"); return 1; }; }
job '`token`' /dev/null "$ours" token
if store=$(git --exec-path 2>/dev/null)/git-credential-store && [[ -x $store ]]; then
  printf 'https://oauth2:%s@%s\n' "$token" "${host//:/%3a}" >"$folder/home/.git-credentials"
  job 'git-credential-store' "$folder/git" "$store" get
else
  absent+=(git-credential-store)
fi
if have jq 'shell cache with jq'; then
  printf '{"access_token":"%s","expires_at":%d}' "$token" "$(($(date +%s) + 40000))" >"$folder/cache.json"
  cat >"$folder/shell-cache" <<'END'
#!/bin/sh
cache=$1
now=$(date +%s)
end=$(jq -r .expires_at "$cache")
[ "$now" -lt "$end" ] && jq -r .access_token "$cache"
END
  chmod 755 "$folder/shell-cache"
  job 'shell cache with jq and date' /dev/null "$folder/shell-cache" "$folder/cache.json"
  if have curl 'curl and jq'; then
    cat >"$folder/curl-jq" <<'END'
#!/bin/sh
curl -sS --cacert "$SSL_CERT_FILE" -X POST \
  "$1/api/v1/oauth/token?client_id=$2&client_secret=$3&grant_type=client_credentials" | jq -r .access_token
END
    chmod 755 "$folder/curl-jq"
    job 'curl and jq, each time from the server on loopback' /dev/null "$folder/curl-jq" "$base_url" \
      "$CLOUDCONNEXA_CLIENT_ID" "$CLOUDCONNEXA_CLIENT_SECRET"
  fi
fi
if have python3 'Python keyring' && python3 -c 'import keyring' 2>/dev/null; then
  mkdir -p "$folder/home/.local/share"
  job 'Python, `import keyring` alone' /dev/null "$(command -v python3)" -c 'import keyring'
else
  absent+=('Python keyring')
fi
have oauth2l oauth2l || true
have docker-credential-pass docker-credential-pass && absent+=('docker-credential-pass (needs a key of its own)')
peers=$(measure 40)
forget

echo 'bench: many at once' >&2
# The median of five storms of so many processes: milliseconds to the last answer, CPU of each in µs.
storm() {
  local count=$1 is_cold=$2
  shift 2
  for _ in 1 2 3 4 5; do
    if [[ $is_cold == cold ]]; then rm -rf "$folder/home/.cache"; fi
    (IFS=$'\t'; echo "/dev/null${IFS}$*") | "$folder/start" "@$count" "${variables[@]}"
  done | sort -n | awk -v count="$count" 'NR == 3 { printf "%.1f | %.0f", $1 / 1e6, $2 / count }'
}
ask() { curl --silent --show-error --fail --cacert "$SSL_CERT_FILE" "$@"; }
asked() { ask "$base_url/sandbox/requests" | grep -o '"path":"[^"]*"' | grep -c oauth/token || true; }
storms='| processes | floor: ms | floor: CPU µs each | warm: ms | warm: CPU µs each | cold, server after 500 ms: ms | cold: CPU µs each | requests of a cold storm |
|---|---|---|---|---|---|---|---|'
if have curl 'curl, which counts the requests of a storm'; then
  for count in 10 100 500 2000; do
    row="| $count | $(storm "$count" warm "$folder/floor") | $(storm "$count" warm "$ours" token)"
    ask "$base_url/sandbox/faults?always" -d '{"latency":"500ms"}' -o /dev/null
    before=$(asked)
    row+=" | $(storm "$count" cold "$ours" token)"
    row+=" | $(awk -v all="$(($(asked) - before))" 'BEGIN { print all / 5 }') |"
    ask "$base_url/sandbox/faults" -X DELETE -o /dev/null
    storms+=$'\n'$row
  done
fi

echo 'bench: growth' >&2
grown="$head"
for count in 1 500; do
  seq 1 "$((count - 1))" | awk -v base="$base_url" '{
    printf "[profiles.other-%d]\ncloud_id = \"other-%d\"\nclient_id = \"id.other-%d\"\n", $1, $1, $1
    printf "client_secret = { env = \"OTHER\" }\n\n" }' >"$folder/others"
  sed -n '/^default_profile/p; /^\[profiles.prod\]/,/^$/p' "$config" >"$folder/config-$count.toml"
  cat "$folder/others" >>"$folder/config-$count.toml"
  cp "$folder/home/.config/cloudconnexa-auth/prod.secret" "$folder/prod.secret"
  chmod 600 "$folder/prod.secret"
  job "$count profiles" /dev/null "$ours" token --config "$folder/config-$count.toml"
done
for count in 100 10000; do
  mkdir -p "$folder/cache-$count"
  cp "$folder"/home/.cache/cloudconnexa-auth/* "$folder/cache-$count"
  seq 1 "$count" | (cd "$folder/cache-$count" && awk '{ printf "%064x.json\n", $1 }' | xargs touch)
  job "$count identities in the cache" /dev/null /usr/bin/env \
    "CLOUDCONNEXA_AUTH_CACHE_DIR=$folder/cache-$count" "$ours" token
done
job '1 identity in the cache, started the same way' /dev/null /usr/bin/env \
  "CLOUDCONNEXA_AUTH_CACHE_DIR=$folder/home/.cache/cloudconnexa-auth" "$ours" token
chmod 700 "$folder"/cache-*
grown+=$'\n'$(measure "$rounds")
forget

{
  printf '%s, %s processors, Linux %s, %s; the median of %s starts each, everything in one run and in random order.\n\n' \
    "$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)" "$(nproc)" "$(uname -r | cut -d. -f1,2)" \
    "$(rustc --version | cut -d' ' -f1,2)" "$rounds"
  printf '%s\n%s\n\n' "$head" "$own"
  printf 'What people use instead, the median of 40 starts each, as multiples of `token`:\n\n%s\n%s\n' "$head" "$peers"
  printf '\nMany at once, the median of five storms:\n\n%s\n' "$storms"
  printf '\nGrowth (the identities behind `env`, which is a start more):\n\n%s\n' "$grown"
  if ((${#absent[@]})); then
    printf '\nNot installed where this was measured, and left out: %s.\n' "$(printf '%s, ' "${absent[@]}" | sed 's/, $//')"
  fi
} | tee "$folder/tables"
if [[ -e $page ]]; then
  awk -v tables="$folder/tables" '
    /<!-- measured by make bench -->/ { print; print ""; while ((getline line < tables) > 0) print line; print ""; inside = 1; next }
    /<!-- end of what was measured -->/ { inside = 0 }
    !inside' "$page" >"$folder/page"
  cp "$folder/page" "$page"
fi
