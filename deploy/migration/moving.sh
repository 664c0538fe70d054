# What cut-over.sh and roll-back.sh have in common; read by them, not run.
# shellcheck shell=bash disable=SC2034
#
# For a moment nginx and the gate listen on the port together (SO_REUSEPORT), and the kernel deals new
# connections out to both. Whichever closes its sockets hands the connections that wait in them to the
# other (net.ipv4.tcp_migrate_req, Linux 5.14 and later). So nobody is refused and nobody is cut off.

port=${PORT:-9443}
config=${KANMON_CONFIG:-/etc/kanmon/kanmon.yml}
gate=${KANMON_URL:-https://localhost:$port}
pushgateway=${PUSHGATEWAY_URL:-http://127.0.0.1:9091}
state=${STATE_DIRECTORY:-/var/lib/kanmon-migration}
drop_in=/etc/systemd/system/kanmon.socket.d/migration.conf
migrate=/proc/sys/net/ipv4/tcp_migrate_req
# Made only to see that a push arrives; taken out again.
group=/metrics/job/kanmon_migration
verify_with=

say() { echo "$(date +%T) $*"; }

# The message, then whatever the caller's trap puts back.
stop_because() {
    echo "$0: $1" >&2
    exit 1
}

need_commands() {
    local command
    for command in "$@"; do
        command -v "$command" >/dev/null || stop_because "the program $command is missing"
    done
}

# eventually SECONDS COMMAND...
eventually() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < end)) || return 1
        sleep 0.1
    done
}

# --- Who listens. `ss` names no process of systemd's sockets but systemd itself.

listeners() { ss -Hltnp "sport = :$port"; }
nginx_listens() { listeners | grep -q '"nginx"'; }
nginx_is_gone() { ! nginx_listens; }

# The addresses of the port, each once: 0.0.0.0:9443 [::]:9443, or *:9443 for both in one.
addresses_of_nginx() { listeners | awk '/"nginx"/ { print $4 }' | sort -u; }

# --- nginx

reload_nginx() {
    local said
    said=$(nginx -t 2>&1) || {
        echo "$said" >&2
        return 1
    }
    systemctl reload nginx.service
}

# From the site as it is kept to the place it was taken from, with `reuseport` on each listen of the
# port. By rename, so that an nginx that reads meanwhile finds one or the other.
put_shared_site() {
    local to
    to=$(<"$state/path")
    sed -E "s/(^|[[:space:];{])(listen[[:space:]][^;]*\b$port\b[^;]*);/\1\2 reuseport;/g
        s/(reuseport[^;]*) reuseport;/\1;/g" "$state/site" >"$state/shared"
    chmod --reference="$state/site" "$state/shared"
    install_site "$state/shared" "$to"
}

# What was a link to sites-available is one again.
put_original_site() {
    local original=$state/site
    if [[ -L $state/link ]]; then original=$state/link; fi
    install_site "$original" "$(<"$state/path")"
}

# The name it has meanwhile begins with a dot, which nginx's * does not match.
install_site() {
    local new=${2%/*}/.moving
    cp --no-dereference --preserve=mode --remove-destination "$1" "$new"
    mv --no-target-directory "$new" "$2"
}

# Each listen of a site, without comments.
listens_of() { sed 's/#.*//' "$1" | tr '{};' '\n' | sed -nE 's/^[[:space:]]*(listen[[:space:]].*)/\1/p'; }

# nginx includes conf.d/*.conf and sites-enabled/*: out of the folder is out of its sight.
take_site_out() { rm "$(<"$state/path")"; }

# --- Connections that wait in a socket that is closed

let_connections_migrate() {
    if [[ ! -e $migrate ]]; then
        say "this kernel has no tcp_migrate_req: a client that waits in the queue of a socket just then is reset and has to try again"
        return
    fi
    [[ -e $state/tcp_migrate_req ]] || cat "$migrate" >"$state/tcp_migrate_req"
    echo 1 >"$migrate" || stop_because "$migrate cannot be set to 1"
}

migrate_as_before() {
    [[ -e $state/tcp_migrate_req ]] || return 0
    cat "$state/tcp_migrate_req" >"$migrate"
    rm "$state/tcp_migrate_req"
}

# --- The gate

# Its sockets stand exactly where nginx's do: the kernel takes only equals for one group.
write_drop_in() {
    local address only=ipv6-only
    [[ $* == *'*:'* ]] && only=both
    install -d -m 0755 "${drop_in%/*}"
    {
        echo "# Written by $0: the addresses nginx had, and the port shared with it."
        echo "[Socket]"
        echo "ListenStream="
        for address; do echo "ListenStream=${address/#\*:/[::]:}"; done
        echo "BindIPv6Only=$only"
        echo "ReusePort=yes"
    } >"$drop_in.new"
    mv "$drop_in.new" "$drop_in"
    systemctl daemon-reload
}

# A socket that cannot have the port yet is asked for again: nginx is still reloading.
start_gate() {
    eventually 15 open_socket || stop_because "kanmon.socket does not get port $port: see  journalctl -u kanmon.socket"
    if ! timeout 30 systemctl start kanmon.service; then
        journalctl --quiet --no-pager --unit kanmon.service --lines 5 --output cat >&2 || true
        stop_because "kanmon.service does not start"
    fi
}

open_socket() { systemctl start kanmon.socket 2>/dev/null; }

# The socket first, and by a job of its own: a systemd that means to stop both takes what waits in the
# socket and throws it away. So the gate is the last who holds it, takes in nobody while it drains, and
# when it ends the kernel gives nginx those who wait.
stop_gate() {
    eventually 20 gate_is_down || stop_because "the gate does not stop: systemctl stop kanmon.socket kanmon.service"
    wake_nginx
    rm -f "$drop_in"
    systemctl daemon-reload
    systemctl reset-failed kanmon.service kanmon.socket 2>/dev/null || true
}

# Clients that knock while the service cannot start have systemd start it again and again, and with it the
# socket, which calls the stopping off: so it may take more than once.
gate_is_down() {
    systemctl stop kanmon.socket 2>/dev/null
    systemctl stop kanmon.service 2>/dev/null
    ! systemctl --quiet is-active kanmon.socket kanmon.service
}

# The kernel hands connections over without telling whoever sleeps; the next one that comes does. There
# is a socket for each worker, and which gets it is chance, so these are many.
wake_nginx() {
    local try
    for try in {1..64}; do
        : 2>/dev/null <>"/dev/tcp/localhost/$port" || true
    done
}

# --- Pushes that prove it

# Leaves the answer in `answer`. The login comes from a file, never from an argument.
push() {
    answer=$(printf 'kanmon_migration_check 1\n' | curl -q --silent --show-error --fail-with-body \
        --max-time 10 --config "$verify_with" --url "$gate$group" --data-binary @- 2>&1)
}

# What answered: only the gate counts samples in its answer.
answered_by_gate() { push && [[ $answer == accepted* ]]; }
answered_by_nginx() { push && [[ $answer != accepted* ]]; }

forget_pushes() { curl -q --silent --max-time 5 --output /dev/null --request DELETE "$pushgateway$group" || true; }
