#!/usr/bin/env bash
# environment.sh: unit overrides that leave the daemon deaf, powerless, or busy with values that nobody
# uses. It refuses to run instead of reporting success, is not restarted, and names the directive.
set -eEuo pipefail
# shellcheck source=observe.sh
. "$(dirname "$0")/observe.sh"
trap 'echo "failed at line $LINENO: $BASH_COMMAND" >&2; box journalctl --quiet --no-pager -n 30 -u $unit >&2' ERR

drop_in=/run/systemd/system/$unit.d/override.conf

# A bare `!` would not end the script.
fails() { ! "$@"; }

override() {
    box systemctl stop "$unit"
    box mkdir -p "${drop_in%/*}"
    printf '[Service]\n%s\n' "$@" >"$(box_path "${drop_in%/*}")/override.conf"
    box systemctl daemon-reload
    box systemctl reset-failed "$unit" 2>/dev/null || true
    mark_journal
}

# refused DIRECTIVE [LINE…]: with these lines in a drop-in the daemon does not run and says why.
refused() {
    local directive=$1
    shift
    echo "$*"
    override "$@"
    fails box systemctl start "$unit" 2>/dev/null
    [ "$(property "$unit" ActiveState)" = failed ]
    [ "$(property "$unit" ExecMainStatus)" = 78 ]
    [ "$(property "$unit" NRestarts)" = 0 ]
    await 5 "the journal to name $directive" told KEEPALIVE_EVENT=refused PRIORITY=3
    journal KEEPALIVE_EVENT=refused | grep -qF -- "$directive"
    live_is net.ipv4.tcp_keepalive_time 7200
}

boot_with_tree
install_in_box >/dev/null 2>&1

refused PrivateNetwork= PrivateNetwork=yes
refused ProtectKernelTunables= ProtectKernelTunables=yes
refused ProtectProc= ProtectProc=invisible
refused ProcSubset=pid ProcSubset=pid
refused ReadWritePaths=/proc/sys/net/ipv4 ReadWritePaths= ReadWritePaths='/etc /run'
refused User= User=nobody

echo "what is harmless where [sysctl] declares nothing"
override ProtectKernelTunables=yes
cp "$(box_path $policy)" "$box_run/policy"
sed -i '/^net\./d' "$(box_path $policy)"
box systemctl start "$unit"
echo "...until it does"
cat "$box_run/policy" >"$(box_path $policy)"
await 10 "the new policy to be refused" told KEEPALIVE_EVENT=policy PRIORITY=3
journal KEEPALIVE_EVENT=policy PRIORITY=3 | grep -qF ProtectKernelTunables=
[ "$(property "$unit" ActiveState)" = active ]

echo "without overrides"
override
box systemctl start "$unit"
live_is net.ipv4.tcp_keepalive_time "$(declared net.ipv4.tcp_keepalive_time)"
fails told KEEPALIVE_EVENT=refused
fails told KEEPALIVE_EVENT=notice
echo "passed"
