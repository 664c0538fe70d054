#!/usr/bin/env bash
# How fast a body is judged: Kanmon's validator beside the Pushgateway's own parser (prometheus/common's
# expfmt), the same bodies, one processor, in turn, so that both see the same minute. Medians of the rounds.
#
#   Tests/Benchmarks/exposition.sh [ROUNDS] [SECONDS]
#
# Needs: swift; golang-go and golang-github-prometheus-common-dev, without which only Kanmon is measured.
set -euo pipefail

rounds=${1:-5}
seconds=${2:-0.3}
cpu=0

root=$(cd "$(dirname "$0")/../.." && pwd)
package=$root/Tests/Benchmarks/Exposition
shared=$root/../shared/corpus/valid
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

swift build --configuration release --package-path "$package" --scratch-path "$root/.build-benchmark" \
    >"$work/build.log" 2>&1 || { cat "$work/build.log" >&2; exit 1; }
kanmon=$root/.build-benchmark/release/exposition-benchmark

expfmt=
if command -v go >/dev/null && [[ -d /usr/share/gocode/src/github.com/prometheus/common/expfmt ]]; then
    expfmt=$work/expfmt
    GO111MODULE=off GOPATH=/usr/share/gocode go build -o "$expfmt" "$package/expfmt/main.go"
else
    echo "golang-go or golang-github-prometheus-common-dev is not installed: Kanmon alone is measured."
fi

# Metric families such as exporters have, for where no other body is at hand.
own_families() {
    local i
    for i in $(seq 40); do
        cat <<EOF
# HELP http_requests_${i}_total How many requests were answered, by code and method.
# TYPE http_requests_${i}_total counter
http_requests_${i}_total{code="200",method="get"} $((i * 1027))
http_requests_${i}_total{code="404",method="post"} 3
# HELP request_${i}_seconds How long answers took.
# TYPE request_${i}_seconds histogram
request_${i}_seconds_bucket{handler="/api/v1/query",le="0.1"} $((i * 24054))
request_${i}_seconds_bucket{handler="/api/v1/query",le="+Inf"} $((i * 33444))
request_${i}_seconds_sum{handler="/api/v1/query"} 8953.332
request_${i}_seconds_count{handler="/api/v1/query"} $((i * 33444))
# HELP memory_${i}_bytes Memory in use.
# TYPE memory_${i}_bytes gauge
memory_${i}_bytes 1.${i}7374182e+09
EOF
    done
}

# Copies of a body, each with other names for its families, until there are ten million bytes.
scaled() { # FILE
    local copy=0 size
    size=$(stat --format=%s "$1")
    while ((copy * size < 10000000)); do
        sed -E "s/^(# (HELP|TYPE) )?([A-Za-z_:])/\\1copy${copy}_\\3/" "$1"
        copy=$((copy + 1))
    done
}

bodies=()
if [[ -d $shared ]]; then
    for body in "$shared"/common_testdata_text.prom "$shared"/prom_testdata_alltypes_237mfs_prom.prom \
        "$shared"/vm_bench_*.prom; do
        bodies+=("$body")
    done
    scaled "$shared/prom_testdata_alltypes_237mfs_prom.prom" >"$work/alltypes_10_MB.prom"
    bodies+=("$work/alltypes_10_MB.prom")
else
    echo "The larger corpus is not beside the package: bodies of Tests/Corpus and made-up ones are measured."
    for name in q_help_many_families q_labels_1000 q_lines_5000; do
        bodies+=("$root/Tests/Corpus/exposition/accepted/$name.prom")
    done
    own_families >"$work/own.prom"
    scaled "$work/own.prom" >"$work/own_10_MB.prom"
    bodies+=("$work/own.prom" "$work/own_10_MB.prom")
fi

on_cpu() { taskset -c "$cpu" "$@"; }

# Every body is right on both sides, or the run ends here. Not every body may be pushed.
declare -A pushable
for body in "${bodies[@]}"; do
    name=$(basename "$body" .prom)
    touch "$work/$name.grammar" "$work/$name.push" "$work/$name.expfmt"
    on_cpu "$kanmon" grammar "$body" 0 >/dev/null || { echo "Kanmon refuses $body" >&2; exit 1; }
    if [[ -n $expfmt ]]; then on_cpu "$expfmt" "$body" 0 >/dev/null; fi
    if on_cpu "$kanmon" push "$body" 0 >/dev/null; then pushable[$body]=yes; fi
done

for _ in $(seq "$rounds"); do
    for body in "${bodies[@]}"; do
        name=$(basename "$body" .prom)
        on_cpu "$kanmon" grammar "$body" "$seconds" >>"$work/$name.grammar"
        if [[ -n ${pushable[$body]-} ]]; then on_cpu "$kanmon" push "$body" "$seconds" >>"$work/$name.push"; fi
        if [[ -n $expfmt ]]; then on_cpu "$expfmt" "$body" "$seconds" >>"$work/$name.expfmt"; fi
    done
done

# The middle of a column; a dash where nothing was measured.
median() { # FILE COLUMN
    if [[ ! -s $1 ]]; then echo -; return; fi
    awk -v c="$2" '{print $c}' "$1" | sort -g | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'
}
rounded() { awk -v a="$1" 'BEGIN {if (a == "-") print a; else printf((a < 10 ? "%.1f" : "%.0f"), a)}'; }
quotient() { awk -v a="$1" -v b="$2" 'BEGIN {if (b + 0 > 0) printf "%.1f", a / b; else printf "-"}'; }

echo
echo "MB/s on one processor, MB = 10^6 bytes, median of $rounds rounds of $seconds s. \"to push\" adds the checks behind"
echo "the parser: duplicates, the group, clashes. Memory is the peak of the process, the body included."
echo
row='| %-36s | %9s | %7s | %7s | %7s | %6s | %11s | %9s | %9s |\n'
# shellcheck disable=SC2059  # The format is the one above.
printf "$row" body bytes Kanmon "to push" expfmt ratio allocations "Kanmon MB" "expfmt MB"
# shellcheck disable=SC2059
printf "$row" --- ---: ---: ---: ---: ---: ---: ---: ---:
for body in "${bodies[@]}"; do
    name=$(basename "$body" .prom)
    ours=$(median "$work/$name.grammar" 1)
    theirs=$(median "$work/$name.expfmt" 1)
    allocated=$(awk '{if ($3 > max) max = $3} END {print max + 0}' "$work/$name.grammar" "$work/$name.push")
    # shellcheck disable=SC2059
    printf "$row" "$name" "$(stat --format=%s "$body")" "$(rounded "$ours")" \
        "$(rounded "$(median "$work/$name.push" 1)")" "$(rounded "$theirs")" \
        "$(quotient "$ours" "$theirs")" "$allocated" "$(quotient "$(median "$work/$name.grammar" 2)" 1000)" \
        "$(quotient "$(median "$work/$name.expfmt" 2)" 1000)"
done

# A run that is warm must not ask for memory: that is a promise, and not a figure.
if awk '$3 > 0 {found = 1} END {exit !found}' "$work"/*.grammar "$work"/*.push; then
    echo "A warm run has allocated." >&2
    exit 1
fi
