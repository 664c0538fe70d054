# shellcheck shell=bash
# What a test on a machine of its own is made of; to be sourced. units: whose journal is shown where one is not so.
work=$(mktemp -d)
count=0

# holds SENTENCE COMMAND...: the command has to succeed.
holds() {
    local sentence=$1 status=0 unit
    shift
    "$@" >"$work/now" 2>&1 || status=$?
    if [[ $status -ne 0 ]]; then
        {
            echo "NOT SO: $sentence"
            echo "  $* ended with $status, and said:"
            sed 's/^/  /' "$work/now"
            # shellcheck disable=SC2154 # Whoever sources this sets it.
            for unit in "${units[@]}"; do journalctl --no-pager --unit "$unit" | tail -n 30; done
        } >&2
        exit 1
    fi
    # What a sentence about the last command's words looks at.
    [[ $1 == says ]] || mv "$work/now" "$work/said"
    count=$((count + 1))
    echo "ok: $sentence"
}

fails() { ! "$@"; }
says() { grep -qF -- "$1" "$work/said"; }
has_mode() { [[ $(stat -c '%a %U:%G' "$2") == "$1" ]]; }

eventually() {
    local end=$((SECONDS + 30))
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < end)) || return 1
        sleep 0.1
    done
}
