#!/usr/bin/env bash
# Installs what `make static` has built, with everything that belongs to it.
#
#   PREFIX    /usr/local  where programs and manuals go
#   DESTDIR               a root to install into instead of this machine's, for packages
#
# A configuration that is there is never touched. Nothing is started; the end says what to do next.
set -euo pipefail
cd "$(dirname "$0")/../.."

prefix=${PREFIX:-/usr/local}
root=${DESTDIR-}
program=${KANMON_PROGRAM:-.build-static/release/kanmon}
ops=$program-ops
# Where zsh and fish look differs between what a package brings and what an administrator installs.
zsh=$prefix/share/zsh/site-functions
fish=$prefix/share/fish/vendor_completions.d
[[ $prefix == /usr ]] && zsh=/usr/share/zsh/vendor-completions

main() {
    if [[ ! -x $program || ! -x $ops ]]; then
        echo "$program or $ops is not there: run  make static  first, as the user who builds." >&2
        exit 66
    fi
    put 0755 "$program" "$prefix/bin/kanmon"
    put 0755 "$ops" "$prefix/bin/kanmon-ops"
    put 0755 deploy/push/prometheus-push.sh "$prefix/lib/kanmon/prometheus-push.sh"
    put_manuals
    put_completions
    put_units
    put_examples
    put_configuration
    [[ -n $root ]] || show_next_steps
}

# put MODE FILE PATH
put() {
    install -D -m "$1" "$2" "$root$3"
}

# put_text MODE PATH: from standard input, and by rename, so that nobody finds half of it.
put_text() {
    install -d -m 0755 "$root${2%/*}"
    local new
    new=$(mktemp "$root$2.XXXXXX")
    cat >"$new"
    chmod "$1" "$new"
    mv "$new" "$root$2"
}

put_manuals() {
    local man=$prefix/share/man name
    for name in kanmon kanmon-ops; do
        "${program%kanmon}$name" --experimental-dump-help | python3 deploy/package/manual.py "$name.1" |
            gzip -9n | put_text 0644 "$man/man1/$name.1.gz"
    done
    python3 deploy/package/manual.py kanmon.yml.5 <deploy/kanmon.sample.yml |
        gzip -9n | put_text 0644 "$man/man5/kanmon.yml.5.gz"
}

put_completions() {
    local name from
    for name in kanmon kanmon-ops; do
        from=${program%kanmon}$name
        "$from" --generate-completion-script bash |
            put_text 0644 "$prefix/share/bash-completion/completions/$name"
        "$from" --generate-completion-script zsh | put_text 0644 "$zsh/_$name"
        "$from" --generate-completion-script fish | put_text 0644 "$fish/$name.fish"
    done
}

# The units name the program where it is.
put_units() {
    sed "s|/usr/bin/kanmon|$prefix/bin/kanmon|; s|^ExecPaths=/usr/bin|ExecPaths=$(exec_paths)|" \
        deploy/systemd/kanmon.service | put_text 0644 "$prefix/lib/systemd/system/kanmon.service"
    put 0644 deploy/systemd/kanmon.socket "$prefix/lib/systemd/system/kanmon.socket"
    put 0644 deploy/systemd/kanmon.sysusers "$prefix/lib/sysusers.d/kanmon.conf"
    put 0644 deploy/systemd/kanmon.tmpfiles "$prefix/lib/tmpfiles.d/kanmon.conf"
    sed "s|/usr/bin/kanmon-ops|$prefix/bin/kanmon-ops|" deploy/watchdog/kanmon-watch.service |
        put_text 0644 "$prefix/lib/systemd/system/kanmon-watch.service"
    put 0644 deploy/watchdog/kanmon-watch.timer "$prefix/lib/systemd/system/kanmon-watch.timer"
    put 0644 deploy/watchdog/kanmon-watch.path "$prefix/lib/systemd/system/kanmon-watch.path"
    put 0644 deploy/watchdog/kanmon-watch.sysusers "$prefix/lib/sysusers.d/kanmon-watch.conf"
    put 0644 deploy/watchdog/kanmon-watch.tmpfiles "$prefix/lib/tmpfiles.d/kanmon-watch.conf"
}

# A reload runs /bin/kill, wherever the gate itself is.
exec_paths() {
    if [[ $prefix == /usr ]]; then echo /usr/bin; else echo "$prefix/bin /usr/bin"; fi
}

put_examples() {
    local file
    for file in deploy/kanmon.sample.yml deploy/systemd/examples/*.conf; do
        put 0644 "$file" "$prefix/share/doc/kanmon/examples/${file##*/}"
    done
    sed "s|/usr/lib/kanmon/|$prefix/lib/kanmon/|" deploy/watchdog/watch.yml |
        put_text 0644 "$prefix/share/doc/kanmon/examples/watch.yml"
    put 0644 deploy/watchdog/examples/gateway.yml "$prefix/share/doc/kanmon/examples/gateway.yml"
    put 0644 deploy/README.md "$prefix/share/doc/kanmon/README.md"
    put 0644 deploy/README.ja.md "$prefix/share/doc/kanmon/README.ja.md"
    put 0644 deploy/RUNBOOK.md "$prefix/share/doc/kanmon/RUNBOOK.md"
    put 0644 deploy/RUNBOOK.ja.md "$prefix/share/doc/kanmon/RUNBOOK.ja.md"
}

# Folders for keys and passwords are root's alone until systemd-tmpfiles gives the gate its share.
put_configuration() {
    local folder
    for folder in /etc/kanmon /etc/kanmon/tls /etc/kanmon/auth; do
        [[ -d $root$folder ]] || install -d -m 0750 "$root$folder"
    done
    if [[ -e $root/etc/kanmon/kanmon.yml ]]; then
        echo "/etc/kanmon/kanmon.yml is there already and stays as it is."
    else
        put 0640 deploy/systemd/kanmon.yml /etc/kanmon/kanmon.yml
    fi
}

show_next_steps() {
    cat <<END
Installed $prefix/bin/kanmon. Next, as root:

  systemd-sysusers && systemd-tmpfiles --create kanmon.conf && systemctl daemon-reload

and then as for the first start in $prefix/share/doc/kanmon/README.md.
END
}

main
