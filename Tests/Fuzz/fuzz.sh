#!/usr/bin/env bash
# Lets libFuzzer look for an input that breaks a promise, with the address sanitizer watching.
#
#   Tests/Fuzz/fuzz.sh [TARGET]...
#
# A target is a folder here, in small letters; without any, all run. FUZZ_SECONDS says how long each
# runs (60), FUZZ_JOBS how many at a time (1). What was learned stays in .build-fuzz/corpus and is where
# the next run begins; what was found stays in .build-fuzz/findings.
set -euo pipefail

seconds=${FUZZ_SECONDS:-60}
jobs_max=${FUZZ_JOBS:-1}
all=(text precedent protobuf gzip head chunks response http2 path authorization users networks configuration watchdog)
targets=("$@")
[[ ${#targets[@]} -gt 0 ]] || targets=("${all[@]}")
for target in "${targets[@]}"; do
    [[ " ${all[*]} " == *" $target "* ]] || { echo "no target $target; there are: ${all[*]}" >&2; exit 64; }
done

root=$(cd "$(dirname "$0")/../.." && pwd)
inputs=$root/Tests/Fuzz/Inputs
build=$root/.build-fuzz/build
findings=$root/.build-fuzz/findings
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$findings"

# The small files of that name in the corpora, under names of their own.
copy() { # PATTERN FOLDER CORPUS...
    local pattern=$1 folder=$2
    shift 2
    { find "$@" -name "$pattern" -size -9 -print0 2>/dev/null || true; } |
        xargs -0r cp --backup=numbered -t "$folder"
}

# Where a target begins: with bodies, requests and files of the tests, and lines that are inputs as
# printf reads them.
collect() { # TARGET FOLDER
    local file line number=0
    case $1 in
        text | precedent | gzip)
            copy '*.prom' "$2" "$root/Tests/Corpus/exposition" "$root/../shared/corpus"
            [[ $1 != gzip ]] || gzip --no-name --keep "$2"/*
            ;;
        protobuf)
            copy '*.pb' "$2" "$root/Tests/Corpus"
            # The name a, then with a type, then with a metric of the value 1.
            printf '\x03\x0a\x01a\x05\x0a\x01b\x18\x01' >"$2/names"
            printf '\x12\x0a\x01a\x18\x00\x22\x0b\x1a\x09\x09\x00\x00\x00\x00\x00\x00\xf0\x3f' >"$2/counter"
            ;;
        head) copy '*.http' "$2" "$root/Tests/Corpus/http1" ;;
        chunks)
            grep -rlai '^transfer-encoding' "$root/Tests/Corpus/http1" | while read -r file; do
                sed '1,/^\r$/d' "$file" >"$2/$(basename "$file")"
            done
            ;;
        watchdog) copy '*.yml' "$2" "$root/deploy/watchdog" ;;
        configuration) copy '*.yml' "$2" "$root/Tests/Corpus/configuration" "$root/deploy" ;;
    esac
    [[ -f $inputs/$1.seeds ]] || return 0
    while read -r line; do
        number=$((number + 1))
        printf '%b' "$line" >"$2/line-$number"
    done <"$inputs/$1.seeds"
}

# Optimised, and with every check that a release has: -O, never -Ounchecked.
build() { # TARGET
    KANMON_FUZZ=1 swift build --configuration release --product "fuzz-$1" --scratch-path "$build" \
        -Xswiftc -sanitize=fuzzer,address >"$work/$1.log" 2>&1 </dev/null ||
        { cat "$work/$1.log" >&2; exit 1; }
}

# Says how many inputs were tried and how many break a promise: libFuzzer stops at the first.
run() { # TARGET
    local corpus=$root/.build-fuzz/corpus/$1 seeds=$work/$1 log=$work/$1.log runs
    mkdir -p "$corpus" "$seeds"
    collect "$1" "$seeds"
    # An input that takes a minute hangs; one that takes ten seconds may have waited for the processor.
    local options=(-max_total_time="$seconds" -max_len=4096 -timeout=60 -rss_limit_mb=2048 -detect_leaks=0
        -print_final_stats=1 -artifact_prefix="$findings/$1-")
    local words=$inputs/${1/precedent/text}.dict
    [[ ! -f $words ]] || options+=(-dict="$words")
    # The sanitizer reports better than the runtime's own backtrace, which takes minutes.
    if SWIFT_BACKTRACE=enable=no "$build/release/fuzz-$1" "${options[@]}" "$corpus" "$seeds" \
        >"$log" 2>&1 </dev/null; then
        runs=$(awk '/^stat::number_of_executed_units/ { print $2 }' "$log")
        printf '%-14s %4s s %10s runs, nothing found; coverage %s\n' "$1" "$seconds" "$runs" \
            "$(grep -o 'cov: [0-9]*' "$log" | tail -n 1 | cut -d' ' -f2)"
    else
        grep -vE '^#[0-9]+[[:space:]]+(NEW|REDUCE|pulse|INITED|READ|RELOAD)' "$log" | tail -n 60 >&2
        printf '%-14s found something: %s\n' "$1" \
            "$(awk '/Test unit written to/ { print $NF }' "$log")"
        touch "$work/found"
    fi
}

for target in "${targets[@]}"; do build "$target"; done
for target in "${targets[@]}"; do
    while [[ $(jobs -rp | wc -l) -ge $jobs_max ]]; do wait -n || true; done
    run "$target" &
done
wait

if [[ -e $work/found ]]; then
    echo "A finding becomes a test before it is mended; to see it again: .build-fuzz/build/release/fuzz-TARGET FILE" >&2
    exit 1
fi
