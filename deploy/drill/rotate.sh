#!/usr/bin/env bash
# Rehearses the change of password and certificate: with a gate and a Pushgateway of its own, on loopback, in a folder
# that is gone afterwards, with placeholders for secrets. Each phase is proved by pushes with the script that cron
# runs. Ends with 0 when all phases held, otherwise with 1 and the phase that did not; no secret is ever printed.
#
#   KANMON=.build/release/kanmon deploy/drill/rotate.sh
set -euo pipefail
cd "$(dirname "$0")/../.."

kanmon=$(realpath "${KANMON:-.build/release/kanmon}")
user=drill
phase=start
pushes=0
reloads=0
started=()

main() {
    need
    umask 077
    work=$(mktemp -d)
    trap end EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    set_the_stage
    rotate_password
    rotate_certificate
    phase=secrets
    look_for_secrets
    tell "no secret in this output, the gate's log or its audit trail"
    echo "rotate-drill: all phases held, $pushes pushes"
}

need() {
    local program
    for program in curl openssl prometheus-pushgateway "$kanmon"; do
        command -v "$program" >/dev/null || { echo "rotate-drill: $program is not there" >&2 && exit 69; }
    done
}

# --- The phases

rotate_password() {
    phase=password-old
    works old old-certificate
    refused new old-certificate 77
    tell "the old password works, the new one is not known yet"

    phase=password-both
    set_password new --add
    reload
    works old old-certificate
    works new old-certificate
    tell "the old and the new password work"

    phase=password-new
    set_password new
    reload
    works new old-certificate
    refused old old-certificate 77
    tell "the new password works, the old one is refused"
}

rotate_certificate() {
    phase=certificate-old
    works new old-certificate
    tell "the old certificate is shown, and clients trust it"

    phase=certificate-bundle
    "$kanmon" cert --out "$work/tls" --renew >"$work/cert.out" 2>&1 || fail "kanmon cert --renew" "$work/cert.out"
    hand_over ca-bundle.crt bundle
    hand_over tls.crt new-certificate
    shows old-certificate
    works new bundle
    works new old-certificate
    refused new new-certificate 76
    tell "the bundle is with the clients; the gate still shows the old certificate"

    phase=certificate-both
    reload
    shows new-certificate
    works new bundle
    refused new old-certificate 76
    tell "the gate shows the new certificate; a client with the bundle goes on, one with only the old is refused"

    phase=certificate-new
    hand_over tls.crt bundle
    works new bundle
    refused new old-certificate 76
    tell "the old certificate is out of the bundle; clients go on"
}

# --- Gate and Pushgateway

set_the_stage() {
    local name
    for name in old new; do
        printf 'placeholder-%s-%s\n' "$name" "$(openssl rand -hex 12)" >"$work/$name"
    done
    set_password old
    "$kanmon" cert --out "$work/tls" >"$work/cert.out" 2>&1 || fail "kanmon cert" "$work/cert.out"
    hand_over tls.crt old-certificate
    store=http://127.0.0.1:$(free_port)
    start pushgateway "$store/-/ready" prometheus-pushgateway --persistence.file= \
        --web.listen-address="${store#http://}"
    gate=https://localhost:$(free_port)
    write_configuration >"$work/kanmon.yml"
    start gate "$gate/-/healthy" "$kanmon" serve --config "$work/kanmon.yml"
    gate_id=${started[-1]}
}

write_configuration() {
    cat <<END
environment: dev
listen: 127.0.0.1:${gate##*:}
allow: [127.0.0.1]
tls: {cert_file: tls/tls.crt, key_file: tls/tls.key}
auth: {users_file: htpasswd}
upstream: {url: "$store"}
audit: {file: audit.jsonl}
END
}

# Below those that the kernel gives away by itself.
free_port() {
    local port
    while :; do
        port=$((20000 + RANDOM % 12000))
        (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    done
    echo "$port"
}

# start NAME URL PROGRAM [ARGUMENT...]: until it answers there.
start() {
    local name=$1 url=$2
    shift 2
    "$@" >"$work/$name.log" 2>&1 </dev/null &
    started+=($!)
    for _ in {1..200}; do
        if curl -q --silent --insecure --fail --max-time 2 --output /dev/null "$url"; then return; fi
        kill -0 "${started[-1]}" 2>/dev/null || break
        sleep 0.1
    done
    fail "$name does not start" "$work/$name.log"
}

# set_password NAME [--add]: what is in the file of that name.
set_password() {
    "$kanmon" passwd "$work/htpasswd" "$user" "${@:2}" <"$work/$1" >"$work/passwd.out" 2>&1 ||
        fail "kanmon passwd" "$work/passwd.out"
    cut -d: -f2 "$work/htpasswd" >>"$work/hashes"
}

# As systemctl reload does it; the gate says when it is done.
reload() {
    kill -HUP "$gate_id"
    reloads=$((reloads + 1))
    for _ in {1..100}; do
        if [[ $(grep -c 'configuration reloaded' "$work/gate.log") -ge $reloads ]]; then return; fi
        sleep 0.1
    done
    fail "the gate does not reload" "$work/gate.log"
}

# hand_over FILE NAME: from the gate's folder to the client.
hand_over() {
    cp "$work/tls/$1" "$work/$2" 2>"$work/cp.out" || fail "$1 does not come to the client" "$work/cp.out"
}

# --- What a client sees

# push PASSWORD CERTIFICATE: a group of its own each time, so that the Pushgateway can be asked for it.
push() {
    pushes=$((pushes + 1))
    status=0
    env -i PATH="$PATH" HOME="$work" PUSHGATEWAY_URL="$gate/metrics/job/rotate_drill/push/$pushes" \
        PUSHGATEWAY_USER="$user" PUSHGATEWAY_PASSWORD_FILE="$work/$1" PUSHGATEWAY_CACERT="$work/$2" \
        PUSH_SPLAY_SECONDS=0 PUSH_TOTAL_SECONDS=50 PUSH_STATE_DIR="$work/state" \
        deploy/push/prometheus-push.sh >"$work/push.out" 2>&1 || status=$?
    curl -q --silent --show-error --fail --max-time 10 --output "$work/stored" "$store/metrics" 2>"$work/curl.out" ||
        fail "the Pushgateway cannot be read" "$work/curl.out"
}

is_stored() {
    grep '^push_time_seconds{' "$work/stored" | grep -q "push=\"$pushes\""
}

works() {
    push "$@"
    [[ $status -eq 0 ]] || fail "a push with $1 and $2 ended with $status" "$work/push.out"
    is_stored || fail "a push with $1 and $2 is not in the Pushgateway" "$work/push.out"
}

# refused PASSWORD CERTIFICATE CODE: the code that the push script has for this reason, 77 login, 76 TLS.
refused() {
    push "$1" "$2"
    [[ $status -eq $3 ]] || fail "a push with $1 and $2 ended with $status instead of $3" "$work/push.out"
    if is_stored; then fail "a push with $1 and $2 was stored although it was refused" "$work/push.out"; fi
}

# shows CERTIFICATE: the one in the file of that name is what the gate shows.
shows() {
    local shown
    shown=$(openssl s_client -connect "${gate#https://}" </dev/null 2>/dev/null | fingerprint) || shown=none
    [[ $shown == "$(fingerprint <"$work/$1")" ]] || fail "the gate does not show $1"
}

fingerprint() {
    openssl x509 -noout -fingerprint -sha256
}

# --- What is said

tell() {
    printf 'ok  %-19s %s\n' "$phase" "$1" | tee -a "$work/told"
}

# fail WHAT [FILE]: with the end of what the file has about it, unless there is a secret in it.
fail() {
    {
        echo "rotate-drill: phase $phase failed: $1"
        if [[ -z ${2-} ]]; then
            :
        elif has_secret "$2"; then
            echo "  what was said about it has a secret in it and is not shown"
        else
            tail -n 5 "$2" | sed 's/^/  /'
        fi
    } >&2
    exit 1
}

# Passwords as they are and as curl sends them, hashes, and the key.
secrets() {
    local name
    for name in old new; do
        cat "$work/$name"
        printf '%s:%s' "$user" "$(<"$work/$name")" | openssl base64 -A
        echo
    done
    cat "$work/hashes"
    grep -v '^-' "$work/tls/tls.key"
}

has_secret() {
    secrets 2>/dev/null | grep . >"$work/secrets"
    grep -qFf "$work/secrets" "$1"
}

look_for_secrets() {
    local file
    for file in told gate.log audit.jsonl pushgateway.log; do
        [[ -e $work/$file ]] || fail "there is no $file to look at"
        if has_secret "$work/$file"; then fail "a secret stands in $file"; fi
    done
}

# Only what was started here.
end() {
    local id
    for id in "${started[@]}"; do kill "$id" 2>/dev/null || true; done
    for id in "${started[@]}"; do
        for _ in {1..100}; do
            kill -0 "$id" 2>/dev/null || break
            sleep 0.1
        done
        kill -KILL "$id" 2>/dev/null || true
        wait "$id" 2>/dev/null || true
    done
    rm -rf "$work"
}

main
