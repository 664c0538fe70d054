#!/usr/bin/env bash
# Runs the tests with a sanitizer in them and in the gates that they start.
#
#   Tests/Sanitize/sanitize.sh address|thread [FILTER]
#
# FILTER is what swift test --filter takes. What a sanitizer reports decides; it stays in
# .build-KIND/reports, one file a process. Tests that fail are shown and decide nothing: everything is
# several times slower than it is meant to be, and many ask for what has to come in time.
set -euo pipefail

kind=${1-}
filter=${2-}
root=$(cd "$(dirname "$0")/../.." && pwd)
build=$root/.build-$kind
reports=$build/reports

flags=(--sanitize="$kind" --scratch-path "$build")
options="log_path=$reports/report exitcode=66"
case $kind in
    # What Swift's runtime and Foundation make once and keep is no leak, and cannot be told from one.
    address) export ASAN_OPTIONS="$options detect_leaks=0" ;;
    thread)
        # It would wait a second at every end, in which a test finds the process still there.
        export TSAN_OPTIONS="$options atexit_sleep_ms=0"
        flags+=(-Xlinker "$build/mutex.o")
        ;;
    *)
        echo "usage: $0 address|thread [FILTER]" >&2
        exit 64
        ;;
esac

# Left out, since a sanitizer cannot be in what they do to a gate:
skipped=(
    # strace fails calls that the sanitizer itself makes when it starts, and cannot do without.
    'a start whose calls fail'
    # The limit is on addresses, and the sanitizer ends the gate when it gets none for itself.
    'when memory runs out'
    # libfaketime and the sanitizer each ask the other for the time, and the gate does not start.
    ClockTests
)

rm -rf "$reports"
mkdir -p "$reports"
if [[ $kind == thread ]]; then
    clang -O2 -Wall -Wextra -Werror -c "$root/Tests/Sanitize/mutex.c" -o "$build/mutex.o"
fi
cd "$root"
swift build --build-tests "${flags[@]}"

arguments=(--skip-build --disable-xctest "${flags[@]}")
for pattern in "${skipped[@]}"; do arguments+=(--skip "$pattern"); done
[[ -z $filter ]] || arguments+=(--filter "$filter")
# The sanitizer reports better than the runtime's own backtrace, which takes minutes.
SWIFT_BACKTRACE=enable=no swift test "${arguments[@]}" >"$reports/tests.log" 2>&1 </dev/null || true

grep -E '^✘ .*recorded an issue' "$reports/tests.log" | sort -u || true
tail -n 1 "$reports/tests.log"
shopt -s nullglob
found=("$reports"/report.*)
if [[ ${#found[@]} -gt 0 ]]; then
    grep -h '^SUMMARY' "${found[@]}" | sort | uniq -c | sort -rn
    echo "The $kind sanitizer has something to say in ${#found[@]} processes: $reports" >&2
    exit 1
fi
grep -q 'Test run with' "$reports/tests.log" || { echo "The tests did not come to their end: $reports/tests.log" >&2; exit 1; }
echo "The $kind sanitizer has nothing to say."
