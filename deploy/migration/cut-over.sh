#!/usr/bin/env bash
# Moves a port from nginx to Kanmon without refusing a connection. When anything goes wrong, it puts
# everything back as it was and ends with 1. The way back later: roll-back.sh
#
#   cut-over.sh SITE LOGIN
#
#   SITE   nginx's file for the port and nothing else, e.g. /etc/nginx/sites-enabled/pushgateway
#   LOGIN  a file for curl -K, mode 0600:  user = "prom:PASSWORD"  and  cacert = "/etc/kanmon/tls/tls.crt"
#
#   PORT             9443
#   KANMON_CONFIG    /etc/kanmon/kanmon.yml
#   KANMON_URL       https://localhost:9443   how this machine reaches the port
#   PUSHGATEWAY_URL  http://127.0.0.1:9091
set -euo pipefail
here=$(dirname "$(realpath "$0")")
# shellcheck source=deploy/migration/moving.sh
source "$here/moving.sh"

site=
changed=no

main() {
    [[ $# -eq 2 ]] || usage
    site=$1 verify_with=$2
    check_first
    trap undo EXIT
    trap 'exit 1' HUP INT TERM
    changed=yes
    keep_site
    share_port
    let_gate_in
    let_nginx_out
    trap - EXIT
    finish
}

usage() {
    sed -n '2,/^set/ { /^set/d; s/^# \{0,1\}//; p }' "$0" >&2
    exit 64
}

# --- Nothing is changed here

check_first() {
    [[ $(id -u) -eq 0 ]] || stop_because "this needs root"
    need_commands nginx systemctl ss curl kanmon awk
    [[ ! -e $state/site ]] || stop_because "$state/site is there: a move was begun already. roll-back.sh ends it"
    [[ -f $site ]] || stop_because "$site is not there"
    check_login
    check_site
    nginx_listens || stop_because "nginx does not listen on port $port"
    check_gate
    push || stop_because "a push through nginx fails even now: $answer"
    forget_pushes
    say "checked: nginx serves port $port, and the gate's configuration is good"
}

check_login() {
    [[ -r $verify_with ]] || stop_because "$verify_with cannot be read"
    [[ $(stat -L -c '%a' "$verify_with") == [64]00 ]] ||
        stop_because "$verify_with holds a password: chmod 600 $verify_with"
}

# What else the file serves would go with it.
check_site() {
    local others
    listens_of "$site" | grep -qE "\b$port\b" || stop_because "no line of $site says  listen ... $port"
    others=$(listens_of "$site" | grep -vE "\b$port\b" || true)
    [[ -z $others ]] ||
        stop_because "$site has another listen as well; give what belongs to port $port a file of its own: $others"
    # A second server for the port would get the pushes once this one is out.
    [[ $(listens_of <(nginx -T 2>/dev/null) | grep -cE "\b$port\b") -eq $(listens_of "$site" | grep -cE "\b$port\b") ]] ||
        stop_because "another file of nginx's configuration listens on port $port as well: see  nginx -T"
}

# That nginx holds the port is no mistake today; all else that `check` calls an error is.
check_gate() {
    local said errors
    ! systemctl --quiet is-active kanmon.socket kanmon.service || stop_because "Kanmon runs already: systemctl stop kanmon.socket kanmon.service"
    said=$(kanmon check --config "$config" 2>&1) || true
    errors=$(grep ': error: ' <<<"$said" | grep -vE "cannot listen on [^ ]*:$port: nginx " || true)
    [[ -z $errors ]] || stop_because "the gate's configuration is not good: $errors"
    grep -qE 'This would (not )?start' <<<"$said" || stop_because "kanmon check: $said"
}

# --- One step after the other

keep_site() {
    install -d -m 0700 "$state"
    realpath --no-symlinks "$site" >"$state/path"
    cp --preserve=mode "$site" "$state/site"
    # sites-enabled usually has a link; what it points to is left alone.
    if [[ -L $site ]]; then cp --no-dereference "$site" "$state/link"; fi
    if systemctl --quiet is-enabled kanmon.socket 2>/dev/null; then touch "$state/was-enabled"; fi
}

share_port() {
    local addresses
    mapfile -t addresses < <(addresses_of_nginx)
    let_connections_migrate
    put_shared_site
    reload_nginx || stop_because "nginx does not take reuseport"
    write_drop_in "${addresses[@]}"
    say "nginx shares port $port"
}

let_gate_in() {
    start_gate
    eventually 20 kanmon health --config "$config" >/dev/null ||
        stop_because "the gate started and does not get healthy"
    # Connections are dealt out at random: with ten in a row to nginx, look again, not for ever.
    eventually 20 answered_by_gate || stop_because "no push is accepted by the gate; the last answer was: $answer"
    say "the gate serves beside nginx"
}

let_nginx_out() {
    take_site_out
    reload_nginx || stop_because "nginx does not reload without $site"
    eventually 20 nginx_is_gone ||
        stop_because "nginx still listens on port $port: another file of its configuration says so"
    local try
    for try in 1 2 3 4 5; do
        answered_by_gate || stop_because "push $try of 5 after nginx has gone: $answer"
    done
    say "the gate has port $port alone"
}

finish() {
    migrate_as_before
    forget_pushes
    systemctl --quiet enable kanmon.socket kanmon.service
    say "done. The way back: $here/roll-back.sh $verify_with"
}

# --- When it went wrong

undo() {
    trap - EXIT HUP INT TERM
    [[ $changed == yes ]] || exit 1
    echo "$0: putting everything back" >&2
    set +e
    "$here/roll-back.sh" "$verify_with" >&2
    exit 1
}

main "$@"
