#!/usr/bin/env bash
# idle.sh [SECONDS]: what the daemon costs while nothing happens: wake-ups, CPU time, memory. The host
# around it is not idle: programs start, and /etc is read.
set -eEuo pipefail
# shellcheck source=observe.sh
. "$(dirname "$0")/observe.sh"
seconds=${1:-60}

of_daemon() { cat "$(box_path "/proc/$(property "$unit" MainPID)/$1")"; }
used() { of_daemon stat | awk '{ print $14 + $15, $16 + $17 }'; }
woken() { cat "$(box_path "/proc/$(property "$unit" MainPID)/task")"/*/status | awk '/^voluntary/ { sum += $2 } END { print sum }'; }
at_rest() { local before; before=$(woken); rest 2; [ "$(woken)" = "$before" ]; }

boot_with_tree
install_in_box >/dev/null 2>&1
box systemctl enable --now --quiet "$unit"
await 30 "the daemon to be at rest" at_rest
read -r own children < <(used)
woke=$(woken)
# Every program that starts opens /etc/ld.so.cache, in a directory that is watched.
box sh -c "end=\$((\$(date +%s) + $seconds)); while [ \$(date +%s) -lt \$end ]; do cat /etc/passwd /etc/ssh/sshd_config >/dev/null; sleep 1; done"
read -r own_after children_after < <(used)
woke=$(($(woken) - woke))
own=$((own_after - own)) children=$((children_after - children))
pss=$(of_daemon smaps_rollup | awk '/^Pss:/ { print $2 }')
threads=$(of_daemon status | awk '/^Threads:/ { print $2 }')
echo "at rest for $seconds s: $woke wake-ups, $((own * 10)) ms of CPU time and $((children * 10)) ms in sshd and systemctl, PSS $pss kB, $threads threads"

# The kernel's values every 5 s, the watchdog every 30 s, the files every 60 s: one wake-up each, and the
# few that a rereading of the files takes to run sshd.
[ "$woke" -le $((seconds / 5 + seconds / 30 + 1 + (seconds / 60 + 1) * 40)) ]
if [ "${KEEPALIVE_BUILD:-release}" = debug ]; then
    # What is not optimised is several times as large and slow; that is bounded too.
    [ "$own" -le $((seconds / 5)) ]
    [ "$pss" -lt 20480 ]
else
    [ "$own" -le $((seconds / 20 + 1)) ]
    [ "$pss" -lt 4096 ]
fi
[ -z "$(box journalctl --quiet --no-pager --since="-$((seconds - 2))s" --unit="$unit")" ]
echo "passed"
