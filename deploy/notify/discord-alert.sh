#!/bin/sh
# Posts one message to a Discord channel by its webhook. A POSIX shell with its usual programs, and curl.
#
#   discord-alert.sh TEXT...       the words as one message
#   some-program | discord-alert.sh
#
# Settings are variables of the environment:
#   DISCORD_ALERT_WEBHOOK_URL       the webhook, which is a secret: who has it can post; or
#   DISCORD_ALERT_WEBHOOK_URL_FILE  a file with mode 0600 whose first line it is
#   DISCORD_ALERT_SECONDS           30: when to give up, at most 300
#
# A text beyond the 2000 characters that Discord takes is cut. Nobody is mentioned, whatever the text says. What
# may pass is tried again: no connection, 5xx, and 429 after the time that Discord asks for. When an answer is
# lost, a message can so come twice, which is better than never.
#
# Exit: 0 posted, 64 usage or no text, 65 Discord does not take it, 69 it did not pass in time, 77 the webhook is
# not there any more, 78 settings.
set -u
umask 077
LC_ALL=C
export LC_ALL

work=''

main() {
    started=$(date +%s)
    case ${1:-} in
        --help)
            sed -n '2,/^set /s/^# \{0,1\}//p' "$0"
            exit 0
            ;;
        --) shift ;;
        -*) give_up 64 "unknown option $1; --help tells what there is" ;;
    esac
    read_settings
    make_folder
    if [ $# -gt 0 ]; then printf '%s' "$*"; else cat; fi | write_message >"$work/body"
    [ -s "$work/body" ] || give_up 64 "there is no text to post"
    post
}

read_settings() {
    webhook=${DISCORD_ALERT_WEBHOOK_URL:-}
    # From here on no program that is started has it in its environment.
    unset DISCORD_ALERT_WEBHOOK_URL
    file=${DISCORD_ALERT_WEBHOOK_URL_FILE:-}
    if [ -z "$webhook" ] && [ -n "$file" ]; then
        is_private "$file" ||
            give_up 78 "DISCORD_ALERT_WEBHOOK_URL_FILE has to be there, yours and closed to others: chmod 600 $file"
        IFS= read -r webhook <"$file"
        webhook=${webhook%"$(printf '\r')"}
    fi
    case $webhook in
        '') give_up 78 "neither DISCORD_ALERT_WEBHOOK_URL nor DISCORD_ALERT_WEBHOOK_URL_FILE names a webhook" ;;
        *[[:cntrl:][:space:]\"\\]*) give_up 78 "the webhook is not a URL" ;;
        https://?* | http://127.0.0.1:* | http://localhost:*) ;;
        *) give_up 78 "the webhook begins with https://" ;;
    esac
    total=${DISCORD_ALERT_SECONDS:-30}
    case $total in
        '' | *[!0-9]* | ????*) total=0 ;;
    esac
    if [ "$total" -lt 1 ] || [ "$total" -gt 300 ]; then give_up 78 "DISCORD_ALERT_SECONDS is 1 to 300"; fi
}

make_folder() {
    trap '[ -z "$work" ] || rm -rf "$work"' EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
    folder=${TMPDIR:-/tmp}/discord-alert.$$.$started
    # mkdir fails where somebody has put something there before us.
    mkdir "$folder" 2>/dev/null || give_up 69 "$folder cannot be made"
    work=$folder
}

# JSON in ASCII, character by character, so that neither quotes nor broken UTF-8 reach Discord. The 2000 are counted
# as UTF-16 counts, which never makes them fewer.
write_message() {
    od -A n -v -t u1 | awk -v limit=2000 '
        function put(code) {
            if (code > 65535) {
                code -= 65536
                piece[++count] = sprintf("\\u%04x\\u%04x", 55296 + int(code / 1024), 56320 + code % 1024)
                units[count] = 2
                return
            }
            if (code == 34 || code == 92) piece[++count] = "\\" sprintf("%c", code)
            else if (code >= 32 && code < 127) piece[++count] = sprintf("%c", code)
            else piece[++count] = sprintf("\\u%04x", code)
            units[count] = 1
        }
        function byte(b) {
            if (wanted > 0 && b >= 128 && b < 192) {
                code = code * 64 + b - 128
                if (--wanted > 0) return
                if (code < least || code > 1114111 || (code >= 55296 && code < 57344)) code = 65533
                put(code)
                return
            }
            if (wanted > 0) { wanted = 0; put(65533) }
            if (b < 128) put(b)
            else if (b >= 194 && b < 224) { code = b - 192; wanted = 1; least = 128 }
            else if (b >= 224 && b < 240) { code = b - 224; wanted = 2; least = 2048 }
            else if (b >= 240 && b < 245) { code = b - 240; wanted = 3; least = 65536 }
            else put(65533)
        }
        { for (i = 1; i <= NF; i++) byte($i + 0) }
        END {
            if (wanted > 0) put(65533)
            while (count > 0 && units[count] == 1 && piece[count] ~ /^( |\\u000[9ad])$/) count--
            if (count == 0) exit
            for (i = 1; i <= count; i++) all += units[i]
            if (all > limit) {
                for (all = 1; all + units[kept + 1] <= limit; ) all += units[++kept]
                count = kept
                piece[++count] = "\\u2026"
            }
            printf "{\"content\":\""
            for (i = 1; i <= count; i++) printf "%s", piece[i]
            print "\",\"allowed_mentions\":{\"parse\":[]}}"
        }'
}

post() {
    pause=1
    while :; do
        send
        case $status in
            200 | 204) return ;;
            401 | 403 | 404) give_up 77 "Discord answered $status, the webhook is gone, make a new one" ;;
            429 | 5??) ;;
            000)
                case $curl_exit in
                    5 | 6 | 7 | 28 | 35 | 52 | 55 | 56) ;;
                    *) give_up 69 "$(reason)" ;;
                esac
                ;;
            *) give_up 65 "Discord answered $status: $(tr -cd '[:print:]' <"$work/answer" | cut -c 1-200)" ;;
        esac
        [ "$wait" -gt "$pause" ] || wait=$pause
        if [ "$wait" -ge "$(seconds_left)" ]; then give_up 69 "$(reason), and there is no time left to try again"; fi
        sleep "$wait"
        pause=$((pause * 2))
    done
}

# The webhook reaches curl by a pipe, and what curl says about it nobody.
send() {
    patience=$(seconds_left)
    [ "$patience" -le 10 ] || patience=10
    [ "$patience" -ge 1 ] || patience=1
    : >"$work/answer"
    status=$(
        curl -q --silent --max-time "$patience" --proto '=https,http' --config - \
            --header 'Content-Type: application/json' --data-binary "@$work/body" \
            --output "$work/answer" --write-out '%{http_code}' 2>/dev/null <<END
url = "$webhook"
globoff
END
    )
    curl_exit=$?
    [ "$curl_exit" -eq 0 ] || status=000
    wait=0
    [ "$status" != 429 ] || wait=$(retry_after)
}

# In seconds, with a fraction, rounded up; none and nonsense are 1.
retry_after() {
    tr -d '\n' <"$work/answer" | sed -n 's/.*"retry_after"[^0-9]*\([0-9][0-9.]*\).*/\1/p' |
        awk '{ s = $1 } END { n = int(s); if (n < s || n < 1) n++; print n < 99999 ? n : 99999 }'
}

reason() {
    case $status$curl_exit in
        4290) echo "Discord asks to wait $wait s (429)" ;;
        0006) echo "the webhook's host has no address (DNS)" ;;
        0007) echo "the webhook's host refuses the connection" ;;
        00028) echo "no answer within $patience s" ;;
        00035 | 00060) echo "TLS with the webhook's host failed (curl $curl_exit)" ;;
        000*) echo "the connection failed (curl $curl_exit)" ;;
        *) echo "Discord answered $status" ;;
    esac
}

seconds_left() {
    left=$((total - ($(date +%s) - started)))
    [ "$left" -le "$total" ] || left=$total
    echo "$left"
}

# A file of ours, or of root, that neither group nor others can do anything with.
is_private() {
    # shellcheck disable=SC2012 # Of all that tells modes and owners, only ls is everywhere.
    mode_and_owner=$(ls -ldLn "$1" 2>/dev/null | awk '{ print $1, $3 }')
    case ${mode_and_owner%% *} in -r??------*) ;; *) return 1 ;; esac
    [ "${mode_and_owner##* }" = "$(id -u)" ] || [ "${mode_and_owner##* }" = 0 ]
}

give_up() {
    printf 'discord-alert: %s\n' "$2" >&2
    exit "$1"
}

main "$@"
