#!/usr/bin/env bash
# The scripts that push, that try a gate and that tell Discord, all against real programs; a minute and a half.
#
#   KANMON=.build/release/kanmon Tests/Push/run.sh
set -euo pipefail
here=$(dirname "$0")

status=0
"$here/push.py" || status=1
# These two hardly use the processor and do not wait for each other.
"$here/discord.py" &
discord=$!
"$here/smoke.py" || status=1
wait "$discord" || status=1
exit "$status"
