#!/usr/bin/env bash
# Runs a program on a machine that is thrown away afterwards: this one's files under an overlay in memory,
# processes, network and cgroups of its own, and systemd. Nothing of it is left on this machine.
#
#   Tests/Packaging/machine.sh PROGRAM [ARGUMENT...]
#
# It runs there as root, in the folder this is called from, which is read-only. Needs root, systemd and
# overlayfs.
set -euo pipefail

me=$(realpath "${BASH_SOURCE[0]}")
folder=
group=
reader=

main() {
    if [[ $# -eq 0 ]]; then
        echo "usage: $0 PROGRAM [ARGUMENT...]" >&2
        exit 64
    fi
    if [[ $(id -u) -ne 0 ]]; then
        echo "$0: a machine of its own needs root" >&2
        exit 77
    fi
    local status=0
    folder=$(mktemp -d)
    trap leave EXIT
    mkfifo "$folder/output"
    # Held open at both ends, so that nobody waits for anybody.
    exec 3<>"$folder/output"
    cat <&3 &
    reader=$!
    enter_group
    unshare --mount --pid --net --ipc --uts --cgroup --fork --kill-child \
        "$me" --boot "$folder" "$PWD" "$@" || status=$?
    sleep 0.2
    exit "$status"
}

# A cgroup that is the root of all that systemd makes there, so that all of it can be removed.
enter_group() {
    local hierarchy
    hierarchy=$(findmnt --noheadings --types cgroup2 --output TARGET | head -n 1)
    if [[ -n $hierarchy ]]; then
        group=$hierarchy/kanmon-machine.$$
        mkdir "$group"
        echo $$ >"$group/cgroup.procs"
    fi
}

leave() {
    [[ -z $reader ]] || kill "$reader"
    if [[ -n $group ]]; then
        echo $$ >"${group%/*}/cgroup.procs"
        # The machine's last processes may be going still.
        for _ in {1..50}; do
            if find "$group" -depth -type d -exec rmdir {} + 2>/dev/null; then break; fi
            sleep 0.1
        done
    fi
    rm -r "$folder"
}

# From here on: the first process inside. FOLDER WORKDIR PROGRAM [ARGUMENT...]
boot() {
    local exchange=$1 work=$2 base=/mnt root=/mnt/root
    shift 2
    mount --make-rprivate /
    exec 3<"$exchange"
    mount -t tmpfs tmpfs "$base"
    mkdir "$base"/{root,upper,work}
    mount -t overlay -o "lowerdir=/,upperdir=$base/upper,workdir=$base/work" overlay "$root"
    mount_kernel "$root"
    mount -t tmpfs tmpfs "$root/run"
    mkdir "$root/run/exchange"
    mount --bind "/proc/self/fd/3" "$root/run/exchange"
    mount --bind "$work" "$root$work"
    mount -o remount,bind,ro "$root$work"
    mount_devices "$root/dev"
    ip link set lo up
    write_unit "$work" "$@" >"$root/etc/systemd/system/kanmon-machine.service"
    printf '%q ' "$@" >"$root/run/command"
    cd "$root"
    mkdir -p "$root/before"
    pivot_root . before
    umount --lazy /before
    exec env --ignore-environment container=kanmon-machine PATH="$PATH" /lib/systemd/systemd \
        --system --unit=kanmon-machine.service --log-level=warning --show-status=no \
        </dev/null >/run/exchange/output 2>&1
}

# The kernel is this machine's: its settings are looked at only, so that systemd leaves them alone.
mount_kernel() {
    mount -t proc proc "$1/proc"
    mount --bind "$1/proc/sys" "$1/proc/sys"
    mount -o remount,bind,ro "$1/proc/sys"
    mount -t sysfs -o ro sysfs "$1/sys"
    mount -t cgroup2 cgroup2 "$1/sys/fs/cgroup"
}

mount_devices() {
    mount -t tmpfs -o mode=0755 tmpfs "$1"
    mkdir "$1/pts" "$1/shm"
    mount -t devpts -o newinstance,ptmxmode=0666 devpts "$1/pts"
    mount -t tmpfs -o mode=1777 tmpfs "$1/shm"
    ln -s pts/ptmx "$1/ptmx"
    ln -s /proc/self/fd "$1/fd"
    local device name minor
    for device in null:3 zero:5 full:7 random:8 urandom:9; do
        name=${device%:*} minor=${device#*:}
        mknod -m 0666 "$1/$name" c 1 "$minor"
    done
}

write_unit() {
    cat <<END
[Unit]
SuccessAction=exit-force
FailureAction=exit-force
[Service]
Type=oneshot
WorkingDirectory=$1
TimeoutStartSec=300
ExecStart=/bin/bash -c 'eval "\$(cat /run/command)" >/run/exchange/output 2>&1'
END
}

if [[ ${1-} == --boot ]]; then
    shift
    boot "$@"
else
    main "$@"
fi
