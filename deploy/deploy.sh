#!/usr/bin/env bash
# Brings the configuration of an environment into force on this machine: checks it where it will lie, puts
# it there, reloads the gate, pushes through it. When one of that fails, what was there before is in force
# again.
#
#   deploy/deploy.sh dev|staging|production          as root; behind  make deploy ENV=...
#
#   DESTDIR               a root to install into instead of this machine's
#   KANMON                kanmon   the gate's program
#   KANMON_RELOAD         systemctl reload kanmon.service   e.g.  docker kill --signal HUP gate
#   KANMON_PASSWORD_FILE  the password to push with afterwards; KANMON_URL and others as in dev/smoke.sh
set -euo pipefail
cd "$(dirname "$0")/.."

environment=${1-}
root=${DESTDIR-}
kanmon=${KANMON:-kanmon}
new=deploy/env/$environment/kanmon.yml
folder=$root/etc/kanmon
config=$folder/kanmon.yml
asked=0

main() {
    check_environment
    check_branch
    check_tree
    if [[ $environment == dev ]]; then
        echo "dev is not installed: make run serves it from here."
        return
    fi
    put_beside
    trap 'rm -f "$folder/.kanmon.yml.new"' EXIT
    check_configuration
    install_it
    reload || go_back "the gate does not take it"
    verify || go_back "no push comes through"
    echo "deployed: $config is what $(git rev-parse --short HEAD) has for $environment"
}

# --- Whether this may be deployed

check_environment() {
    case $environment in
        dev | staging | production) ;;
        *) refuse 64 "which environment? make deploy ENV=staging, or ENV=production" ;;
    esac
    local named
    named=$(sed -n 's/^environment:[[:space:]]*\([a-z]*\).*/\1/p' "$new")
    [[ $named == "$environment" ]] || refuse 78 "$new says environment: ${named:-nothing}, not $environment"
}

# Of which branch each environment is made. dev is whatever one works on.
check_branch() {
    local branch wanted
    branch=$(git symbolic-ref --quiet --short HEAD) || branch="no branch"
    case $environment in
        dev) return ;;
        staging) wanted=staging ;;
        production) wanted=main ;;
    esac
    [[ $branch == "$wanted" ]] || refuse 1 "$environment is deployed from $wanted, and this is $branch"
}

check_tree() {
    local changes
    changes=$(git status --porcelain)
    [[ -z $changes ]] || refuse 1 "commit or take back first, so that what runs can be found again:
$changes"
}

# --- Installing

# Beside the one in force, since its paths are relative to where it lies.
put_beside() {
    [[ -d $folder ]] || refuse 66 "$folder is not there: make install, or the package, makes it"
    install -m 0640 "$new" "$folder/.kanmon.yml.new"
    if [[ $(id -u) -eq 0 ]] && getent group kanmon >/dev/null; then chgrp kanmon "$folder/.kanmon.yml.new"; fi
}

check_configuration() {
    "$kanmon" check --config "$folder/.kanmon.yml.new" ||
        refuse 78 "the configuration is not good on this machine; nothing was changed"
}

install_it() {
    if [[ -e $config ]]; then cp --preserve=mode,ownership "$config" "$folder/.kanmon.yml.before"; fi
    mv "$folder/.kanmon.yml.new" "$config"
}

# Who installs into another root has no gate there, unless he says how to reload it.
reload() {
    asked=$(date +%s.%3N)
    if [[ -n ${KANMON_RELOAD-} ]]; then
        bash -c "$KANMON_RELOAD" && is_in_force
    elif [[ -n $root ]]; then
        echo "not reloaded: this is $root"
    elif systemctl --quiet is-active kanmon.service; then
        systemctl reload kanmon.service && is_in_force
    else
        echo "not reloaded: the gate does not run. Next: systemctl start kanmon"
    fi
}

# A signal has no answer, the metrics have: when the gate last took a configuration. A key that needs a
# restart is refused like a mistake.
is_in_force() {
    local taken
    for _ in {1..50}; do
        taken=$(curl -q --silent --fail --max-time 2 "$(admin)/metrics" |
            awk '$1 == "kanmon_config_last_reload_success_timestamp_seconds" { printf "%.3f", $2 }') || true
        if awk -v taken="${taken:-0}" -v asked="$asked" 'BEGIN { exit !(taken > asked) }'; then return; fi
        sleep 0.1
    done
    return 1
}

admin() { sed -n '/^admin:/,/^[a-z]/ s|^  listen:[[:space:]]*\([^ ]*\).*|http://\1|p' "$config"; }

# "The process runs" is not "it serves".
verify() {
    if [[ -z ${KANMON_PASSWORD_FILE-} ]]; then
        echo "not verified by a push: set KANMON_PASSWORD_FILE, or run deploy/dev/smoke.sh yourself"
        return
    fi
    KANMON_CACERT=${KANMON_CACERT:-$folder/tls/tls.crt} deploy/dev/smoke.sh
}

go_back() {
    echo "deploy: $1; going back" >&2
    if [[ -e $folder/.kanmon.yml.before ]]; then
        mv "$folder/.kanmon.yml.before" "$config"
        reload || echo "deploy: the gate does not take what was there before either: kanmon check --config $config" >&2
    fi
    refuse 1 "$environment is not deployed"
}

refuse() {
    echo "deploy: $2" >&2
    exit "$1"
}

main
