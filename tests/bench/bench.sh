#!/usr/bin/env bash
# Times of the shipped binary beside the least that a start can take and beside what people use
# instead, all started by one program, in one run: a round starts each of them once, in random order,
# and what is compared is compared within a round. Writes the tables between the markers of
# docs/performance.md. What is not installed is named and left out.
#
#   usage: bench.sh BINARY SANDBOX        (ROUNDS=500)
#
# The programs that ours is compared with are built from their sources beside this file, the Rust ones
# into CARGO_TARGET_DIR/bench.
# shellcheck disable=SC2016  # backticks here are those of Markdown
set -euo pipefail
[[ $# -eq 2 ]] || { echo 'usage: bench.sh BINARY SANDBOX' >&2; exit 2; }
cd "$(dirname "$0")/../.."
rounds=${ROUNDS:-500}
page=docs/performance.md
fail() { echo "bench: $*" >&2; exit 1; }

# shellcheck source=tests/warm.sh
. tests/warm.sh
folder=$(mktemp -d)
clean_up() {
  cool
  if [[ -e $folder/daemon/socket ]]; then run "$git_programs/git-credential-cache" --socket "$folder/daemon/socket" exit || true; fi
  if [[ -d $folder/gnupg ]]; then run gpgconf --kill all || true; fi
  rm -rf "$folder"
}
trap clean_up EXIT
# A fresh copy: how the pages of a file lie in the cache is worth a good part of a start.
ours=$folder/cloudconnexa-auth
install -m 755 "$1" "$ours"
cc -O2 -o "$folder/start" tests/bench/start.c
cc -nostdlib -static -o "$folder/floor" tests/bench/floor.S
# As the shipped binary is built: static where the target is here.
target=$(rustc -vV | sed -n 's/^host: //p')
musl=${target%%-*}-unknown-linux-musl
if [[ -d $(rustc --print target-libdir --target "$musl") ]]; then target=$musl; fi
built=${CARGO_TARGET_DIR:-$PWD/target}/bench
CARGO_TARGET_DIR=$built cargo build --quiet --locked --release --target "$target" \
  --manifest-path tests/bench/rust/Cargo.toml
install -m 755 "$built/$target/release/empty" "$built/$target/release/handshake" "$folder"

warm "$ours" "$2" --no-rate-limit

names=()
: >"$folder/jobs"
# A job: its name in the table, the file for its stdin, the program and its arguments.
job() {
  names+=("$1")
  shift
  (IFS=$'\t'; echo "$*") >>"$folder/jobs"
}
# Lines of `key key value` in, lines of `key key median` out.
medians() {
  sort -k1,1n -k2,2n -k3,3g | awk '
    function put() { if (count) print key, all[int((count + 1) / 2)] }
    $1 " " $2 != key { put(); key = $1 " " $2; count = 0 }
    { all[++count] = $3 }
    END { put() }'
}
# Runs the jobs, the first of which all others are compared with, and prints the rows of a table. The
# two ratios are the medians of the rounds' ratios. They are kept for the goals, under the table's name.
measure() {
  "$folder/start" "$2" "${variables[@]}" <"$folder/jobs" >"$folder/measured"
  awk -v jobs="${#names[@]}" '
    { round = int((NR - 1) / jobs); line[round, $1] = $0 }
    END {
      for (; round >= 0; round--) {
        split(line[round, 0], first, " ")
        for (job = 0; job < jobs; job++) {
          split(line[round, job], it, " ")
          print job, 1, it[2] / 1000; print job, 2, it[2] / first[2]
          print job, 3, it[3]; print job, 4, it[3] / first[3]
          print job, 5, it[4]; print job, 6, it[5]
        }
      }
    }' "$folder/measured" | medians | while read -r number column value; do
    case $column in
      1) printf '| %s | %.0f' "${names[number]}" "$value" ;;
      2 | 4)
        printf ' | %.2f' "$value"
        printf '%s\t%s\t%s\t%.3f\n' "$1" "${names[number]}" "$column" "$value" >>"$folder/ratios" ;;
      3 | 5) printf ' | %.0f' "$value" ;;
      6) printf ' | %.0f |\n' "$value" ;;
    esac
  done
}
# A goal: what, the bound as it is written, what was measured, and how it must be to the bound.
goals='| what | goal | measured | |
|---|---|---|---|'
goal() {
  local verdict
  verdict=$(awk -v bound="${2//[^0-9.]/}" -v it="$3" -v least="${2:0:1}" 'BEGIN {
    print (least == "≥" ? it + 0 >= bound + 0 : it + 0 <= bound + 0) ? "reached" : "**missed**" }')
  goals+=$'\n'"| $1 | $2 | $3 | $verdict |"
}
# A goal about a ratio of a table: the table, the job, the bound, and `4` for processor time.
goal_of() {
  local value
  value=$(awk -F '\t' -v table="$1" -v job="$2" -v column="${4-2}" \
    '$1 == table && $2 == job && $3 == column { print $4 }' "$folder/ratios")
  if [[ -n $value ]]; then goal "${5-$2}" "$3" "$value"; fi
}
forget() {
  names=()
  : >"$folder/jobs"
}
head='| what | wall µs | × | CPU µs | × | memory KiB | page faults |
|---|---|---|---|---|---|---|'

# What a warm `token` makes of the system, for a program that does nothing but that.
job token /dev/null "$ours" token
"$folder/start" 25 "${variables[@]}" <"$folder/jobs" >"$folder/measured"
forget
faults=$(awk '{ print 1, 1, $5 }' "$folder/measured" | medians | cut -d' ' -f3)
memory=$(awk '{ print 1, 1, $4 }' "$folder/measured" | medians | cut -d' ' -f3)
have_strace=
if command -v strace >/dev/null; then
  have_strace=1
  run strace -f -qq -o "$folder/calls" "$ours" token >/dev/null
  calls=$(grep -cv -e 'exited with' -e '^[0-9 ]*---' "$folder/calls")
  # Five faults are those of any program.
  cc -O2 -nostdlib -static -ffreestanding -fno-stack-protector -DCALLS="$((calls - 1))" \
    -DFAULTS="$((faults > 6 ? faults - 5 : 1))" -o "$folder/model" tests/bench/model.c
fi

echo "bench: $rounds rounds of our own verbs" >&2
job 'floor: static, no libc, ends at once' /dev/null "$folder/floor"
job "an empty \`main\` in Rust, $target" /dev/null "$folder/empty"
if [[ -n $have_strace ]]; then
  entries=("$folder"/home/.cache/cloudconnexa-auth/*.json)
  job "model: $calls system calls, $faults page faults, three files read, nothing computed" /dev/null \
    "$folder/model" "$config" "${config%/*}/prod.secret" "${entries[0]}"
fi
job '`--version`' /dev/null "$ours" --version
job '`token`' /dev/null "$ours" token
job '`header`' /dev/null "$ours" header
job '`get`' "$folder/get" "$ours" get
job '`git get`' "$folder/git" "$ours" git get
job '`kubectl`' /dev/null "$ours" kubectl
job '`terraform get`' /dev/null "$ours" terraform get "$host"
job '`cargo --cargo-plugin`, greeting and all' "$folder/cargo" "$ours" cargo --cargo-plugin
own=$(measure own "$rounds")
forget
for verb in token header get; do goal_of own "\`$verb\`" '≤ 2.4' 2 "\`$verb\`, × floor"; done
for verb in 'git get' kubectl 'terraform get'; do goal_of own "\`$verb\`" '≤ 2.6' 2 "\`$verb\`, × floor"; done
goal_of own '`cargo --cargo-plugin`, greeting and all' '≤ 2.6' 2 '`cargo`, × floor'
goal '`token`, memory at most, KiB' '≤ 2560' "$memory"
goal 'the binary with the shared store, bytes' '≤ 3500000' "$(stat -c %s "$ours")"

echo 'bench: what people use instead' >&2
absent=()
have() { command -v "$1" >/dev/null || { absent+=("$2"); return 1; }; }
# A job of a program that is not ours: only if it gives the answer here.
peer() {
  if run "${@:3}" <"$2" 2>/dev/null | grep -q .; then job "$@"; else absent+=("$1 (gave no answer)"); fi
}
job '`token`' /dev/null "$ours" token
git_programs=$(git --exec-path 2>/dev/null || true)
if [[ -x $git_programs/git-credential-store ]]; then
  printf 'https://oauth2:%s@%s\n' "$token" "${host//:/%3a}" >"$folder/home/.git-credentials"
  peer 'git-credential-store' "$folder/git" "$git_programs/git-credential-store" get
else
  absent+=(git-credential-store)
fi
if [[ -x $git_programs/git-credential-cache ]]; then
  mkdir -m 700 "$folder/daemon"
  printf 'protocol=https\nhost=%s\nusername=oauth2\npassword=%s\n\n' "$host" "$token" |
    run "$git_programs/git-credential-cache" --socket "$folder/daemon/socket" --timeout 3600 store
  peer 'git-credential-cache, its daemon running' "$folder/git" "$git_programs/git-credential-cache" \
    --socket "$folder/daemon/socket" get
else
  absent+=(git-credential-cache)
fi
if have oauth2l oauth2l && have openssl 'oauth2l, for want of openssl' && have jq 'oauth2l, for want of jq'; then
  # It signs what it caches itself, so that no server has to be asked.
  openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$folder/rsa" 2>/dev/null
  jq -n --rawfile key "$folder/rsa" '{ type: "service_account", client_email: "bench@example.com",
    private_key_id: "1", private_key: $key, token_uri: "https://example.com/token" }' >"$folder/account"
  peer 'oauth2l, from its cache' /dev/null "$(command -v oauth2l)" fetch --type jwt --audience https://example.com/ \
    --credentials "$folder/account" --cache "$folder/oauth2l"
fi
if have docker-credential-pass docker-credential-pass && have pass pass && have gpg gpg; then
  mkdir -m 700 "$folder/gnupg"
  variables+=(GNUPGHOME="$folder/gnupg")
  printf '{"ServerURL":"%s","Username":"oauth2","Secret":"%s"}' "$base_url" "$token" >"$folder/docker-store"
  {
    run gpg --quiet --batch --passphrase '' --quick-generate-key bench default default never &&
      run pass init bench && run docker-credential-pass store <"$folder/docker-store"
  } >/dev/null 2>&1 || true
  printf '%s' "$base_url" >"$folder/docker"
  peer 'docker-credential-pass, a key without a passphrase' "$folder/docker" \
    "$(command -v docker-credential-pass)" get
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
  peer 'shell cache with jq and date' /dev/null "$folder/shell-cache" "$folder/cache.json"
  if have curl 'curl and jq'; then
    cat >"$folder/curl-jq" <<'END'
#!/bin/sh
curl -sS --cacert "$SSL_CERT_FILE" -X POST \
  "$1/api/v1/oauth/token?client_id=$2&client_secret=$3&grant_type=client_credentials" | jq -r .access_token
END
    chmod 755 "$folder/curl-jq"
    peer 'curl and jq, each time from the server on loopback' /dev/null "$folder/curl-jq" "$base_url" \
      "$CLOUDCONNEXA_CLIENT_ID" "$CLOUDCONNEXA_CLIENT_SECRET"
  fi
fi
# The interpreter itself: what is on PATH may be a script that looks for one.
python=$(python3 -c 'import keyring, keyrings.alt.file, sys; print(sys.executable)' 2>/dev/null || true)
if [[ -n $python ]]; then
  variables+=(PYTHON_KEYRING_BACKEND=keyrings.alt.file.PlaintextKeyring)
  printf '%s' "$token" | run "$python" -m keyring set cloudconnexa oauth2
  peer 'Python keyring, in a plain file' /dev/null "$python" -m keyring get cloudconnexa oauth2
else
  absent+=('Python keyring with keyrings.alt')
fi
peers=$(measure peers 60)
forget
goal_of peers 'git-credential-store' '≥ 2.5' 2 'git-credential-store, × `token`'
goal_of peers 'git-credential-cache, its daemon running' '≥ 2.5' 2 'git-credential-cache, × `token`'
goal_of peers 'oauth2l, from its cache' '≥ 6' 2 'oauth2l, × `token`'
goal_of peers 'docker-credential-pass, a key without a passphrase' '≥ 1' 2 'docker-credential-pass, × `token`'
goal_of peers 'shell cache with jq and date' '≥ 1' 2 'shell cache with jq, × `token`'
goal_of peers 'curl and jq, each time from the server on loopback' '≥ 40' 2 'curl and jq, × `token`'
goal_of peers 'Python keyring, in a plain file' '≥ 200' 2 'Python keyring, × `token`'

echo 'bench: a cold call' >&2
query="client_id=$CLOUDCONNEXA_CLIENT_ID&client_secret=$CLOUDCONNEXA_CLIENT_SECRET&grant_type=client_credentials"
system_roots=$folder/system-roots.toml
printf 'profiles.prod = { base_url = "%s", client_id = "%s", client_secret = { file = "prod.secret" }, ca_file = "%s" }\n' \
  "$base_url" "$CLOUDCONNEXA_CLIENT_ID" "$SSL_CERT_FILE" >"$system_roots"
cp "${config%/*}/prod.secret" "$folder/prod.secret"
job 'bare: one file of roots, one handshake (rustls, ring), one POST' /dev/null "$folder/handshake" \
  "$SSL_CERT_FILE" "$host" "/api/v1/oauth/token?$query"
job '`token --no-cache`, the same file of roots' /dev/null "$ours" token --no-cache
job '`token --refresh`, which writes the cache' /dev/null "$ours" token --refresh
cold=$(measure cold 200)
forget
goal_of cold '`token --no-cache`, the same file of roots' '≤ 3' 4 'a cold call over HTTPS, CPU × bare handshake'\''s'
goal_of cold '`token --refresh`, which writes the cache' '≤ 3' 4 'the same with the cache written, CPU × bare handshake'\''s'
# The same with the system's roots. The sandbox's own is one more of them, and each is started by way of
# `env`, for one of them has other variables.
system_cold=
for bundle in /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem; do
  [[ -r $bundle ]] || continue
  cat "$bundle" "$SSL_CERT_FILE" >"$folder/roots.pem"
  job 'bare: the system'\''s roots from one file' /dev/null /usr/bin/env "$folder/handshake" \
    "$folder/roots.pem" "$host" "/api/v1/oauth/token?$query"
  job '`token --no-cache`, `SSL_CERT_FILE` the same file' /dev/null /usr/bin/env \
    SSL_CERT_FILE="$folder/roots.pem" "$ours" token --no-cache
  job '`token --no-cache`, the roots where the system has them' /dev/null \
    /usr/bin/env -u SSL_CERT_FILE "$ours" token --no-cache --config "$system_roots"
  system_cold=$(measure system_cold 100)
  forget
  goal_of system_cold '`token --no-cache`, the roots where the system has them' '≤ 3' 4 \
    'the same with the system'\''s roots, CPU × bare handshake'\''s with them'
  break
done
opened='Which roots are read was not looked at, for there is no strace.'
if [[ -n $have_strace ]]; then
  # How many files with roots a call opens, how many roots it reads, and how many of those differ.
  opened() {
    run strace -f -qq -y -e trace=open,openat -o "$folder/calls" "$@" >/dev/null
    # Links are followed: -y tells which file a descriptor is of.
    sed -n 's/.* = [0-9]*<\(.*\)>$/\1/p' "$folder/calls" | while read -r file; do
      if [[ -f $file ]] && grep -qs 'BEGIN CERTIFICATE' "$file"; then echo "$file"; fi
    done >"$folder/opened"
    xargs -d '\n' awk '
      /BEGIN CERTIFICATE/ { text = ""; inside = 1; next }
      /END CERTIFICATE/ { print text; inside = 0 }
      inside { text = text $0 }' <"$folder/opened" | sort | uniq -c |
      awk -v files="$(wc -l <"$folder/opened")" '{ all += $1 } END { print files, all, NR, all / NR }'
  }
  read -r files all different times < <(opened "$ours" token --no-cache)
  goal 'how often a cold call reads a root, one file of roots' '≤ 1' "$times"
  opened="With \`SSL_CERT_FILE\` a cold call opens $files file of roots and reads $all of them, $different different;"
  read -r files all different times < <(opened /usr/bin/env -u SSL_CERT_FILE "$ours" token --no-cache --config "$system_roots")
  goal 'the same with the system'\''s roots' '≤ 1' "$times"
  opened+=" with the system's roots and one file more it opens $files and reads $all, $different different."
fi

echo 'bench: many at once' >&2
# A storm of so many processes: milliseconds to the last answer, CPU of each in µs.
storm() {
  local count=$1
  shift
  (IFS=$'\t'; echo "/dev/null${IFS}$*") | "$folder/start" "@$count" "${variables[@]}" |
    awk -v count="$count" '{ printf "%.1f %.0f ", $1 / 1e6, $2 / count }'
}
ask() { curl --silent --show-error --fail --cacert "$SSL_CERT_FILE" "$@"; }
asked() { ask "$base_url/sandbox/requests" | grep -o '"path":"[^"]*"' | grep -c oauth/token || true; }
# The same with nothing in the cache and a server that answers after 500 ms, and the number of requests.
cold_storm() {
  local count=$1 before
  ask "$base_url/sandbox/faults?always" -d '{"latency":"500ms"}' -o /dev/null
  before=$(asked)
  rm -rf "$folder/home/.cache/cloudconnexa-auth"
  storm "$count" "$ours" token
  echo -n "$(($(asked) - before)) "
  ask "$base_url/sandbox/faults" -X DELETE -o /dev/null
}
storms='| processes | floor: ms | floor: CPU µs each | warm: ms | warm: CPU µs each | cold, server after 500 ms: ms | cold: CPU µs each | most requests of a cold storm | (cold − 500 ms) / warm |
|---|---|---|---|---|---|---|---|---|'
if have curl 'curl, which counts the requests of a storm'; then
  for count in 10 100 500 2000; do
    : >"$folder/storms"
    for ((repeat = 0; repeat < (count == 500 ? 11 : 5); repeat++)); do
      # Every other time the cold one is first.
      if ((repeat % 2)); then
        echo "$(storm "$count" "$folder/floor") $(storm "$count" "$ours" token) $(cold_storm "$count")"
      else
        cold_line=$(cold_storm "$count")
        echo "$(storm "$count" "$folder/floor") $(storm "$count" "$ours" token) $cold_line"
      fi >>"$folder/storms"
    done
    most=$(awk '$7 > most { most = $7 } END { print most }' "$folder/storms")
    row=$(awk '{ for (column = 1; column <= 6; column++) print 1, column, $column
      printf "1 7 %.3f\n", ($5 - 500) / $3 }' "$folder/storms" | medians | awk -v most="$most" '
      $2 == 7 { printf " %s | %s", most, $3; next }
      { printf $2 % 2 ? " %.1f |" : " %.0f |", $3 }')
    storms+=$'\n'"| $count |$row |"
    if ((count == 500)); then
      goal '500 at once, cold: requests' '≤ 1' "$most"
      goal '500 at once, cold: (the last − 500 ms) / 500 warm' '≤ 0.6' "${row##* }"
    fi
  done
fi
# Starts a second, each processor starting one after the other; floor and ours take turns.
for ((repeat = 0; repeat < 7; repeat++)); do
  for program in floor cloudconnexa-auth; do
    printf '/dev/null\t%s\ttoken\n' "$folder/$program" | "$folder/start" %800 "${variables[@]}" |
      awk -v all="$((800 * $(getconf _NPROCESSORS_ONLN)))" '{ printf "%.0f ", all / $1 * 1e9 }'
  done
  echo
done >"$folder/turns"
read -r floor_rate own_rate share < <(awk '{ print 1, 1, $1; print 1, 2, $2; printf "1 3 %.3f\n", $2 / $1 }' \
  "$folder/turns" | medians | awk '{ printf "%s ", $3 } END { print "" }')
goal 'warm answers a second, × floor' '≥ 0.4' "$share"

echo 'bench: growth' >&2
for count in 1 500; do
  seq 1 "$((count - 1))" | awk -v base="$base_url" '{
    printf "[profiles.other-%d]\ncloud_id = \"other-%d\"\nclient_id = \"id.other-%d\"\n", $1, $1, $1
    printf "client_secret = { env = \"OTHER\" }\n\n" }' >"$folder/others"
  sed -n '/^default_profile/p; /^\[profiles.prod\]/,/^$/p' "$config" >"$folder/config-$count.toml"
  cat "$folder/others" >>"$folder/config-$count.toml"
  job "profiles: $count" /dev/null "$ours" token --config "$folder/config-$count.toml"
done
profiles=$(measure profiles "$rounds")
forget
for count in 1 100 10000; do
  mkdir -m 700 "$folder/cache-$count"
  cp "$folder"/home/.cache/cloudconnexa-auth/* "$folder/cache-$count"
  seq 2 "$count" | (cd "$folder/cache-$count" && awk '{ printf "%064x.v1.json\n", $1 }' | xargs -r touch)
  job "identities: $count" /dev/null /usr/bin/env \
    "CLOUDCONNEXA_AUTH_CACHE_DIR=$folder/cache-$count" "$ours" token
done
identities=$(measure identities "$rounds")
forget

virtual=
if grep -qw hypervisor /proc/cpuinfo; then virtual=' of a virtual machine'; fi
{
  printf '%s, %s processors%s, %s GiB of memory, Linux %s, files on %s, %s. ' \
    "$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)" "$(nproc)" "$virtual" \
    "$(awk '/^MemTotal/ { printf "%.0f", $2 / 1048576 }' /proc/meminfo)" "$(uname -r | cut -d. -f1,2)" \
    "$(stat -f -c %T "$folder")" "$(rustc --version | cut -d' ' -f1,2)"
  printf 'Everything in one run: a round starts each program of a table once, in random order; a time is the median of all rounds, a ratio (×) the median of the ratios within a round to the first program of the table. %s rounds where nothing else is said.\n\n' "$rounds"
  printf '%s\n\n' "$goals"
  printf 'A warm cache, three profiles:\n\n%s\n%s\n\n' "$head" "$own"
  printf '%s warm answers a second (floor: %s starts), each processor starting one after the other; the median of seven turns of both.\n\n' "$own_rate" "$floor_rate"
  printf 'What people use instead, as multiples of `token`, 60 rounds:\n\n%s\n%s\n' "$head" "$peers"
  printf '\nA cold call, over HTTPS to a server on loopback, 200 rounds. %s\n\n%s\n%s\n' "$opened" "$head" "$cold"
  if [[ -n $system_cold ]]; then
    printf '\nThe same with all the roots of the system, all by way of `env`, which is a start more, 100 rounds:\n\n%s\n%s\n' "$head" "$system_cold"
  fi
  printf '\nMany at once, the median of five storms of each kind, eleven of 500 processes; the last column is the median of what each pair of storms gave:\n\n%s\n' "$storms"
  printf '\nGrowth of the configuration:\n\n%s\n%s\n' "$head" "$profiles"
  printf '\nGrowth of the cache, by way of `env`, which is a start more:\n\n%s\n%s\n' "$head" "$identities"
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
