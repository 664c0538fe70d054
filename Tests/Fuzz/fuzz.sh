#!/usr/bin/env bash
# Lets libFuzzer look for a body that breaks a promise, with the address sanitizer watching.
#
#   Tests/Fuzz/fuzz.sh [TARGET]...
#
# Targets: text, protobuf, gzip. FUZZ_SECONDS says how long each runs (60). What was learned stays in
# .build-fuzz/corpus and is where the next run begins; what was found stays in .build-fuzz/findings.
set -euo pipefail

seconds=${FUZZ_SECONDS:-60}
targets=("$@")
[[ ${#targets[@]} -gt 0 ]] || targets=(text protobuf gzip)

root=$(cd "$(dirname "$0")/../.." && pwd)
build=$root/.build-fuzz/build
findings=$root/.build-fuzz/findings
seeds=$(mktemp -d)
trap 'rm -rf "$seeds"' EXIT
mkdir -p "$findings"

# The bodies of the corpora, under their checksums, so that one name does not hide another.
collect() { # TARGET
    local folder file name
    for folder in "$root/Tests/Corpus/exposition" "$root/../shared/corpus"; do
        [[ -d $folder ]] || continue
        while IFS= read -r -d '' file; do
            name=$(basename "$file")-$(cksum <"$file" | cut -d' ' -f1)
            case $1 in
                text) cp "$file" "$seeds/$1/$name" ;;
                gzip)
                    cp "$file" "$seeds/$1/$name"
                    gzip --no-name <"$file" >"$seeds/$1/$name.gz"
                    ;;
            esac
        done < <(find "$folder" -name '*.prom' -size -9 -print0)
    done
    if [[ $1 == protobuf ]]; then
        find "$root/Tests/Corpus" -name '*.pb' -exec cp {} "$seeds/$1/" \;
        # The name a, then with a type, then with a metric of the value 1.
        printf '\x03\x0a\x01a\x05\x0a\x01b\x18\x01' >"$seeds/$1/names"
        printf '\x12\x0a\x01a\x18\x00\x22\x0b\x1a\x09\x09\x00\x00\x00\x00\x00\x00\xf0\x3f' >"$seeds/$1/counter"
    fi
}

failed=()
for target in "${targets[@]}"; do
    corpus=$root/.build-fuzz/corpus/$target
    mkdir -p "$corpus" "$seeds/$target"
    collect "$target"
    echo "--- fuzz $target: building"
    # Optimised, and with every check that a release has: -O, never -Ounchecked.
    KANMON_FUZZ=1 swift build --configuration release --product "fuzz-$target" --scratch-path "$build" \
        -Xswiftc -sanitize=fuzzer,address >"$seeds/log" 2>&1 </dev/null || { cat "$seeds/log" >&2; exit 1; }
    options=(-max_total_time="$seconds" -max_len=4096 -timeout=10 -rss_limit_mb=2048 -detect_leaks=0
        -print_final_stats=1 -artifact_prefix="$findings/$target-")
    [[ -f $root/Tests/Fuzz/$target.dict ]] && options+=(-dict="$root/Tests/Fuzz/$target.dict")
    echo "--- fuzz $target: $seconds s from $(find "$corpus" "$seeds/$target" -type f | wc -l) inputs"
    # The sanitizer reports better than the runtime's own backtrace, which takes minutes.
    if SWIFT_BACKTRACE=enable=no "$build/release/fuzz-$target" "${options[@]}" "$corpus" "$seeds/$target" \
        >"$seeds/log" 2>&1 </dev/null; then
        grep -E 'DONE .*cov:|^stat::(number_of_executed_units|average_exec_per_sec|peak_rss_mb)' "$seeds/log"
    else
        grep -vE '^#[0-9]+[[:space:]]+(NEW|REDUCE|pulse|INITED|READ|RELOAD)' "$seeds/log" | tail -n 60 >&2
        failed+=("$target")
    fi
done

if [[ ${#failed[@]} -gt 0 ]]; then
    echo "Found something: ${failed[*]}; the inputs are in $findings" >&2
    exit 1
fi
