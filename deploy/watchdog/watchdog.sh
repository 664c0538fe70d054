#!/usr/bin/env bash
# What make does with the watchdog of this machine, or of a user.
#
#   watchdog.sh install      configuration, token and units, where `make install` or the package has put the program
#   watchdog.sh enable       begins a run every minute from now on
#   watchdog.sh status       when it ran, what it found, what it did last
#   watchdog.sh run-once     one run, here and now
#   watchdog.sh kick ACTION SOURCE [TOKEN_FILE]      without a file the token is read from standard input
#
#   UNITS=user               the watchdog of the user who calls this, instead of the machine's
#   WATCHDOG_CONFIG          another configuration than the usual one
set -euo pipefail
here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")

# The same two answers for each: whose systemd, and where things are.
if [[ ${UNITS-} == user ]]; then
    systemctl=(systemctl --user)
    config=${WATCHDOG_CONFIG:-$HOME/.config/kanmon-watch/watch.yml}
    program=$HOME/.local/bin/kanmon-ops
else
    systemctl=(systemctl)
    config=${WATCHDOG_CONFIG:-/etc/kanmon-watch/watch.yml}
    program=$(command -v kanmon-ops || true)
fi

main() {
    case ${1-} in
        install) install_it ;;
        enable) enable ;;
        status) status ;;
        run-once) "$(found)" watch --config "$config" --once ;;
        kick) kick "${@:2}" ;;
        *)
            sed -n '2,/^set /s/^# \{0,1\}//p' "$0" >&2
            exit 64
            ;;
    esac
}

found() {
    if [[ ! -x $program ]]; then
        echo "kanmon-ops is not there: make static, then make install as root, or the package." >&2
        exit 66
    fi
    echo "$program"
}

install_it() {
    if [[ ${UNITS-} == user ]]; then install_for_user; else install_for_machine; fi
    make_token "${config%/*}/kick-token"
    "${systemctl[@]}" daemon-reload
    echo "Next: edit $config, then  kanmon-ops check --config $config  and  make enable-watchdog"
}

install_for_machine() {
    found >/dev/null
    systemd-sysusers kanmon-watch.conf
    if [[ ! -e $config ]]; then
        install -D -m 0640 "$(example watch.yml)" "$config"
    fi
    systemd-tmpfiles --create kanmon-watch.conf
}

# The example as it was installed, since it names paths; that of the repository where it was not.
example() {
    local installed=${program%/bin/*}/share/doc/kanmon/examples/$1
    if [[ -e $installed ]]; then echo "$installed"; else echo "$here/$1"; fi
}

install_for_user() {
    local built=$here/../../.build-static/release/kanmon-ops
    if [[ -x $built ]]; then install -D -m 0755 "$built" "$program"; fi
    found >/dev/null
    install -d -m 0700 "${config%/*}" "$HOME/.local/state"
    [[ -e $config ]] ||
        sed "s|/home/bot|$HOME|" "$here/examples/gateway.yml" | install -m 0600 /dev/stdin "$config"
    install -D -m 0644 -t "$HOME/.config/systemd/user" "$here"/user/kanmon-watch.{service,timer}
}

make_token() {
    [[ -e $1 ]] || head -c 24 /dev/urandom | base64 | install -m 0600 /dev/stdin "$1"
}

enable() {
    "$(found)" check --config "$config"
    local units=(kanmon-watch.timer)
    [[ ${UNITS-} == user ]] || units+=(kanmon-watch.path)
    "${systemctl[@]}" enable --now "${units[@]}"
}

status() {
    "${systemctl[@]}" --no-pager list-timers kanmon-watch.timer || true
    local state log
    state=$(setting state_dir)/state.json
    log=$(setting log_file)
    echo
    echo "--- $state"
    cat "$state" || true
    echo "--- $log"
    tail -n 20 "$log"
}

# A path of the configuration, which is relative to the folder of that.
setting() {
    local value
    value=$(sed -n "s/^$1: *//p" "$config" | sed "s/[[:space:]]\+#.*//; s/[[:space:]]*\$//; s/^[\"']\(.*\)[\"']\$/\1/")
    case $value in
        /*) echo "$value" ;;
        *) echo "${config%/*}/$value" ;;
    esac
}

kick() {
    if [[ -z ${1-} || -z ${2-} ]]; then
        echo "usage: make watchdog-kick ACTION=check SOURCE=$USER [TOKEN_FILE=file]" >&2
        exit 64
    fi
    local token=()
    [[ -z ${3-} ]] || token=(--token-file "$3")
    "$(found)" kick "$1" --source "$2" --config "$config" "${token[@]}"
}

main "$@"
