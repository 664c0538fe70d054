#!/usr/bin/env bash
# The watchdog as a service of a real systemd: that its unit has the rights it needs, that the timer and a request begin
# a run, and that it restarts what it may. Meant for a machine that is thrown away afterwards:
#
#   Tests/Packaging/machine.sh Tests/Watchdog/machine.sh FOLDER      where kanmon and kanmon-ops were built
set -euo pipefail

folder=$1
config=/etc/kanmon-watch/watch.yml
# shellcheck disable=SC2034 # For sentences.sh.
units=(kanmon-watch.service)
# shellcheck source=Tests/Packaging/sentences.sh
source "$(dirname "$0")/../Packaging/sentences.sh"

main() {
    installation
    repairs
    hopeless
    mistake
    kicks
    snapshot
    timer
    echo "watchdog under systemd: $count sentences hold"
}

logged() { grep -qF -- "$1" /var/log/kanmon-watch/watch.log; }
audited() { grep -qF -- "$1" /var/log/kanmon-watch/kick.log; }
process() { systemctl show --property MainPID --value "$1"; }

unit() {
    printf '[Service]\nExecStart=%s\n' "$2" >"/etc/systemd/system/$1"
    systemctl daemon-reload
}

installation() {
    PREFIX=/usr KANMON_PROGRAM=$folder/kanmon deploy/package/install.sh >/dev/null
    holds "make install-watchdog puts everything in its place" deploy/watchdog/watchdog.sh install
    holds "the token is root's alone" has_mode "600 root:root" /etc/kanmon-watch/kick-token
    holds "the configuration can be read by who may ask" has_mode "640 root:kanmon-kick" "$config"
    holds "requests have a folder in which nobody sees those of others" \
        has_mode "1730 root:kanmon-kick" /var/lib/kanmon-watch/kick
    unit well.service "/usr/bin/sleep infinity"
    unit ill.service /bin/false
    cat >"$config" <<END
state_dir: /var/lib/kanmon-watch
log_file: /var/log/kanmon-watch/watch.log
limits: {pauses: [0s, 1s, 1s], grace: 1s}
may_restart: {well.service: well, ill.service: ill}
checks:
  well: {unit: well.service, repair: restart well.service}
kick:
  request_file: /var/lib/kanmon-watch/kick/request
  token_file: kick-token
  audit_file: /var/log/kanmon-watch/kick.log
  actions: [check, "restart:well.service"]
snapshot: {units: [well.service], users: /etc/users}
END
    sed -i '/^may_restart/s/, ill.service: ill//' "$config"
    holds "it is good" kanmon-ops check --config "$config"
}

repairs() {
    holds "what is down is started by a run of the service" systemctl start kanmon-watch.service
    holds "so that it is up" systemctl --quiet is-active well.service
    holds "which is in its log" logged 'step="restart well.service" outcome=done'
    kill -KILL "$(process well.service)"
    holds "what was killed is started again" systemctl start kanmon-watch.service
    holds "and up" systemctl --quiet is-active well.service
}

hopeless() {
    sed -i 's/^may_restart: {/&ill.service: ill, /; s/^checks:/&\n  ill: {unit: ill.service, repair: restart ill.service}/' "$config"
    holds "what cannot be mended is no fault of the watchdog" systemctl start kanmon-watch.service
    holds "it was tried three times and is held back" logged "event=held check=ill"
    holds "its journal is kept" bash -c 'grep -q ill.service /var/lib/kanmon-watch/incidents/*-ill.log'
    sed -i 's/ill.service: ill, //; /^  ill:/d' "$config"
}

mistake() {
    cp "$config" "$work/good.yml"
    echo "oops" >>"$config"
    holds "a mistake in the configuration makes the unit fail" fails systemctl start kanmon-watch.service
    holds "while the last good one goes on" logged 'by="the last good one"'
    cat "$work/good.yml" >"$config"
    holds "until it is mended" systemctl start kanmon-watch.service
    holds "which is in the log" logged event=configuration_good
}

kicks() {
    local token before
    token=$(cat /etc/kanmon-watch/kick-token)
    systemctl start kanmon-watch.path
    before=$(process well.service)
    kick() { setpriv --reuid nobody --regid kanmon-kick --clear-groups kanmon-ops kick "$1" --source tester --config "$config"; }
    holds "whoever is in the group may ask" kick restart:well.service <<<"$token"
    holds "which begins a run" eventually audited "kick=accepted ACTION=restart:well.service SOURCE=tester"
    holds "that restarts the unit" eventually fails test "$before" = "$(process well.service)"
    eventually fails systemctl --quiet is-active kanmon-watch.service
    before=$(process well.service)
    holds "a wrong token can be left, too" kick restart:well.service <<<"a-wrong-token-of-a-stranger"
    holds "and is refused" eventually audited "kick=refused ACTION=restart:well.service SOURCE=tester"
    holds "nothing happens" test "$before" = "$(process well.service)"
    holds "who is not in the group cannot ask" fails setpriv --reuid nobody --regid nogroup --clear-groups \
        kanmon-ops kick check --source stranger --config "$config" <<<"$token"
    systemctl stop kanmon-watch.path
}

snapshot() {
    holds "a snapshot is taken" kanmon-ops snapshot --config "$config" --out "$work/snapshot.tar.gz"
    tar -xzf "$work/snapshot.tar.gz" -C "$work"
    holds "with the unit's state" bash -c "grep -q ActiveState=active $work/kanmon-*/unit-well.service"
    holds "and its journal" bash -c "grep -q well.service $work/kanmon-*/journal-well.service"
}

timer() {
    local before
    before=$(grep -c event=run /var/log/kanmon-watch/watch.log)
    # Shortened, so that nobody has to wait for it.
    install -d /etc/systemd/system/kanmon-watch.timer.d
    printf '[Timer]\nOnActiveSec=1\nOnUnitActiveSec=3\n' >/etc/systemd/system/kanmon-watch.timer.d/short.conf
    holds "make enable-watchdog begins the timer" deploy/watchdog/watchdog.sh enable
    more() { (($(grep -c event=run /var/log/kanmon-watch/watch.log) >= before + 2)); }
    holds "which begins one run after the other" eventually more
    holds "make watchdog-status shows them" deploy/watchdog/watchdog.sh status
}

main
