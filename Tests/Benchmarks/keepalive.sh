#!/usr/bin/env bash
# CPU per push on kept-alive connections: Kanmon with login, allowlist and validation, beside nginx that
# only terminates TLS and forwards. The same certificate, upstream and load; the proxy alone on one
# processor, load and upstream on another; A and B in turn, so that both see the same minute.
#
#   Tests/Benchmarks/keepalive.sh [ROUNDS] [SECONDS]
#
# Needs: nginx, wrk, curl, openssl; a release build of kanmon (make build). Loopback only.
set -euo pipefail

rounds=${1:-5}
seconds=${2:-5}
connections=32
proxy_cpu=0
load_cpu=1

root=$(cd "$(dirname "$0")/../.." && pwd)
kanmon=${KANMON:-$root/.build/release/kanmon}
work=$(mktemp -d)
started=()
# Only what was started here is ended, by its id.
cleanup() {
    for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done
    wait 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}
upstream_port=$(free_port)
nginx_port=$(free_port)
kanmon_port=$(free_port)

"$kanmon" cert --out "$work" >/dev/null
printf 'bench-password\n' | "$kanmon" passwd "$work/htpasswd" bench --cost 10 >/dev/null

nginx_config() { # NAME MAIN HTTP
    cat >"$work/$1.conf" <<EOF
worker_processes 1;
pid $work/$1.pid;
error_log $work/$1.log;
daemon off;
events { worker_connections 1024; }
http { access_log off; keepalive_requests 100000000; client_body_temp_path $work/$1.body;
       proxy_temp_path $work/$1.proxy; fastcgi_temp_path $work/$1.f; uwsgi_temp_path $work/$1.u;
       scgi_temp_path $work/$1.s; $2 }
EOF
}
nginx_config upstream "server { listen 127.0.0.1:$upstream_port; location / { return 200; } }"
nginx_config proxy "
    upstream gateway { server 127.0.0.1:$upstream_port; keepalive 64; keepalive_requests 100000000; }
    server { listen 127.0.0.1:$nginx_port ssl; ssl_certificate $work/tls.crt; ssl_certificate_key $work/tls.key;
             location / { proxy_pass http://gateway; proxy_http_version 1.1; proxy_set_header Connection ''; } }"

cat >"$work/kanmon.yml" <<EOF
listen: 127.0.0.1:$kanmon_port
allow: [127.0.0.1]
tls: {cert_file: tls.crt, key_file: tls.key}
auth: {users_file: htpasswd}
upstream: {url: "http://127.0.0.1:$upstream_port"}
workers: 1
limits: {requests_per_connection_max: 100000000}
log: {level: warn}
EOF

# 600 bytes of what a cron job sends.
python3 - "$work/body" <<'EOF'
import sys
names = ["load1", "load5", "memory_used_bytes", "memory_total_bytes", "cpu_usage_ratio", "processes"]
body = "".join(f"# TYPE xserver_{n} gauge\nxserver_{n}{{site=\"xserver\"}} {i + 0.25}\n" for i, n in enumerate(names))
filler = 600 - len(body) - len("# \n")
open(sys.argv[1], "w").write(body + "# " + "x" * filler + "\n")
EOF
cat >"$work/post.lua" <<EOF
local file = io.open("$work/body", "rb")
wrk.method = "POST"
wrk.path = "/metrics/job/bench"
wrk.body = file:read("*a")
wrk.headers["Authorization"] = "Basic $(printf 'bench:bench-password' | base64)"
file:close()
EOF

taskset -c $load_cpu nginx -c "$work/upstream.conf" -e "$work/upstream.log" & started+=($!)
taskset -c $proxy_cpu nginx -c "$work/proxy.conf" -e "$work/proxy.log" & started+=($!)
nginx_pid=$!
taskset -c $proxy_cpu "$kanmon" serve --config "$work/kanmon.yml" 2>"$work/kanmon.log" & started+=($!)
kanmon_pid=$!
for port in "$nginx_port" "$kanmon_port"; do
    curl -sS -o /dev/null --retry 20 --retry-connrefused --retry-delay 1 --fail-with-body --cacert "$work/tls.crt" \
        -u bench:bench-password --data-binary "@$work/body" "https://localhost:$port/metrics/job/bench"
done

# User and system time of a process and its children, in ticks.
ticks() {
    local total=0 pid
    for pid in "$1" $(pgrep -P "$1" || true); do
        total=$((total + $(awk '{print $14 + $15}' "/proc/$pid/stat")))
    done
    echo "$total"
}

measure() { # PID PORT: microseconds of CPU per push, pushes per second
    local before after output pushes
    before=$(ticks "$1")
    output=$(taskset -c $load_cpu wrk -t1 -c$connections -d"${seconds}s" -s "$work/post.lua" "https://127.0.0.1:$2/metrics/job/bench")
    after=$(ticks "$1")
    if grep -q "Non-2xx" <<<"$output"; then echo "$output" >&2; exit 1; fi
    pushes=$(awk '/requests in/ {print $1}' <<<"$output")
    awk -v t=$((after - before)) -v hz="$(getconf CLK_TCK)" -v n="$pushes" -v s="$seconds" \
        'BEGIN {printf "%.2f %.0f\n", t / hz * 1e6 / n, n / s}'
}

measure "$nginx_pid" "$nginx_port" >/dev/null
measure "$kanmon_pid" "$kanmon_port" >/dev/null
echo "$connections kept-alive connections, $(wc -c <"$work/body")-byte body, ${seconds} s a run, TLS 1.3, one processor for the proxy"
printf '%-6s %22s %22s %8s\n' round "nginx us/push (push/s)" "kanmon us/push (push/s)" ratio
for round in $(seq "$rounds"); do
    read -r nginx_cost nginx_rate < <(measure "$nginx_pid" "$nginx_port")
    read -r kanmon_cost kanmon_rate < <(measure "$kanmon_pid" "$kanmon_port")
    ratio=$(awk -v a="$kanmon_cost" -v b="$nginx_cost" 'BEGIN {printf "%.3f", a / b}')
    printf '%-6s %22s %22s %8s\n' "$round" "$nginx_cost ($nginx_rate)" "$kanmon_cost ($kanmon_rate)" "$ratio"
    echo "$nginx_cost $kanmon_cost $ratio" >>"$work/results"
done
median() { awk -v c="$1" '{print $c}' "$work/results" | sort -n | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'; }
echo "median: nginx $(median 1) us, kanmon $(median 2) us, ratio $(median 3)"
