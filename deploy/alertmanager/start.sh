#!/bin/sh
# Writes the address of the Discord webhook into Alertmanager's configuration, then becomes Alertmanager.
#
#   start.sh [ARGUMENT OF ALERTMANAGER...]
#   start.sh --render      writes and checks the configuration only
#
#   DISCORD_ALERT_WEBHOOK_URL_FILE  a file with the address  /run/secrets/discord_alert_webhook_url
#   DISCORD_ALERT_WEBHOOK_URL       the address itself, where there is no such file
#   ALERTMANAGER_TEMPLATE           what is rendered         alertmanager.yml beside this script
#   ALERTMANAGER_RENDERED           what is written, 0600    /run/kanmon-alertmanager/alertmanager.yml
#   ALERTMANAGER                    the program              prometheus-alertmanager, else alertmanager
#
# Ends with 78 when something is missing or wrong. The address is a secret: who has it can write to the channel. It is
# never an argument of a program, and never printed.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
url_file=${DISCORD_ALERT_WEBHOOK_URL_FILE:-/run/secrets/discord_alert_webhook_url}
template=${ALERTMANAGER_TEMPLATE:-$here/alertmanager.yml}
rendered=${ALERTMANAGER_RENDERED:-/run/kanmon-alertmanager/alertmanager.yml}
mark=@DISCORD_ALERT_WEBHOOK_URL@

main() {
    url=$(read_url)
    check_url
    render
    check_rendered
    [ "${1-}" = --render ] && return
    # Its environment shows in /proc to whoever runs as the same user.
    unset DISCORD_ALERT_WEBHOOK_URL url
    exec "$(program)" --config.file="$rendered" "$@"
}

refuse() {
    echo "start.sh: $1" >&2
    exit 78
}

# Carriage returns and blanks come from editors and from copying.
read_url() {
    if [ -e "$url_file" ]; then
        [ -r "$url_file" ] || refuse "$url_file cannot be read by $(id -un): chown it to this user, mode 0400"
        case $url_file:$(ls -lL "$url_file") in
            # In a container nobody else is there, and its secrets often have mode 0444.
            /run/secrets/*) ;;
            *:???????r* | *:????????w*) refuse "$url_file is open to everybody: chmod 0400 $url_file" ;;
        esac
        tr -d ' \t\r\n' <"$url_file"
    elif [ -n "${DISCORD_ALERT_WEBHOOK_URL-}" ]; then
        printf %s "$DISCORD_ALERT_WEBHOOK_URL"
    else
        refuse "there is no $url_file: write the address of the Discord webhook into it, mode 0400"
    fi
}

# In YAML it stands between single quotes.
check_url() {
    case $url in
        *[\'\"\\\<\>]* | *[![:print:]]*) refuse "the address in $url_file has a character that none has" ;;
        https://?*/?* | http://127.0.0.1:* | http://localhost:*) ;;
        *) refuse "the address in $url_file is not one of a webhook: https://discord.com/api/webhooks/..." ;;
    esac
}

render() {
    [ -r "$template" ] || refuse "$template cannot be read"
    mkdir -p "$(dirname "$rendered")"
    folder=$(cd "$(dirname "$template")" && pwd)
    (
        umask 077
        rm -f "$rendered.new"
        # The shell writes by itself: whatever another program is given shows in ps.
        while IFS= read -r line || [ -n "$line" ]; do
            case $line in
                \#* | *" # "*) ;;
                *"$mark"*) line=${line%%"$mark"*}$url${line#*"$mark"} ;;
                *"- templates/"*) line=${line%%templates/*}$folder/templates/${line#*templates/} ;;
            esac
            printf '%s\n' "$line"
        done <"$template" >"$rendered.new"
    )
    mv -f "$rendered.new" "$rendered"
}

# amtool says what is wrong without saying the address.
check_rendered() {
    command -v amtool >/dev/null || return 0
    said=$(amtool check-config "$rendered" 2>&1) || refuse "$(printf '%s' "$said" | without_address)"
}

without_address() {
    while IFS= read -r line || [ -n "$line" ]; do
        case $line in *"$url"*) line="${line%%"$url"*}<address>${line#*"$url"}" ;; esac
        printf '%s\n' "$line"
    done
}

program() {
    if [ -n "${ALERTMANAGER-}" ]; then
        echo "$ALERTMANAGER"
    else
        command -v prometheus-alertmanager || command -v alertmanager ||
            refuse "there is no Alertmanager: apt-get install prometheus-alertmanager"
    fi
}

main "$@"
