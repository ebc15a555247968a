#!/usr/bin/env bash
# Runs all tests and the demonstration. Prints the summary last.
#
#   usage: run.sh TOOLS        TOOLS is the directory that setup.sh has filled
set -uo pipefail
[[ $# -eq 1 ]] || { echo 'usage: run.sh TOOLS' >&2; exit 2; }
cd "$(dirname "$0")/.."
export TEST_TOOLS=$1 PATH=$1/bin:$PATH
cargo=${CARGO:-cargo}
output=$TEST_TOOLS/output
rm -f "$TEST_TOOLS/skipped"

"$cargo" test --locked --workspace --no-run || exit 1
: >"$TEST_TOOLS/started"

# The caller may have set these signals to be ignored (`make test &`, nohup). Programs under test
# inherit that, so the defaults are restored.
env --default-signal=INT,QUIT,HUP,TERM,PIPE \
  "$cargo" test --locked --workspace --no-fail-fast -- --test-threads=8 2>&1 | tee "$output"
status=${PIPESTATUS[0]}

tests/left-behind.sh "$TEST_TOOLS/started" >"$TEST_TOOLS/left-behind" || status=1
tests/demo.sh && demo=passed || { demo=FAILED; status=1; }

echo
echo '== Summary'
awk '/^test result:/ { passed += $4; failed += $6; ignored += $8; suites++ }
  END { printf "%d suites: %d tests passed, %d failed, %d ignored\n", suites, passed, failed, ignored }' "$output"
sed -n 's/^test \(.*\) \.\.\. FAILED$/failed: \1/p' "$output"
if [[ -s $TEST_TOOLS/skipped ]]; then
  echo "$(wc -l <"$TEST_TOOLS/skipped") skips, by reason:"
  sort "$TEST_TOOLS/skipped" | uniq -c
else
  echo 'no test was skipped'
fi
if [[ -s $TEST_TOOLS/left-behind ]]; then
  echo 'the tests changed files outside of their own directories:'
  cat "$TEST_TOOLS/left-behind"
fi
echo "demonstration: $demo"
if [[ $status -eq 0 ]]; then echo 'result: passed'; else echo 'result: FAILED'; fi
exit "$status"
