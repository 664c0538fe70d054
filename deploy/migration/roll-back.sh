#!/usr/bin/env bash
# Gives the port back to nginx as cut-over.sh found it, without refusing a connection.
#
#   roll-back.sh LOGIN
#
# LOGIN and the variables are those of cut-over.sh, and what it kept lies in /var/lib/kanmon-migration.
# It may be run again: what is done already is not done twice.
set -euo pipefail
here=$(dirname "$(realpath "$0")")
# shellcheck source=deploy/migration/moving.sh
source "$here/moving.sh"

main() {
    if [[ $# -ne 1 ]]; then
        echo "usage: $0 LOGIN" >&2
        exit 64
    fi
    verify_with=$1
    check_first
    let_connections_migrate
    bring_nginx_back
    let_gate_out
    leave_nginx_as_it_was
}

check_first() {
    [[ $(id -u) -eq 0 ]] || stop_because "this needs root"
    need_commands nginx systemctl ss curl
    [[ -r $verify_with ]] || stop_because "$verify_with cannot be read"
    [[ -e $state/site && -e $state/path ]] || stop_because "$state has nothing to go back to"
    systemctl --quiet is-active nginx.service || stop_because "nginx does not run: systemctl start nginx"
}

# Where nginx still serves, which is so when cut-over.sh has failed halfway, the gate may go at once;
# otherwise it goes only when nginx is known to answer. Connections are dealt out to both till then.
bring_nginx_back() {
    if nginx_listens && [[ -e $(<"$state/path") ]]; then return; fi
    put_shared_site
    reload_nginx || stop_because "nginx does not take back $(<"$state/path"); the gate goes on serving"
    eventually 20 nginx_listens || stop_because "nginx does not get port $port back; the gate goes on serving"
    eventually 20 answered_by_nginx ||
        stop_because "no push is answered by nginx; the gate goes on serving. The last answer was: $answer"
    say "nginx shares port $port again"
}

let_gate_out() {
    [[ -e $state/was-enabled ]] || systemctl --quiet disable kanmon.socket kanmon.service 2>/dev/null || true
    stop_gate
    say "the gate is stopped"
}

leave_nginx_as_it_was() {
    put_original_site
    reload_nginx || stop_because "nginx does not reload"
    # Until the workers that knew the shared sockets have closed them.
    eventually 10 workers_have_changed || true
    local try
    for try in 1 2 3 4 5; do
        answered_by_nginx || stop_because "push $try of 5 through nginx: $answer"
    done
    migrate_as_before
    forget_pushes
    rm -r "$state"
    say "done: nginx has port $port alone, as before"
}

# The sockets that reuseport had added, one a worker, are gone.
workers_have_changed() {
    [[ $(listeners | wc -l) -eq $(addresses_of_nginx | wc -l) ]]
}

main "$@"
