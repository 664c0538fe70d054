#!/bin/sh
# Whether Redis answers who knows the password; arguments go to redis-cli.
set -eu
REDISCLI_AUTH=$(cat "${REDIS_PASSWORD_FILE:-/run/secrets/redis_password}")
export REDISCLI_AUTH
[ "$(redis-cli "$@" ping)" = PONG ]
