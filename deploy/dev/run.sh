#!/usr/bin/env bash
# Builds the gate and serves it on https://localhost:9443, with everything it needs around it: packages,
# a certificate, a user, a Pushgateway. What is there already is used as it is. Ctrl-C ends it.
set -euo pipefail
cd "$(dirname "$0")/../.."

config=deploy/env/dev/kanmon.yml
kanmon=.build/release/kanmon
gate=https://localhost:9443
pushgateway=http://127.0.0.1:9091

main() {
    deploy/dev/install.sh run
    swift build --configuration release --product kanmon
    make_certificate
    make_user
    start_pushgateway
    "$kanmon" check --config "$config"
    # Somebody else's gate on this port would answer in our place; the gate itself says who holds it.
    if ! answers "$gate/-/healthy"; then (show_first_push &); fi
    serve
}

make_certificate() {
    if [[ ! -e tls/tls.crt && ! -e tls/tls.key ]]; then
        echo "Making a certificate of its own for localhost in tls/ ..."
        "$kanmon" cert --out tls
    fi
}

# The user prom, with a password that is shown this once and kept where only its owner can read it.
make_user() {
    [[ -e auth/htpasswd ]] && return
    (umask 077 && openssl rand -hex 16 >auth/password)
    "$kanmon" passwd auth/htpasswd prom <auth/password
    echo "Made the user prom in auth/htpasswd. Its password, also in auth/password: $(<auth/password)"
}

start_pushgateway() {
    if answers "$pushgateway/-/ready"; then
        echo "Using the Pushgateway that already answers at $pushgateway."
        return
    fi
    echo "Starting a Pushgateway at $pushgateway, which forgets everything when the gate ends."
    # In a session of its own, so that Ctrl-C does not take it away from under the last pushes; and
    # the kernel ends it when this process is gone, however that comes about.
    setsid setpriv --pdeathsig TERM prometheus-pushgateway \
        --web.listen-address=127.0.0.1:9091 --persistence.file= --log.level=warn &
    local pushgateway_id=$!
    for _ in {1..100}; do
        answers "$pushgateway/-/ready" && return
        kill -0 "$pushgateway_id" 2>/dev/null || break
        sleep 0.1
    done
    echo "The Pushgateway does not start; what it said about it stands above." >&2
    exit 69
}

answers() {
    curl -q --silent --insecure --max-time 2 --fail --output /dev/null "$1"
}

# What to do next, once the gate listens.
show_first_push() {
    local serving=$$ login=prom tries=0
    if password_is_known; then login="prom:\"\$(cat auth/password)\""; fi
    until answers "$gate/-/healthy"; do
        kill -0 "$serving" 2>/dev/null && ((++tries < 100)) || return 0
        sleep 0.1
    done
    cat <<END

The gate serves $gate. A first push, from another terminal in $PWD:

  printf 'first_push 1\n' | curl --cacert tls/tls.crt --user $login --data-binary @- $gate/metrics/job/first

The answer is "accepted 1 samples in 1 families", and the Pushgateway shows the metric:

  curl -s $pushgateway/metrics | grep first_push

Ctrl-C ends the gate.

END
}

# Whoever has brought his own users is asked for the password by curl.
password_is_known() {
    [[ -r auth/password ]] &&
        "$kanmon" passwd auth/htpasswd prom --verify <auth/password >/dev/null 2>&1
}

serve() {
    if [[ ! -t 0 ]]; then exec "$kanmon" serve --config "$config"; fi
    # At a terminal the gate gets a process group of its own, so that Ctrl-C reaches it and not make
    # as well, which would call a clean end an error. Should this shell go first, the gate follows.
    set -m
    local status=0
    setpriv --pdeathsig TERM "$kanmon" serve --config "$config" || status=$?
    exit "$status"
}

main
