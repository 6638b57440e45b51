#!/usr/bin/env bash
# live.sh: the kernel's values are overwritten in every way there is. Each drift is undone, by an event or
# at the next rereading; nothing is lost, and a flood of writes neither loops nor keeps the daemon busy.
set -eEuo pipefail
# shellcheck source=observe.sh
. "$(dirname "$0")/observe.sh"
trap 'echo "failed at line $LINENO: $BASH_COMMAND" >&2; box journalctl --quiet --no-pager -n 30 -u $unit >&2' ERR

time=net.ipv4.tcp_keepalive_time
intvl=net.ipv4.tcp_keepalive_intvl
file=/proc/sys/net/ipv4/tcp_keepalive_time

# A bare `!` would not end the script.
fails() { ! "$@"; }

as_declared() { live_is $time "$(declared $time)" && live_is $intvl "$(declared $intvl)"; }

# undone TRIGGER SETTING…: all is as declared again, and the journal says what found it, once for each.
undone() {
    local trigger=$1 setting
    shift
    await 10 "the declared values" as_declared
    for setting in "$@"; do
        await 5 "a line on $setting by $trigger" told \
            KEEPALIVE_EVENT=corrected KEEPALIVE_SETTING="$setting" KEEPALIVE_TRIGGER="$trigger"
    done
    [ "$(journal KEEPALIVE_EVENT=corrected | wc -l)" = $# ]
}

# The daemon's system calls that wrote something, and its time on a CPU in ns.
writes() { box awk '$1 == "syscw:" { print $2 }' "/proc/$pid/io"; }
cpu() { box awk '{ print $1 }' "/proc/$pid/schedstat"; }

boot_with_tree
install_in_box >/dev/null 2>&1
box systemctl enable --now --quiet "$unit"
pid=$(property "$unit" MainPID)
as_declared

echo "sysctl -w"
mark_journal
box sysctl -qw $time=7200
undone inotify $time

echo "another procfs mount, and a PID namespace with one of its own: no event, found by rereading"
mark_journal
box unshare --mount sh -ec "mount -t proc proc /mnt; echo 7200 >/mnt${file#/proc}"
box unshare --pid --fork --mount-proc sysctl -qw $intvl=7
undone resync $time $intvl

echo "a PID namespace that has the host's procfs"
mark_journal
box unshare --pid --fork sysctl -qw $time=7200
undone inotify $time

echo "after the caches were dropped"
# The machine's own: in the box the setting is read-only. It costs nothing but time.
for _ in 1 2 3; do
    echo 2 >/proc/sys/vm/drop_caches
    mark_journal
    box sysctl -qw $time=7200
    undone inotify $time
done

echo "a write that the kernel refuses, and the same value again: nothing to undo"
mark_journal
fails box sh -c "echo abc >$file" 2>/dev/null
box sysctl -qw $time="$(declared $time)"
box sysctl -qw $intvl=7
undone inotify $intvl

echo "10,000 writes in a burst"
mark_journal
writes=$(writes) cpu=$(cpu)
began=$EPOCHREALTIME
box bash -c "for ((i = 1; i <= 10000; i++)); do echo \$((i % 2 ? 30 : 7200)) >$file; done"
ended=$EPOCHREALTIME
await 10 "the declared values" as_declared
calmed=$EPOCHREALTIME
writes=$(($(writes) - writes)) cpu=$((($(cpu) - cpu) / 1000000))
awk -v began="$began" -v ended="$ended" -v calmed="$calmed" -v writes="$writes" -v cpu="$cpu" 'BEGIN {
    printf "%.1f s of writing, right %.2f s later; the daemon wrote %d times and ran for %d ms\n",
        ended - began, calmed - ended, writes, cpu }'
# One thread of the daemon waking another is a write, too.
[ "$writes" -lt 1000 ]
[ "$cpu" -lt 1000 ]
# A write of ours that is written over before it is read back is told of too, as what it is.
await 10 "the quarrel to be told" told KEEPALIVE_EVENT=contested
echo "passed"
