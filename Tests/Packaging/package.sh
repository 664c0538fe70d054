#!/usr/bin/env bash
# The package as an operator meets it, from the installation to the purge, under systemd. Meant for a
# machine that is thrown away afterwards:
#
#   Tests/Packaging/machine.sh Tests/Packaging/package.sh PACKAGE
set -euo pipefail

package=$1
config=/etc/kanmon/kanmon.yml
gate=https://localhost:9443
pushgateway=http://127.0.0.1:9091
# shellcheck disable=SC2034 # For sentences.sh.
units=(kanmon.service kanmon.socket)
# shellcheck source=Tests/Packaging/sentences.sh
source "$(dirname "$0")/sentences.sh"

main() {
    export DEBIAN_FRONTEND=noninteractive
    installation
    bad_configuration
    first_start
    sandbox
    reload
    crash
    upgrade
    crash_after_handing_over
    broken_upgrade
    other_port
    socket_activate
    removal
    purge
    without_systemd
    echo "package: $count sentences hold"
}

is_state() { [[ $(systemctl show --property "$1" --value kanmon.service) == "$2" ]]; }
main_process() { systemctl show --property MainPID --value kanmon.service; }

# push URL
push() {
    printf 'package_test 1\n' | curl -q --silent --show-error --fail-with-body --max-time 20 \
        --cacert /etc/kanmon/tls/tls.crt --config "$work/login" --data-binary @- \
        "$1/metrics/job/package"
}

# --- As an operator would do it

installation() {
    holds "the package installs" dpkg -i "$package"
    holds "it says what to do first" says "kanmon passwd /etc/kanmon/auth/htpasswd USER"
    holds "nothing is started" fails systemctl --quiet is-active kanmon.service kanmon.socket
    holds "nothing will be started at boot" fails systemctl --quiet is-enabled kanmon.service
    holds "there is a user kanmon" getent passwd kanmon
    holds "its shell is none" grep -q '^kanmon:.*:/usr/sbin/nologin$' /etc/passwd
    local folder
    for folder in /etc/kanmon /etc/kanmon/tls /etc/kanmon/auth; do
        holds "$folder is root's, and the gate may look" has_mode "750 root:kanmon" "$folder"
    done
    holds "so is the configuration" has_mode "640 root:kanmon" "$config"
    holds "the log folder is the gate's" has_mode "750 kanmon:kanmon" /var/log/kanmon
    holds "nothing of it can be written by others" \
        test -z "$(dpkg -L kanmon | xargs -d '\n' -I{} find {} -maxdepth 0 ! -type l -perm /o+w)"
    local version
    version=$(dpkg-query --show --showformat='${Version}' kanmon)
    holds "the program says the package's version" grep -q "^kanmon $version " <(kanmon --version)
    holds "so does its manual" grep -q "kanmon $version" <(zcat /usr/share/man/man1/kanmon.1.gz)
    holds "and the newest entry of its changelog" \
        grep -q "^## $version" <(zcat /usr/share/doc/kanmon/changelog.gz | grep -m1 '^## ')
    holds "the units are sound" systemd-analyze verify kanmon.service kanmon.socket
    holds "there is a manual for the program" test -s /usr/share/man/man1/kanmon.1.gz
    holds "and one for its configuration" test -s /usr/share/man/man5/kanmon.yml.5.gz
    holds "bash completes its verbs" bash -n /usr/share/bash-completion/completions/kanmon
}

bad_configuration() {
    holds "without a certificate it does not start" fails systemctl start kanmon.service
    holds "since the configuration is bad" eventually is_state ExecMainStatus 78
    holds "and is not tried again and again" is_state NRestarts 0
    systemctl stop kanmon.socket
    systemctl reset-failed kanmon.service
}

first_start() {
    prometheus-pushgateway --persistence.file= --web.listen-address=127.0.0.1:9091 \
        --log.level=error &
    holds "a Pushgateway is there" eventually curl -qsf "$pushgateway/-/ready"
    holds "a certificate is made" kanmon cert --out /etc/kanmon/tls --host localhost
    echo secret-of-the-test >"$work/password"
    printf 'user = "prom:%s"\n' "$(cat "$work/password")" >"$work/login"
    holds "a user is made" kanmon passwd --cost 5 /etc/kanmon/auth/htpasswd prom <"$work/password"
    holds "both are given to the gate" systemd-tmpfiles --create kanmon.conf
    holds "the key is not for others" has_mode "640 root:kanmon" /etc/kanmon/tls/tls.key
    holds "nor are the users" has_mode "640 root:kanmon" /etc/kanmon/auth/htpasswd
    holds "the configuration is good" kanmon check --config "$config"
    holds "it starts" systemctl enable --now kanmon.service
    holds "and says that it is ready" is_state SubState running
    holds "it will start at boot, with its socket" systemctl is-enabled kanmon.service kanmon.socket
    holds "a push is let in" push "$gate"
    holds "and says so" says "accepted 1 samples in 1 families"
    holds "the Pushgateway has it" bash -c "curl -qsf $pushgateway/metrics | grep -q ^package_test"
    holds "the gate is healthy" kanmon health --config "$config"
    holds "Prometheus can scrape it" curl -qsf http://127.0.0.1:9444/metrics
    holds "the push is in the audit trail" \
        eventually grep -q '"verdict":"accepted"' /var/log/kanmon/audit.jsonl
    holds "which others cannot read" fails runuser -u nobody -- cat /var/log/kanmon/audit.jsonl
}

# What the kernel says about the process itself, whatever the unit promises.
sandbox() {
    local process descriptors
    process=/proc/$(main_process)
    # Where systemd itself may not have so many, nobody gets them.
    descriptors=$(ulimit -Hn)
    ((descriptors < 65536)) || descriptors=65536
    holds "it is not root" grep -q "^Uid:.*$(id -u kanmon)" "$process/status"
    holds "it has no capability" grep -qE '^CapBnd:\s*0+$' "$process/status"
    holds "it gains no privileges" grep -qE '^NoNewPrivs:\s*1$' "$process/status"
    holds "its system calls are filtered" grep -qE '^Seccomp:\s*2$' "$process/status"
    holds "it cannot write a core" grep -qE '^Max core file size +0 +0 ' "$process/limits"
    holds "its descriptors are enough" grep -qE "^Max open files +$descriptors " "$process/limits"
    holds "passwords are checked by nicer threads" \
        bash -c "cut -d' ' -f19 $process/task/*/stat | grep -qx 10"
}

reload() {
    local before
    before=$(main_process)
    holds "a good reload is done" systemctl reload kanmon.service
    printf 'nonsense: 1\n' >>"$config"
    holds "a bad one is refused" fails systemctl reload kanmon.service
    holds "and says why" bash -c "journalctl --no-pager -u kanmon.service | grep -q nonsense"
    sed -i '/^nonsense/d' "$config"
    holds "the gate goes on" push "$gate"
    holds "as the same process" test "$before" = "$(main_process)"
}

crash() {
    local before
    before=$(main_process)
    kill -KILL "$before"
    holds "a push right after a crash is let in" push "$gate"
    holds "by another process" eventually is_state NRestarts 1
}

upgrade() {
    sed -i 's/^environment: .*/environment: staging/' "$config"
    local before failures=0 pushes=0
    before=$(main_process)
    rebuild 999.1 true
    dpkg -i "$work/999.1.deb" >"$work/upgrade" 2>&1 &
    local installing=$!
    while kill -0 "$installing" 2>/dev/null; do
        push "$gate" >"$work/push" 2>&1 || failures=$((failures + 1))
        pushes=$((pushes + 1))
    done
    holds "an upgrade is installed" wait "$installing"
    holds "and taken over" grep -q "the new version serves" "$work/upgrade"
    holds "by another process" test "$before" != "$(main_process)"
    holds "no push of $pushes has failed meanwhile" test "$failures" -eq 0
    holds "the configuration is kept" grep -qx "environment: staging" "$config"
    holds "and its mode" has_mode "640 root:kanmon" "$config"
    holds "the service runs" is_state SubState running
}

broken_upgrade() {
    local before
    before=$(main_process)
    rebuild 999.2 "printf '#!/bin/sh\nexit 1\n' >usr/bin/kanmon"
    holds "a broken upgrade is installed" dpkg -i "$work/999.2.deb"
    holds "which says that it does not start" says "the one before goes on"
    holds "so it does" test "$before" = "$(main_process)"
    holds "and serves" push "$gate"
    holds "the way back" dpkg -i --force-downgrade "$package"
    holds "is served as well" push "$gate"
}

# A process that systemd has not started itself, and whose parent is still there.
crash_after_handing_over() {
    local before
    before=$(main_process)
    sleep 60 | openssl s_client -quiet -connect localhost:9443 >/dev/null 2>&1 &
    local idle=$!
    sleep 1
    kill -USR2 "$before"
    holds "a gate hands over" eventually fails is_state MainPID "$before"
    holds "and waits for the client that is connected" kill -0 "$before"
    kill -KILL "$(main_process)"
    holds "when the new one crashes meanwhile, pushes are served again" eventually push "$gate"
    kill "$idle" 2>/dev/null || true
    holds "by a service that runs" eventually is_state SubState running
    kill -KILL "$(main_process)"
    holds "and that survives the next crash" eventually push "$gate"
}

# rebuild VERSION CHANGE: the package with another version, changed by a command in its root.
rebuild() {
    rm -rf "$work/root"
    dpkg-deb --raw-extract "$package" "$work/root"
    sed -i "s/^Version: .*/Version: $1/" "$work/root/DEBIAN/control"
    (cd "$work/root" && eval "$2")
    dpkg-deb --root-owner-group -Znone --build "$work/root" "$work/$1.deb" >/dev/null
}

other_port() {
    install -D -m 0644 /usr/share/doc/kanmon/examples/443.conf \
        /etc/systemd/system/kanmon.socket.d/443.conf
    sed -i 's/^listen: .*/listen: ":443"/' "$config"
    systemctl daemon-reload
    # A socket cannot be opened for a service that runs already.
    systemctl stop kanmon.socket kanmon.service
    holds "port 443 needs a stop and a start" systemctl start kanmon.service
    holds "and no further rights" push https://localhost
    holds "a reload still works" systemctl reload kanmon.service
    rm -r /etc/systemd/system/kanmon.socket.d
    sed -i 's/^listen: .*/listen: ":9443"/' "$config"
    systemctl daemon-reload
    systemctl stop kanmon.socket kanmon.service
}

# The program alone, under the tool that does for a socket what systemd does.
socket_activate() {
    setpriv --reuid kanmon --regid kanmon --clear-groups \
        systemd-socket-activate --listen '[::]:9443' \
        /usr/bin/kanmon serve --config "$config" &
    local activator=$!
    holds "systemd-socket-activate starts it at the first push" eventually push "$gate"
    kill -TERM "$activator"
    holds "and it ends cleanly" wait "$activator"
    systemctl start kanmon.service
}

removal() {
    holds "it can be removed" dpkg -r kanmon
    holds "then nothing runs" fails pgrep -x kanmon
    holds "nothing listens" fails bash -c ': </dev/tcp/127.0.0.1/9443'
    holds "the configuration stays" test -e "$config"
    holds "nothing is left to start at boot" \
        test -z "$(find /etc/systemd/system -name 'kanmon.s*')"
}

purge() {
    holds "it can be purged" dpkg -P kanmon
    holds "which says what stays" says "/etc/kanmon/tls stays"
    holds "the configuration is gone" test ! -e "$config"
    holds "the logs are gone" test ! -e /var/log/kanmon
    holds "the key is not" has_mode "640 root:kanmon" /etc/kanmon/tls/tls.key
    rm -r /etc/kanmon
}

# In a container there may be no systemd at all, nor its tools.
without_systemd() {
    userdel kanmon
    umount /run/systemd/system 2>/dev/null || true
    mv /run/systemd/system /run/systemd/not-here
    local tool
    for tool in sysusers tmpfiles; do
        mv "/usr/bin/systemd-$tool" "/usr/bin/not-$tool"
    done
    mv /usr/bin/systemctl /usr/bin/not-systemctl
    holds "without systemd it installs" dpkg -i "$package"
    holds "with a user" getent passwd kanmon
    holds "and the same modes" has_mode "640 root:kanmon" "$config"
    holds "of all folders" has_mode "750 root:kanmon" /etc/kanmon/tls
    holds "and of the log's" has_mode "750 kanmon:kanmon" /var/log/kanmon
    holds "and is purged" dpkg -P kanmon
    holds "leaving nothing" test ! -e /etc/kanmon -a ! -e /var/log/kanmon
    mv /usr/bin/not-systemctl /usr/bin/systemctl
    mv /run/systemd/not-here /run/systemd/system
}

main
