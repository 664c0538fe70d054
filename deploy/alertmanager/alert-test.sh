#!/usr/bin/env bash
# Sends one alert through Alertmanager to whoever is told of alerts, waits until it was delivered, ends it, and waits for
# the message of the recovery. Ends with 0 when both were delivered; otherwise says what did not work.
#
#   ALERTMANAGER_URL            http://127.0.0.1:9093
#   ALERT_TEST_WAIT_SECONDS     30, for each of the two
set -euo pipefail

alertmanager=${ALERTMANAGER_URL:-http://127.0.0.1:9093}
wait_seconds=${ALERT_TEST_WAIT_SECONDS:-30}
began=$(date -u +%Y-%m-%dT%H:%M:%SZ)

main() {
    need_alertmanager
    local sent failed
    sent=$(delivered) failed=$(given_up)
    send "$(date -u -d '+5 minutes' +%Y-%m-%dT%H:%M:%SZ)"
    await $((sent + 1)) "$failed" "the alert"
    send "$(date -u +%Y-%m-%dT%H:%M:%SZ)"
    await $((sent + 2)) "$failed" "its end"
    echo "Delivered: KanmonAlertTest as firing and as resolved. Look whether the channel shows both."
}

need_alertmanager() {
    ask --output /dev/null "$alertmanager/-/ready" && return
    echo "No Alertmanager answers at $alertmanager: systemctl status prometheus-alertmanager" >&2
    exit 69
}

ask() { curl -q --silent --fail --max-time 10 "$@"; }

# send ENDS_AT
send() {
    ask --output /dev/null --header 'Content-Type: application/json' --data-binary @- "$alertmanager/api/v2/alerts" <<END
[{"labels": {"alertname": "KanmonAlertTest", "severity": "info", "host": "$(hostname)"},
  "startsAt": "$began", "endsAt": "$1",
  "annotations": {"summary": "This is a test of the alerts. Nothing is wrong.",
                  "summary_ja": "これはアラートのテストです。異常はありません。"}}]
END
}

# Requests that were answered well, by all ways together. alertmanager_notifications_total would count a message that is
# only being tried.
delivered() { count alertmanager_notification_requests_total alertmanager_notification_requests_failed_total; }
given_up() { count alertmanager_notifications_failed_total; }

# count METRIC [METRIC TO TAKE AWAY]
count() {
    ask "$alertmanager/metrics" | awk -v plus="^$1[{]" -v minus="^${2:-$1-}[{]" \
        '$1 ~ plus { sum += $2 } $1 ~ minus { sum -= $2 } END { print sum + 0 }'
}

# await SENT FAILED WHAT
await() {
    local end=$((SECONDS + wait_seconds))
    while ((SECONDS < end)); do
        (($(delivered) >= $1)) && return
        if (($(given_up) > $2)); then
            echo "Alertmanager could not deliver $3: journalctl -u prometheus-alertmanager says why." >&2
            exit 1
        fi
        sleep 0.3
    done
    echo "Alertmanager has not delivered $3 within $wait_seconds s. Is it silenced? amtool silence query" >&2
    exit 1
}

main
