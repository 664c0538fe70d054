#!/usr/bin/env bash
# The stack around the gate, one test after the other: what did not hold is said once more at the end.
#
#   KANMON=.build/release/kanmon Tests/EndToEnd/run.sh
set -uo pipefail
cd "$(dirname "$0")/../.." || exit

tests=(Tests/EndToEnd/cron_to_alert.py Tests/Push/run.sh Tests/Alerts/check.py Tests/Moving/compose.py
    Tests/Moving/deploy.py Tests/Moving/migration.py Tests/Release/drill.py
    Tests/Release/planting.py Tests/Release/stages.py)
KANMON=$(realpath "${KANMON-.build/debug/kanmon}")
export KANMON PYTHONDONTWRITEBYTECODE=1
# The longest takes two minutes on two processors that have nothing else to do.
seconds_max=400

main() {
    [[ -x $KANMON ]] || { echo "no gate at $KANMON; build it, or set KANMON" >&2 && exit 66; }
    local test began failed=0
    said=$(mktemp)
    trap 'rm "$said"' EXIT
    for test in "${tests[@]}"; do
        echo "--- $test"
        began=$SECONDS
        run "$test" || failed=$((failed + 1))
        echo "--- $test: $((SECONDS - began)) s"
    done
    echo
    grep -E '^(FAILED|skipped)' "$said"
    if [[ $failed -gt 0 ]]; then
        echo "e2e: FAILED, $failed of ${#tests[@]} tests, after $SECONDS s"
        exit 1
    fi
    echo "e2e: all ${#tests[@]} tests passed, $SECONDS s"
}

# A test that ends badly without a word has failed in words, too.
run() {
    local status=0 output
    output=$(mktemp)
    timeout --kill-after=30 "$seconds_max" "$1" </dev/null 2>&1 | tee "$output" || status=$?
    grep -E '^(FAILED|skipped)' "$output" | sed "s|^\(FAILED\|skipped:\) *|&$1: |" >>"$said"
    if [[ $status -ne 0 ]] && ! grep -q '^FAILED' "$output"; then
        echo "FAILED  $1: ended with $status: $(tail -n 1 "$output")" >>"$said"
    fi
    rm "$output"
    return "$status"
}

main
