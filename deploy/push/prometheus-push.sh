#!/bin/sh
# Pushes what can be read of this machine to a Pushgateway behind Kanmon, or behind nginx. For cron on a shared
# host: no root, no agent, nothing but a POSIX shell with its usual programs, and curl.
#
#   prometheus-push.sh [--env FILE]            pushes once; says nothing when it went well
#   prometheus-push.sh [--env FILE] --doctor   pushes once and tells how far it came, step by step
#   prometheus-push.sh --print                 shows the body and sends nothing
#
# Settings are variables of the environment, or lines NAME=VALUE of FILE, which has mode 0600:
#   PUSHGATEWAY_URL            used exactly as given; https://localhost:9443/metrics/job/xserver-bot
#   PUSHGATEWAY_USER           the login; without it there is none
#   PUSHGATEWAY_PASSWORD       its password, or
#   PUSHGATEWAY_PASSWORD_FILE  a file with mode 0600 whose first line it is
#   PUSHGATEWAY_CACERT         the certificate to trust, a copy of the gate's tls.crt
#   PUSHGATEWAY_INSECURE       true: trusts whoever answers, password included
#   PUSHGATEWAY_METHOD         POST, or PUT, which also takes out of the group what is not in this push
#   PUSHGATEWAY_INSTANCE       puts /instance/VALUE behind the URL, which makes another group
#   PUSH_SPLAY_SECONDS         10: starts 0 to 9 s late, always as late on one host; 0 starts at once
#   PUSH_TOTAL_SECONDS         50: when to give up, at most 50
#   PUSH_STATE_DIR             instead of prometheus-push in $XDG_STATE_HOME or ~/.local/state
#   XSERVER_PROC               instead of /proc, for tests
#
# Exit: 0 pushed, 64 usage, 65 body or path refused, 68 no such host, 69 no answer or a fault that did not pass,
# 73 state folder, 75 another run goes on, 76 TLS, or not a push path, 77 login or rights, 78 settings.
set -u
umask 077
LC_ALL=C
export LC_ALL

version=1
proc=${XSERVER_PROC:-/proc}
verb=push environment_file='' run='' locked='' left_out=''
layer='' what='' remedy='' code=0

main() {
    started=$(now)
    read_arguments "$@"
    [ -z "$environment_file" ] || read_environment_file "$environment_file"
    check_settings
    make_folders
    case $verb in
        print) collect && cat "$run/body" ;;
        doctor) diagnose ;;
        push)
            lock
            remove_leftovers
            wait_for_splay
            collect
            remember_cpu
            write_curl_settings
            push || give_up "$code" "$layer" "$what; $remedy"
            ;;
    esac
}

# ---- settings

read_arguments() {
    while [ $# -gt 0 ]; do
        case $1 in
            --doctor) verb=doctor ;;
            --print) verb=print ;;
            --env)
                [ $# -ge 2 ] || give_up 64 usage "--env wants the name of a file"
                environment_file=$2
                shift
                ;;
            --help)
                sed -n '2,/^set /s/^# \{0,1\}//p' "$0"
                exit 0
                ;;
            *) give_up 64 usage "unknown argument \"$1\"; --help tells what there is" ;;
        esac
        shift
    done
}

# Values are taken as they stand, so that a password with a dollar sign is what it looks like. What the environment
# has already counts more.
read_environment_file() {
    is_private "$1" || give_up 78 config "$1 has to be there, yours and closed to others: chmod 600 $1"
    number=0
    while IFS= read -r line || [ -n "$line" ]; do
        number=$((number + 1))
        line=${line%"$(printf '\r')"}
        case $line in
            '' | \#*) continue ;;
            PUSHGATEWAY_URL=* | PUSHGATEWAY_USER=* | PUSHGATEWAY_PASSWORD=* | PUSHGATEWAY_PASSWORD_FILE=*) ;;
            PUSHGATEWAY_CACERT=* | PUSHGATEWAY_INSECURE=* | PUSHGATEWAY_METHOD=* | PUSHGATEWAY_INSTANCE=*) ;;
            PUSH_SPLAY_SECONDS=* | PUSH_TOTAL_SECONDS=* | PUSH_STATE_DIR=*) ;;
            *) give_up 78 config "$1, line $number: not NAME=VALUE with a name that --help lists" ;;
        esac
        name=${line%%=*}
        value=${line#*=}
        case $value in
            \"*\") value=${value#\"} value=${value%\"} ;;
            \'*\') value=${value#\'} value=${value%\'} ;;
        esac
        eval "[ -n \"\${$name+set}\" ] || $name=\$value"
    done <"$1"
}

check_settings() {
    command -v curl >/dev/null || give_up 78 config "there is no curl in PATH ($PATH)"
    url=${PUSHGATEWAY_URL:-https://localhost:9443/metrics/job/xserver-bot}
    method=${PUSHGATEWAY_METHOD:-POST}
    cacert=${PUSHGATEWAY_CACERT:-}
    splay=${PUSH_SPLAY_SECONDS:-10}
    total=${PUSH_TOTAL_SECONDS:-50}
    case ${PUSHGATEWAY_INSECURE:-false} in
        true | false) insecure=${PUSHGATEWAY_INSECURE:-false} ;;
        *) give_up 78 config "PUSHGATEWAY_INSECURE is true or false" ;;
    esac
    case $method in POST | PUT) ;; *) give_up 78 config "PUSHGATEWAY_METHOD is POST or PUT" ;; esac
    is_between 1 "$total" 50 || give_up 78 config "PUSH_TOTAL_SECONDS is 1 to 50"
    is_between 0 "$splay" "$total" ||
        give_up 78 config "PUSH_SPLAY_SECONDS is 0 to PUSH_TOTAL_SECONDS, which is $total"
    [ -z "$cacert" ] || [ -r "$cacert" ] ||
        give_up 78 config "PUSHGATEWAY_CACERT: $cacert cannot be read; copy the gate's tls.crt there"
    read_login
    check_url
    add_instance
}

read_login() {
    user=${PUSHGATEWAY_USER:-}
    password=${PUSHGATEWAY_PASSWORD:-}
    # From here on no program that is started has it in its environment.
    unset PUSHGATEWAY_PASSWORD
    file=${PUSHGATEWAY_PASSWORD_FILE:-}
    if [ "$verb" = print ]; then return; fi
    if [ -z "$password" ] && [ -n "$file" ]; then
        is_private "$file" ||
            give_up 78 config "the password file has to be there, yours and closed to others: chmod 600 $file"
        IFS= read -r password <"$file"
        password=${password%"$(printf '\r')"}
    fi
    if [ -n "$user" ] && [ -z "$password" ]; then
        give_up 78 config "PUSHGATEWAY_USER is set, but neither PUSHGATEWAY_PASSWORD nor PUSHGATEWAY_PASSWORD_FILE"
    fi
    if [ -z "$user" ] && [ -n "$password" ]; then
        give_up 78 config "there is a password, but no PUSHGATEWAY_USER"
    fi
    case $user in *:*) give_up 78 config "PUSHGATEWAY_USER cannot have a colon" ;; esac
    case $user$password in *[[:cntrl:]]*) give_up 78 config "user or password has a control character" ;; esac
}

check_url() {
    case $url in
        *[[:cntrl:][:space:]]*) give_up 78 config "PUSHGATEWAY_URL has a space or control character" ;;
        https://?* | http://?*) ;;
        *) give_up 78 config "PUSHGATEWAY_URL begins with https://" ;;
    esac
    authority=${url#*://}
    authority=${authority%%/*}
    case $authority in
        *@*) give_up 78 config "PUSHGATEWAY_URL must not hold the login; that is PUSHGATEWAY_USER and its password" ;;
    esac
    case $url in https://*) return ;; esac
    case $authority in localhost | localhost:* | 127.* | \[::1\]*) return ;; esac
    [ -z "$password" ] || [ "$insecure" = true ] ||
        give_up 78 config "over http:// the password would be readable on the way: PUSHGATEWAY_URL wants https://"
}

add_instance() {
    old_url=$url
    [ -n "${PUSHGATEWAY_INSTANCE:-}" ] || return 0
    case $PUSHGATEWAY_INSTANCE in
        *[!A-Za-z0-9._:-]* | . | ..) give_up 78 config "PUSHGATEWAY_INSTANCE is letters, digits and . _ : -" ;;
    esac
    case $url in */) give_up 78 config "with PUSHGATEWAY_INSTANCE, PUSHGATEWAY_URL has no / at its end" ;; esac
    url=$url/instance/$PUSHGATEWAY_INSTANCE
}

# ---- what is kept from run to run: the lock, and the last look at the processors

make_folders() {
    base=${XDG_STATE_HOME:-}
    case $base in /*) ;; *) base=${HOME:-}/.local/state ;; esac
    state=${PUSH_STATE_DIR:-$base/prometheus-push}
    [ -n "${PUSH_STATE_DIR:-}${HOME:-}" ] || give_up 78 config "neither HOME nor PUSH_STATE_DIR is set"
    mkdir -p "$state" 2>/dev/null || give_up 73 state "$state cannot be made"
    is_private "$state" ||
        give_up 73 state "$state has to be a folder, yours and closed to others: chmod 700 $state"
    trap clean_up EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
    run=$state/run.$$
    rm -rf "$run"
    mkdir "$run" 2>/dev/null || disk_is_full
}

clean_up() {
    [ -z "$locked" ] || rm -f "$state/lock"
    [ -z "$run" ] || rm -rf "$run"
}

# A file that is linked is there at once with what is in it, so no run ever sees a lock without its holder.
lock() {
    printf '%s %s\n' "$$" "$started" >"$run/lock" || disk_is_full
    until ln "$run/lock" "$state/lock" 2>/dev/null; do
        read_lock
        if [ -n "$holder" ] && is_going_on; then
            give_up 75 lock "another run (process $holder) goes on; this one did nothing"
        fi
        [ $(($(now) - started)) -lt 5 ] || give_up 73 state "$state/lock cannot be made: does this disk know links?"
        mv "$state/lock" "$run/dead" 2>/dev/null || continue
        # Of two that find a dead one's lock, one may have moved away what the other had just made.
        if [ "$(cat "$run/dead")" != "$seen" ]; then
            ln "$run/dead" "$state/lock" 2>/dev/null
            give_up 75 lock "another run has just begun; this one did nothing"
        fi
    done
    locked=yes
}

read_lock() {
    seen=$(cat "$state/lock" 2>/dev/null)
    holder=${seen%% *} since=${seen##* }
    is_number "$holder" && is_number "$since" || holder='' since=''
}

# No run takes longer than a minute: an older lock is one whose number belongs to another process by now.
is_going_on() {
    kill -0 "$holder" 2>/dev/null && [ $((started - since)) -ge -120 ] && [ $((started - since)) -le 120 ]
}

# What a killed run left lying holds the password.
remove_leftovers() {
    for folder in "$state"/run.*; do
        kill -0 "${folder##*.}" 2>/dev/null || rm -rf "$folder"
    done
}

remember_cpu() {
    [ -n "$cpu_now" ] || return 0
    printf '%s\n' "$cpu_now" >"$run/cpu" && mv "$run/cpu" "$state/cpu"
}

# A different time for each host, and on one host always the same, so that pushes stay a minute apart.
wait_for_splay() {
    if [ "$splay" -eq 0 ] || [ -t 2 ]; then return; fi
    key=$(printf '%s %s %s' "$(uname -n)" "$(id -u)" "$url" | od -A n -v -t u1 |
        awk '{ for (i = 1; i <= NF; i++) key = (key * 31 + $i) % 65521 } END { print key + 0 }')
    sleep $((key % splay))
}

# ---- the body

collect() {
    read_cpu
    memory_total=$(meminfo MemTotal) memory_available=$(meminfo MemAvailable) memory_used=''
    if [ -n "$memory_total" ] && [ -n "$memory_available" ]; then
        memory_used=$(printf '%s %s\n' "$memory_total" "$memory_available" |
            awk '$2 <= $1 { printf "%.0f", $1 - $2 }')
    fi
    processes=$(find "$proc"/[0-9]* -prune -user "$(id -u)" 2>/dev/null)
    write_body >"$run/body" || disk_is_full
}

write_body() {
    gauge xserver_cpu_usage_ratio "$(cpu_usage)" \
        "Share of the whole host's processor time that was used since the previous run, 0 to 1."
    gauge xserver_cpus "$(cpus)" "Processors of the whole host."
    gauge xserver_load1 "$(load1)" "Load of the whole host over one minute."
    gauge xserver_memory_used_bytes "$memory_used" \
        "Memory of the whole host that programs hold: total less available."
    gauge xserver_memory_total_bytes "$memory_total" "Memory of the whole host."
    gauge xserver_memory_available_bytes "$memory_available" \
        "Memory of the whole host that programs can still have."
    gauge xserver_account_processes "$(account_processes)" \
        "Processes of this account, the push script's own among them."
    gauge xserver_account_resident_memory_bytes "$(account_memory)" \
        "Resident memory of this account's processes; pages they share count for each."
    gauge xserver_push_script_start_timestamp_seconds "$started" \
        "When the push script started, by this host's clock."
    printf '# HELP xserver_push_script_info Version of the push script.\n# TYPE xserver_push_script_info gauge\n'
    printf 'xserver_push_script_info{version="%s"} 1\n' "$version"
}

# gauge NAME VALUE HELP: what could not be read is left out, since 0 would be a lie.
gauge() {
    case $2 in
        '' | *[!0-9.]* | .* | *. | *.*.*)
            left_out="$left_out $1"
            return 0
            ;;
    esac
    printf '# HELP %s %s\n# TYPE %s gauge\n%s %s\n' "$1" "$3" "$1" "$1" "$2"
}

# The boot, all ticks so far, idle ticks so far. Guests are counted in user and nice already.
read_cpu() {
    boot='' cpu_before='' cpu_now=''
    { read -r boot <"$proc/sys/kernel/random/boot_id"; } 2>/dev/null
    { IFS= read -r cpu_before <"$state/cpu"; } 2>/dev/null
    cpu_now=$(awk -v boot="${boot:-unknown}" '
        $1 == "cpu" && NF >= 5 {
            for (i = 2; i <= NF && i <= 9; i++) { if ($i !~ /^[0-9]+$/) exit; all += $i }
            printf "%s %.0f %.0f", boot, all, $5 + $6
            exit
        }' "$proc/stat" 2>/dev/null)
}

# Nothing after a reboot, or where a counter went backwards.
cpu_usage() {
    printf '%s\n%s\n' "$cpu_before" "$cpu_now" | awk '
        NF == 3 && $2 ~ /^[0-9]+$/ && $3 ~ /^[0-9]+$/ { boot[NR] = $1; all[NR] = $2; idle[NR] = $3 }
        END {
            if (!(1 in boot) || !(2 in boot) || boot[1] != boot[2]) exit
            spent = all[2] - all[1]
            idled = idle[2] - idle[1]
            if (spent > 0 && idled >= 0 && idled <= spent) printf "%.4f", 1 - idled / spent
        }'
}

cpus() {
    awk '/^cpu[0-9]/ { n++ } END { if (n) print n }' "$proc/stat" 2>/dev/null
}

load1() {
    { read -r load rest <"$proc/loadavg"; } 2>/dev/null && printf '%s' "${load:-}" && : "$rest"
}

meminfo() {
    awk -v name="$1:" '$1 == name && $2 ~ /^[0-9]+$/ && $3 == "kB" { printf "%.0f", $2 * 1024; exit }' \
        "$proc/meminfo" 2>/dev/null
}

account_processes() {
    [ -z "$processes" ] || printf '%s\n' "$processes" | awk 'END { print NR }'
}

# Processes end while they are read, hence cat, which goes on.
account_memory() {
    [ -z "$processes" ] || printf '%s\n' "$processes" | sed 's,$,/status,' | xargs cat 2>/dev/null |
        awk '$1 == "VmRSS:" && $3 == "kB" { sum += $2; n++ } END { if (n) printf "%.0f", sum * 1024 }'
}

# ---- the push

# curl gets the password, and all else, by a file that only we can read. The URL is taken literally: no brackets
# that stand for several, no dots that are resolved.
write_curl_settings() {
    {
        cat <<END
url = "$(quoted "$url")"
request = "$method"
data-binary = "@$(quoted "$run/body")"
header = "Content-Type: text/plain; version=0.0.4; charset=utf-8"
header = "Expect:"
user-agent = "prometheus-push.sh/$version"
proto = "=https,http"
globoff
path-as-is
silent
show-error
connect-timeout = 5
output = "$(quoted "$run/answer")"
dump-header = "$(quoted "$run/head")"
write-out = "%{http_code} %{time_namelookup} %{time_connect} %{time_appconnect} %{local_port} %{remote_ip}"
END
        if [ -n "$user" ]; then
            cat <<END
user = "$(quoted "$user:$password")"
END
        fi
        if [ -n "$cacert" ]; then echo "cacert = \"$(quoted "$cacert")\""; fi
        if [ "$insecure" = true ]; then echo insecure; fi
    } >"$run/curl" || disk_is_full
}

quoted() {
    sed 's/[\\"]/\\&/g' <<END
$1
END
}

# The deadline counts from the start of the run, so that one run is over before the next begins.
push() {
    pause=1 tries=0
    while :; do
        tries=$((tries + 1))
        send
        [ -n "$layer" ] || return 0
        may_pass || break
        # The last try is a second before the end; whoever is asked to wait longer had better say so now.
        longest=$(($(seconds_left) - 1))
        if [ "$longest" -lt 1 ] || [ "$retry_after" -gt "$longest" ] || [ "$tries" -ge 20 ]; then break; fi
        [ "$pause" -ge "$retry_after" ] || pause=$retry_after
        [ "$pause" -le "$longest" ] || pause=$longest
        sleep "$pause"
        [ "$pause" -ge 8 ] || pause=$((pause * 2))
    done
    [ "$tries" -eq 1 ] || what="$what, at the last of $tries tries in $(($(now) - started)) s"
    return 1
}

send() {
    : >"$run/answer"
    : >"$run/head"
    patience=$(seconds_left)
    [ "$patience" -le 20 ] || patience=20
    [ "$patience" -ge 1 ] || patience=1
    told=$(curl -q -K "$run/curl" --max-time "$patience" 2>"$run/error")
    curl_exit=$?
    status='' t_name='' t_connect='' t_tls='' own_port='' address=''
    read -r status t_name t_connect t_tls own_port address <<END
$told
END
    retry_after=$(header retry-after)
    is_between 0 "$retry_after" 999999 || retry_after=0
    judge
}

header() {
    awk -v name="$1:" 'tolower($1) == name { print $2; exit }' "$run/head" | printable
}

may_pass() {
    case $curl_exit in
        7 | 28 | 35 | 52 | 55 | 56) return 0 ;;
        0) case $status in 429 | 5??) return 0 ;; esac ;;
    esac
    return 1
}

seconds_left() {
    left=$((total - ($(now) - started)))
    [ "$left" -le "$total" ] || left=$total
    echo "$left"
}

# ---- what it came to: the layer that failed, what happened there, and what mends it

judge() {
    layer='' what='' remedy='' code=0
    if [ "$curl_exit" -eq 0 ]; then judge_status; else judge_curl; fi
}

judge_status() {
    case $status in
        200) return ;;
        401) found 77 auth "$(answered)" "PUSHGATEWAY_USER or its password is wrong here" ;;
        403) found 77 rights "$(answered)" "auth.users of the gate says who may push where; kanmon explain tells" ;;
        404 | 405) found 76 path "$(answered)" "PUSHGATEWAY_URL ends in /metrics/job/NAME" ;;
        429) found 69 rate "$(answered)" "too many failed logins from here, or this user's quota is used up" ;;
        4??) found 65 validation "$(answered)" "see what is sent: prometheus-push.sh --print" ;;
        3??)
            found 76 redirect "$(answered), to $(header location)" \
                "PUSHGATEWAY_URL has a // or a / too many, or the wrong port"
            ;;
        5??) found 69 upstream "$(answered)" "the Pushgateway behind it is unwell; on its host: kanmon status" ;;
        *) found 76 answer "$(answered)" "only 200 is a push that arrived; is this a gate or a Pushgateway?" ;;
    esac
}

judge_curl() {
    said=$(sed -n '1{s/^curl: ([0-9]*) //;p;}' "$run/error" | printable)
    case $curl_exit in
        1 | 3) found 78 config "curl does not take PUSHGATEWAY_URL: $said" "correct it" ;;
        5 | 6) found 68 dns "$said" "is the name in PUSHGATEWAY_URL right, and does this host resolve others?" ;;
        7) judge_refusal ;;
        28) judge_timeout ;;
        35) judge_handshake ;;
        51 | 58 | 60 | 77 | 83 | 90 | 91) judge_certificate ;;
        52 | 55 | 56) judge_cut ;;
        *) found 69 curl "curl ended with $curl_exit: $said" "man curl lists its exit codes" ;;
    esac
}

judge_refusal() {
    case $said in
        *oute\ to\ host* | *nreachable* | *rohibited*)
            found 69 refused "$authority: $said" "a firewall on the way or on that host turns this port away" ;;
        *) found 69 refused "$authority: $said" "nobody listens there: does the gate run, is the port right?" ;;
    esac
}

judge_timeout() {
    if is_zero "$t_name"; then
        found 68 dns "no answer about the name in $authority" "does this host resolve other names?"
    # With a handshake that did not end, some versions of curl count no time for the connection.
    elif is_zero "$t_connect" && is_zero "$own_port"; then
        found 69 filtered "$authority does not answer a connection" \
            "a firewall drops it: the cloud's rules, the host's own, or this host's way out"
    elif is_zero "$t_tls" && is_https; then
        found 69 tls "$authority accepts connections, but the TLS handshake does not end" \
            "is it the gate that listens on this port?"
    else
        found 69 upstream "no answer within $patience s" \
            "the gate or the Pushgateway behind it hangs; on its host: kanmon status"
    fi
}

judge_handshake() {
    case $said in
        *alert* | *rotocol* | *cipher*)
            found 76 tls "$said" "gate and curl share no version of TLS; the gate wants 1.2 or later"
            ;;
        *wrong\ version*) found 76 tls "$said" "this port does not speak TLS: is it the gate's?" ;;
        # As OpenSSL, GnuTLS and others call it.
        *reset* | *SYSCALL* | *eof* | *EOF* | *end\ of\ file* | *terminated* | *pull\ function* | *closed*)
            found 69 allowlist "$authority hung up before TLS" \
                "is the address of this host in allow of the gate? Its log names the address it refused" ;;
        *) found 76 tls "$said" "does this port speak TLS?" ;;
    esac
}

judge_certificate() {
    case $said in
        *expired*) found 76 tls "$said" "renew it on the gate's host: kanmon cert --renew" ;;
        *ubject\ name* | *match*) found 76 tls "$said" "PUSHGATEWAY_URL has to use a name that the certificate has" ;;
        *not\ yet*) found 76 tls "$said" "is the clock of this host right?" ;;
        *) found 76 tls "$said" "PUSHGATEWAY_CACERT has to be a copy of the gate's present tls.crt" ;;
    esac
}

# A client certificate that is missing is told only after TLS 1.3's handshake.
judge_cut() {
    case $said in
        *alert*) found 76 tls "$said" "does the gate demand a client certificate?" ;;
        *)
            found 69 closed "$authority closed the connection before it answered: $said" \
                "was the gate restarted, is something between?"
            ;;
    esac
}

found() {
    code=$1 layer=$2 what=$3 remedy=$4
}

# The first line of what a gate says is for people; a page of HTML is not.
answered() {
    page=$(tr '\n' ' ' <"$run/answer" | printable | sed 's/ *$//')
    case $page in
        '' | \<*) echo "$url answered $status" ;;
        *) echo "$url answered $status: $page" ;;
    esac
}

# Nothing of what a stranger sends reaches a terminal or a mail unseen.
printable() {
    tr -d '\000-\037\177-\377' | cut -c 1-300
}

# ---- the doctor

diagnose() {
    collect
    write_curl_settings
    say ok settings "$method $url"
    [ "$insecure" = false ] || say -- settings "PUSHGATEWAY_INSECURE=true: whoever answers gets the password"
    say ok metrics "$(grep -vc '^#' "$run/body") read"
    [ -z "$left_out" ] || say -- metrics "left out, since they cannot be read:$left_out"
    case $left_out in
        *cpu_usage*) say -- metrics "xserver_cpu_usage_ratio needs an earlier run of cron since this host started" ;;
    esac
    send
    case $layer in
        config) steps='' failed=settings ;;
        dns | curl) steps='' failed=name ;;
        refused | filtered) steps='name' failed=connect ;;
        allowlist) steps='name connect' failed=allow ;;
        tls) steps='name connect' failed=tls ;;
        auth) steps='name connect tls' failed=login ;;
        rights) steps='name connect tls login' failed=rights ;;
        validation) steps='name connect tls login rights' failed=push ;;
        '') steps='name connect tls login push' failed='' ;;
        # Whether the login was looked at before, nobody tells.
        *) steps='name connect tls' failed=push ;;
    esac
    for step in $steps; do say ok "$step" "$(describe "$step")"; done
    if [ -n "$failed" ]; then
        say no "$failed" "$layer: $what"
        say '  ' '' "$remedy"
    fi
    tell_of_old_group
    exit "$code"
}

say() {
    printf '%-3s %-9s %s\n' "$1" "$2" "$3"
}

describe() {
    case $1 in
        name) echo "${authority}${address:+ is at $address}" ;;
        connect) echo "after $t_connect s" ;;
        tls)
            case $insecure$url in
                *http://*) echo "none, as PUSHGATEWAY_URL says" ;;
                true*) echo "after $t_tls s, certificate not checked" ;;
                *) echo "after $t_tls s, certificate trusted" ;;
            esac
            ;;
        login) if [ -n "$user" ]; then echo "$user"; else echo "none, and none was asked for"; fi ;;
        rights) echo "may push to this group" ;;
        push) answered ;;
    esac
}

tell_of_old_group() {
    [ -n "${PUSHGATEWAY_INSTANCE:-}" ] || return 0
    say -- group "without PUSHGATEWAY_INSTANCE the group was another, which stays until somebody deletes it:"
    line="curl -q${cacert:+ --cacert $(for_shell "$cacert")}${user:+ --user $(for_shell "$user")}"
    say '  ' '' "$line --request DELETE $(for_shell "$old_url")"
}

for_shell() {
    printf "'"
    sed "s/'/'\\\\''/g" <<END | tr -d '\n'
$1
END
    printf "'"
}

# ---- small things

now() {
    date +%s
}

is_number() {
    case $1 in '' | *[!0-9]* | ??????????????*) return 1 ;; esac
}

is_between() {
    is_number "$2" && [ "$1" -le "$2" ] && [ "$2" -le "$3" ]
}

# What curl does not know it writes as 0, 0.000000 or -1.
is_zero() {
    case $1 in -*) ;; *[1-9]*) return 1 ;; esac
}

is_https() {
    case $url in https://*) return 0 ;; esac
    return 1
}

# A file or folder of ours, or of root, that neither group nor others can do anything with.
is_private() {
    # shellcheck disable=SC2012 # Of all that tells modes and owners, only ls is everywhere.
    mode_and_owner=$(ls -ldLn "$1" 2>/dev/null | awk '{ print $1, $3 }')
    case ${mode_and_owner%% *} in ?r??--[-S]---*) ;; *) return 1 ;; esac
    [ "${mode_and_owner##* }" = "$(id -u)" ] || [ "${mode_and_owner##* }" = 0 ]
}

disk_is_full() {
    give_up 73 state "nothing can be written in $state: is the disk full?"
}

give_up() {
    printf 'prometheus-push: %s: %s\n' "$2" "$3" >&2
    exit "$1"
}

main "$@"
