#!/usr/bin/env bash
# Pushes what this machine measures through a running gate with the script that cron runs, reads it back from the
# Pushgateway, sees that a broken body is refused, and takes all out again. Ends with 0 when that worked each time;
# otherwise it says in which round, at which step and layer it failed, and shows the gate's status and log.
#
#   deploy/dev/smoke.sh [--simulate-failure[=dns|refused|tls|auth|validation|upstream]]
#
# --simulate-failure breaks the last round in that way (auth, if not named) to see that a failure is noticed. It ends
# with 1 like any failure, and with 2 if it was not noticed.
#
# Where, if not what `make run` serves:
#   KANMON_URL            https://localhost:9443
#   KANMON_CACERT         tls/tls.crt
#   KANMON_USER           prom
#   KANMON_PASSWORD_FILE  auth/password; with mode 0600
#   KANMON_SMOKE_GROUP    /metrics/job/kanmon_smoke/run/NUMBER; the user must have the right to push and delete it
#   PUSHGATEWAY_URL       http://127.0.0.1:9091
#   SMOKE_REPEAT_COUNT    1
# And where to look when it fails:
#   KANMON                .build/release/kanmon, or the one in PATH
#   KANMON_CONFIG         the configuration of the gate; that of make run, unless KANMON_URL is another gate
#   KANMON_LOG            a file with its log, instead of journalctl -u kanmon
set -euo pipefail
cd "$(dirname "$0")/../.."

gate=${KANMON_URL:-https://localhost:9443}
authority=${KANMON_CACERT:-tls/tls.crt}
user=${KANMON_USER:-prom}
password_file=${KANMON_PASSWORD_FILE:-auth/password}
group=${KANMON_SMOKE_GROUP:-/metrics/job/kanmon_smoke/run/$$}
pushgateway=${PUSHGATEWAY_URL:-http://127.0.0.1:9091}
rounds=${SMOKE_REPEAT_COUNT:-1}
simulated=
round=0
pushed=

main() {
    read_arguments "$@"
    work=$(mktemp -d)
    trap clean_up EXIT
    while ((++round <= rounds)); do
        run_round
    done
    if [[ -n $simulated ]]; then
        echo "smoke: the simulated failure of $simulated was not noticed" >&2
        exit 2
    fi
    local times=
    if ((rounds > 1)); then times=", $rounds times"; fi
    echo "smoke: pushed, stored, read back and deleted through $gate$times"
}

read_arguments() {
    case ${1-} in
        '') ;;
        --simulate-failure) simulated=auth ;;
        --simulate-failure=dns | --simulate-failure=refused | --simulate-failure=tls | --simulate-failure=auth | \
            --simulate-failure=validation | --simulate-failure=upstream) simulated=${1#*=} ;;
        *)
            echo "usage: $0 [--simulate-failure[=dns|refused|tls|auth|validation|upstream]]" >&2
            exit 64
            ;;
    esac
    if [[ ! $rounds =~ ^[1-9][0-9]{0,3}$ ]]; then
        echo "smoke: SMOKE_REPEAT_COUNT is 1 to 9999" >&2
        exit 64
    fi
}

run_round() {
    local url=$gate$group ca=$authority login=$password_file store=$pushgateway file
    for file in "$password_file" "$authority"; do
        [[ -r $file ]] || fail setup config "$file cannot be read; make run makes it"
    done
    if [[ -n $simulated ]] && ((round == rounds)); then break_something; fi
    push
    read_back
    refuse_nonsense
    delete
}

# Where what is asked for is not there.
break_something() {
    case $simulated in
        dns) url=https://kanmon-smoke.invalid$group ;;
        refused) url=https://127.0.0.1:1$group ;;
        tls)
            openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=nobody \
                -keyout "$work/key" -out "$work/other.crt" 2>/dev/null
            ca=$work/other.crt
            ;;
        auth)
            (umask 077 && echo "not the password" >"$work/password")
            login=$work/password
            ;;
        validation) url=$gate$group/kanmon_smoke/1/kanmon_smoke/2 ;;
        upstream) store=http://127.0.0.1:1 ;;
    esac
}

# The script names the layer that failed: dns, refused, filtered, allowlist, tls, auth, rights, validation, upstream ...
push() {
    began=$(date +%s)
    local said
    if ! said=$(PUSHGATEWAY_URL=$url PUSHGATEWAY_USER=$user PUSHGATEWAY_PASSWORD_FILE=$login PUSHGATEWAY_PASSWORD='' \
        PUSHGATEWAY_CACERT=$ca PUSHGATEWAY_INSECURE=false PUSHGATEWAY_METHOD=POST PUSHGATEWAY_INSTANCE='' \
        PUSH_SPLAY_SECONDS=0 PUSH_TOTAL_SECONDS=6 PUSH_STATE_DIR=$work/state \
        deploy/push/prometheus-push.sh 2>&1); then
        said=${said#prometheus-push: }
        fail push "${said%%: *}" "${said#*: }"
    fi
    pushed=yes
}

# The time at which the script began tells this push from an older one.
read_back() {
    local answer
    answer=$(curl -q --silent --show-error --fail --max-time 10 "$store/metrics" 2>&1) ||
        fail "read back" upstream "$store/metrics: $answer; the Pushgateway itself is down or cannot be scraped"
    printf '%s\n' "$answer" >"$work/stored"
    local stored
    stored=$(sample xserver_push_script_start_timestamp_seconds)
    [[ -n $stored ]] ||
        fail "read back" upstream "$store has nothing of this push; is it the Pushgateway of this gate?"
    ((stored >= began)) ||
        fail "read back" upstream "$store has only an older push, of $stored; this one began at $began"
    [[ $(sample xserver_memory_total_bytes) == "$(memory_total)" ]] ||
        fail "read back" upstream "xserver_memory_total_bytes is not what this machine has"
}

# The value of a metric in our group; as a whole number, since the Pushgateway writes 1.7e+09.
sample() {
    awk -v name="$1" -v labels="$(labels)" '
        index($0, name "{") == 1 {
            count = split(labels, wanted, "\n")
            for (i = 1; i <= count; i++) if (index($0, wanted[i]) == 0) next
            printf "%.0f\n", $NF
            exit
        }' "$work/stored"
}

# The group as labels, one a line.
labels() {
    tr / '\n' <<<"${group#/metrics/}" | awk 'NR % 2 { name = $0; next } { printf "%s=\"%s\"\n", name, $0 }'
}

memory_total() {
    awk '$1 == "MemTotal:" { printf "%.0f", $2 * 1024 }' /proc/meminfo
}

refuse_nonsense() {
    local answer
    printf 'kanmon_smoke 0,5\n' >"$work/nonsense"
    answer=$(ask_as_user --data-binary "@$work/nonsense" "$gate$group" 2>&1) || fail refuse upstream "$answer"
    [[ $answer == 400 ]] || fail refuse validation "a broken body was answered with $answer instead of 400"
}

delete() {
    local answer
    answer=$(ask_as_user --request DELETE "$gate$group" 2>&1) || fail delete upstream "$answer"
    case $answer in
        202) ;;
        403) fail delete rights "$user has no right to DELETE $group (methods, under auth.users)" ;;
        *) fail delete upstream "deleting was answered with $answer" ;;
    esac
    pushed=
    curl -q --silent --show-error --fail --max-time 10 --output "$work/stored" "$store/metrics" ||
        fail delete upstream "the Pushgateway cannot be read any more"
    [[ -z $(sample xserver_push_script_start_timestamp_seconds) ]] || fail delete upstream "the group is still there"
}

# Leaves the status. The password goes to curl through a pipe, so that it never shows in a list of processes.
ask_as_user() {
    curl -q --silent --show-error --max-time 10 --cacert "$authority" --output "$work/answer" \
        --write-out '%{http_code}' --config <(printf 'user = "%s:%s"\n' "$user" "$(escaped_password)") "$@"
}

# As curl's configuration wants it between quotes.
escaped_password() {
    sed -n '1{s/[\\"]/\\&/g;p;}' "$password_file"
}

clean_up() {
    if [[ -n $pushed ]]; then ask_as_user --request DELETE "$gate$group" >/dev/null 2>&1 || true; fi
    rm -rf "$work"
}

fail() {
    local note=
    if [[ -n $simulated ]] && ((round == rounds)); then note=" (simulated: $simulated)"; fi
    {
        echo "smoke: failed_iteration=$round/$rounds step=\"$1\" layer=$2$note: $3"
        show_status
        show_log
    } >&2
    exit 1
}

show_status() {
    local kanmon=${KANMON:-.build/release/kanmon}
    [[ -x $kanmon ]] || kanmon=$(command -v kanmon) || kanmon=
    local config=${KANMON_CONFIG-}
    if [[ -z $config && -z ${KANMON_URL-} ]]; then config=deploy/env/dev/kanmon.yml; fi
    echo "--- status of the gate"
    if [[ -z $kanmon ]]; then
        echo "there is no kanmon here to ask it"
    elif [[ -z $config ]]; then
        echo "KANMON_CONFIG does not say which gate to ask"
    else
        timeout 20 "$kanmon" status --config "$config" 2>&1 || true
    fi
}

show_log() {
    echo "--- the last lines of its log"
    if [[ -n ${KANMON_LOG-} ]]; then
        tail -n 20 "$KANMON_LOG" 2>&1 || true
    elif ! timeout 10 journalctl --unit kanmon --lines 20 --no-pager 2>/dev/null; then
        echo "no journal here; KANMON_LOG names a file, and a gate in a terminal shows it there"
    fi
}

main "$@"
