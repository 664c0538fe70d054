#!/bin/sh
# Writes the password into a configuration in memory, then becomes Redis. An argument would show in ps.
#
#   REDIS_PASSWORD_FILE  /run/secrets/redis_password
#   REDIS_FOLDER         /run/redis
set -eu

password_file=${REDIS_PASSWORD_FILE:-/run/secrets/redis_password}
folder=${REDIS_FOLDER:-/run/redis}

main() {
    password=$(cat "$password_file") || refuse "$password_file cannot be read by user $(id -u)"
    case $password in
        '') refuse "$password_file is empty" ;;
        *[!A-Za-z0-9._~-]*) refuse "$password_file may hold letters, digits and . _ ~ - only: openssl rand -hex 32" ;;
    esac
    umask 077
    # What a leader is, is only true now: nothing is kept on disk, and nothing thrown away for room.
    printf '%s\n' "requirepass $password" 'save ""' 'appendonly no' "dir $folder" \
        'maxmemory 64mb' 'maxmemory-policy noeviction' >"$folder/redis.conf"
    exec redis-server "$folder/redis.conf" "$@"
}

refuse() {
    echo "redis: $1" >&2
    exit 78
}

main "$@"
