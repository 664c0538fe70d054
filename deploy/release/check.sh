#!/usr/bin/env bash
# All that has to hold before a release, stage after stage, until one fails. Behind  make release-check.
#
#   deploy/release/check.sh               all stages
#   STAGE=fuzz deploy/release/check.sh    this one
#   FROM=fuzz deploy/release/check.sh     this one and those after it
#
# Each stage's output goes to a file of its own in .build/release-check. Ends with 0 when what was asked for has passed,
# with 1 and the name of the stage when one failed, with 77 when all passed but one that only root can try, with 64 when
# there is no such stage. FUZZ_SECONDS and whatever else a stage listens to is handed on.
set -euo pipefail
cd "$(dirname "$0")/../.."

stages=(format unit end-to-end sanitizers fuzz smoke package secrets)
declare -A commands=(
    # The first three share one build, in which a warning is an error, as in .ci/run.
    [format]="make KANMON_STRICT=1 check"
    [unit]="make KANMON_STRICT=1 test"
    [end-to-end]="make KANMON_STRICT=1 attacks e2e"
    [sanitizers]="make sanitize"
    [fuzz]="make fuzz"
    [smoke]="make release-smoke"
    [package]="make package-test"
    [secrets]="make secrets"
)
# Far more than any takes: a stage that hangs has failed.
seconds_max=10800
logs=.build/release-check
only=${STAGE-}
from=${FROM-}
child=
passed=()
skipped=()

main() {
    check_arguments
    # A make above this one is not asked for anything here.
    unset MAKEFLAGS MAKELEVEL MFLAGS STAGE FROM
    mkdir -p "$logs"
    trap 'stop 130' INT
    trap 'stop 143' TERM
    echo "release-check: $(deploy/package/version.sh), commit $(git describe --always --dirty=' with changes')"
    local stage why status=0
    for stage in "${stages[@]}"; do
        if why=$(reason_to_skip "$stage"); then
            skipped+=("$stage")
            printf 'skipped  %-11s %s\n' "$stage" "$why"
            [[ $why != cannot* ]] || status=77
        else
            run "$stage"
        fi
    done
    tell_of_all
    echo "release-check: ${#passed[@]} of ${#stages[@]} stages passed in $SECONDS s"
    return "$status"
}

check_arguments() {
    local name
    for name in $only $from; do
        if [[ -z ${commands[$name]-} ]]; then
            echo "release-check: there is no stage $name; there are: ${stages[*]}" >&2
            exit 64
        fi
    done
    if [[ -n $only && -n $from ]]; then
        echo "release-check: STAGE or FROM, not both" >&2
        exit 64
    fi
}

reason_to_skip() {
    if [[ -n $only && $1 != "$only" ]]; then
        echo "not asked for: STAGE=$only"
    elif [[ -n $from && " ${stages[*]} " == *" $1 "*"$from "* && $1 != "$from" ]]; then
        echo "not asked for: FROM=$from"
    elif [[ $1 == package && $(id -u) -ne 0 ]]; then
        echo "cannot be tried: needs root, for a machine of its own"
    else
        return 1
    fi
}

run() {
    local log=$logs/$1.log began=$SECONDS status=0
    # shellcheck disable=SC2086 # a command and its words
    timeout --kill-after=30 "$seconds_max" ${commands[$1]} >"$log" 2>&1 </dev/null &
    child=$!
    wait "$child" || status=$?
    child=
    if [[ $status -ne 0 ]]; then
        tell_of_all
        printf 'FAILED   %-11s %5s s, ended with %s\n' "$1" $((SECONDS - began)) "$status"
        tail -n 20 "$log" | sed 's/^/         /'
        echo "release-check: stage $1 failed, see $log"
        exit 1
    fi
    passed+=("$1")
    printf 'passed   %-11s %5s s\n' "$1" $((SECONDS - began))
    # What a stage could not try is no reason to fail, and none to keep silent.
    grep -E '^([^ ]+ +)?skipped|^. Test .* skipped' "$log" | sed 's/^/         /' || true
}

tell_of_all() {
    echo "release-check: passed: ${passed[*]:-none}; skipped: ${skipped[*]:-none}"
}

# timeout hands the signal to all that it started.
stop() {
    if [[ -n $child ]] && kill "$child" 2>/dev/null; then wait "$child" || true; fi
    echo "release-check: ended by a signal"
    exit "$1"
}

main
