#!/usr/bin/env bash
# Pushes a real metric through a running gate, reads it back from the Pushgateway, and takes it out
# again. Ends with 0 when all of that worked; otherwise says which step did not.
#
# Where, if not what `make run` serves:
#   KANMON_URL            https://localhost:9443
#   KANMON_CACERT         tls/tls.crt
#   KANMON_USER           prom
#   KANMON_PASSWORD_FILE  auth/password
#   PUSHGATEWAY_URL       http://127.0.0.1:9091
set -euo pipefail
cd "$(dirname "$0")/../.."

gate=${KANMON_URL:-https://localhost:9443}
authority=${KANMON_CACERT:-tls/tls.crt}
user=${KANMON_USER:-prom}
password_file=${KANMON_PASSWORD_FILE:-auth/password}
pushgateway=${PUSHGATEWAY_URL:-http://127.0.0.1:9091}
group=/metrics/job/kanmon_smoke/run/$$

main() {
    local file
    for file in "$password_file" "$authority"; do
        [[ -r $file ]] || fail "$file cannot be read; make run makes it"
    done
    local value=$((RANDOM * 32768 + RANDOM)) answer

    step "health" ask "$gate/-/healthy"
    step "push" ask_as_user --data-binary @<(echo "kanmon_smoke $value") "$gate$group"
    [[ $answer == "accepted 1 samples in 1 families" ]] || fail "push failed: the answer is \"$answer\""
    step "read back" ask "$pushgateway/metrics"
    shows "$value" || fail "read back failed: the Pushgateway at $pushgateway has no such metric; is it this gate's?"
    step "delete" ask_as_user --request DELETE "$gate$group"
    step "read back" ask "$pushgateway/metrics"
    ! shows "$value" || fail "delete failed: the group is still there"
    echo "smoke: pushed, stored, read back and deleted through $gate"
}

# step NAME COMMAND...: leaves the output in `answer`.
step() {
    local name=$1
    shift
    answer=$("$@" 2>&1) || fail "$name failed: $answer"
}

ask() {
    curl -q --silent --show-error --fail-with-body --max-time 10 --cacert "$authority" "$@"
}

# The password goes to curl through a pipe, so that it never shows in a list of processes.
ask_as_user() {
    ask --config <(printf 'user = "%s:%s"\n' "$user" "$(escaped_password)") "$@"
}

# As curl's configuration wants it between quotes.
escaped_password() {
    sed 's/[\\"]/\\&/g' "$password_file"
}

shows() {
    awk -v value="$1" '/^kanmon_smoke\{/ && $NF + 0 == value { found = 1 } END { exit !found }' \
        <<<"$answer"
}

fail() {
    echo "smoke: $1" >&2
    exit 1
}

main
