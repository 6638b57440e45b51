#!/usr/bin/env bash
# lifecycle.sh: from `make install` to `make uninstall` on a real host. Every drift is undone, nothing
# is locked out, and at the end the host is as it was, byte for byte.
set -eEuo pipefail
# shellcheck source=observe.sh
. "$(dirname "$0")/observe.sh"
# shellcheck source=session.sh
. "$(dirname "$0")/session.sh"
kept=$(mktemp -d)
trap 'box_stop; rm -rf "$kept"' EXIT
trap 'explain "$LINENO" "$BASH_COMMAND"' ERR

explain() {
    printf '\nfailed at line %s: %s\n\nthe journal of %s:\n' "$1" "$2" "$unit"
    box journalctl --no-pager --quiet --lines=40 --unit=$unit || true
    tail -n 20 "$box_run/console"
} >&2

step() { printf '%s\n' "$*"; }

sysctl_settings=(net.ipv4.tcp_keepalive_time net.ipv4.tcp_keepalive_intvl net.ipv4.tcp_keepalive_probes)
sshd_settings=(ClientAliveInterval ClientAliveCountMax)

in_force() {
    local setting
    for setting in "${sysctl_settings[@]}"; do
        live_is "$setting" "$(declared "$setting")" || return
        boot_sets "$setting" "$(declared "$setting")" || return
    done
    for setting in "${sshd_settings[@]}"; do
        sshd_gives root "$setting" "$(declared "$setting")" || return
        sshd_gives bob "$setting" "$(declared "$setting")" || return
    done
    sshd_gives root TCPKeepAlive yes
}

# After a drift: everything is in force again, sshd is the same process, and the journal says so.
undone() {
    await 20 "$1 to be undone" in_force
    shift
    await 10 "the journal to tell of it: $*" told KEEPALIVE_EVENT=corrected "$@"
    [ "$(property ssh MainPID)" = "$sshd_pid" ]
    session_lives
}

# The daemon has taken over what its policy file holds.
reload() {
    mark_journal
    box systemctl reload $unit
    unit_is active
}

refuses() { ! "$@"; }

unit_is() { [ "$(property $unit ActiveState)" = "$1" ]; }

reloads_of_sshd() { box journalctl --quiet --unit=ssh --grep='Received SIGHUP' --case-sensitive=yes | wc -l; }

step "the host as it is before"
boot_with_tree
printf '\nMatch User bob\n    X11Forwarding no\n' >>"$(box_path /etc/ssh/sshd_config)"
open_session
session_lives
picture /etc >"$kept/etc"
for setting in "${sysctl_settings[@]}"; do live "$setting"; done >"$kept/live"
box sshd -T >"$kept/sshd"
sshd_pid=$(property ssh MainPID)

step "make install: enables and starts nothing"
install_in_box
[ "$(property $unit UnitFileState)" = disabled ]
unit_is inactive
box systemd-analyze verify --man=no $unit

step "systemctl enable --now: in force"
box systemctl enable --now --quiet $unit
in_force
[[ $(property $unit StatusText) = *" settings in force"* ]]
box keepalive-policy check
box keepalive-policy status
box setpriv --reuid=65534 --regid=65534 --clear-groups keepalive-policy status >/dev/null
[ "$(property ssh MainPID)" = "$sshd_pid" ]
session_lives

step "drift: sysctl -w"
mark_journal
box sysctl -qw net.ipv4.tcp_keepalive_time=7200
undone "sysctl -w" KEEPALIVE_RESOURCE=sysctl KEEPALIVE_SETTING=net.ipv4.tcp_keepalive_time \
    KEEPALIVE_FOUND=7200 KEEPALIVE_DESIRED="$(declared net.ipv4.tcp_keepalive_time)" KEEPALIVE_TRIGGER=inotify

step "drift: a file of sysctl.d that sorts last"
mark_journal
echo 'net.ipv4.tcp_keepalive_intvl = 5' >"$(box_path /etc/sysctl.d)/zzz-database.conf"
undone "the later file" KEEPALIVE_RESOURCE=sysctl KEEPALIVE_SETTING=net.ipv4.tcp_keepalive_intvl \
    KEEPALIVE_FOUND=5 KEEPALIVE_SOURCE=/etc/sysctl.d/zzz-database.conf:1

step "drift: a drop-in of sshd_config.d that sorts first"
mark_journal
echo 'ClientAliveInterval 420' >"$(box_path /etc/ssh/sshd_config.d)/00-cloud-init.conf"
undone "the earlier drop-in" KEEPALIVE_RESOURCE=sshd_config KEEPALIVE_SETTING=ClientAliveInterval \
    KEEPALIVE_FOUND=420 KEEPALIVE_SOURCE=/etc/ssh/sshd_config.d/00-cloud-init.conf:1

step "no drift: a drop-in of sshd_config.d that loses costs no reload"
reloads=$(reloads_of_sshd)
echo 'ClientAliveInterval 420' >"$(box_path /etc/ssh/sshd_config.d)/50-cloud-init.conf"
reload
in_force
[ "$(reloads_of_sshd)" = "$reloads" ]

step "drift: a line appended inside a Match block"
mark_journal
echo '    ClientAliveInterval 7' >>"$(box_path /etc/ssh/sshd_config)"
undone "the line in the Match block" KEEPALIVE_SETTING=ClientAliveInterval KEEPALIVE_FOUND=7

step "drift: our own drop-ins deleted"
mark_journal
box sh -c 'rm /etc/ssh/sshd_config.d/*keepalive-policy*'
undone "the deletion" KEEPALIVE_RESOURCE=sshd_config KEEPALIVE_SETTING=ClientAliveInterval
mark_journal
box sh -c 'rm /etc/sysctl.d/*keepalive-policy*'
undone "the deletion" KEEPALIVE_RESOURCE=sysctl KEEPALIVE_SETTING=net.ipv4.tcp_keepalive_time

step "drift: our own drop-in edited"
mark_journal
box sh -c 'sed -i "s/^ClientAliveCountMax.*/ClientAliveCountMax 2/" /etc/ssh/sshd_config.d/*keepalive-policy*'
undone "the edit" KEEPALIVE_SETTING=ClientAliveCountMax KEEPALIVE_FOUND=2

step "reload: a policy that is refused keeps the one before"
cp "$(box_path $policy)" "$kept/policy"
echo 'nonsense = 1' >>"$(box_path $policy)"
mark_journal
refuses box systemctl reload $unit 2>/dev/null
told KEEPALIVE_EVENT=policy PRIORITY=3
unit_is active
box sysctl -qw net.ipv4.tcp_keepalive_time=60
await 20 "the old policy to hold" in_force

step "reload: a policy that changed is in force"
sed 's/^ClientAliveInterval.*/ClientAliveInterval = 33/' "$kept/policy" >"$(box_path $policy)"
reload
await 20 "ClientAliveInterval 33" sshd_gives root ClientAliveInterval 33
cat "$kept/policy" >"$(box_path $policy)"
reload
await 20 "the first policy" in_force

step "a configuration that sshd refuses: not a byte changed, no reload, one finding"
mark_journal
broken_since=$journal_mark
reloads=$(reloads_of_sshd)
cp -a "$(box_path /etc/ssh/sshd_config)" "$kept/sshd_config"
{ echo 'NoSuchKeyword yes'; cat "$kept/sshd_config"; } >"$(box_path /etc/ssh/sshd_config)"
picture /etc/ssh >"$kept/broken"
await 20 "the finding" told KEEPALIVE_EVENT=refused KEEPALIVE_RESOURCE=sshd_config
reload
journal_mark=$broken_since
[ "$(journal KEEPALIVE_EVENT=refused KEEPALIVE_RESOURCE=sshd_config | wc -l)" = 1 ]
cmp "$kept/broken" <(picture /etc/ssh)
[ "$(reloads_of_sshd)" = "$reloads" ]
status=0
box keepalive-policy check >/dev/null 2>&1 || status=$?
[ $status = 2 ]
session_lives

step "...and repaired: enforced as before"
mark_journal
sed 's/ClientAliveInterval 7/ClientAliveInterval 8/' "$kept/sshd_config" >"$(box_path /etc/ssh/sshd_config)"
box sh -c 'rm /etc/ssh/sshd_config.d/*keepalive-policy*'
undone "the drift after the repair" KEEPALIVE_RESOURCE=sshd_config

step "sshd is stopped: its configuration is kept all the same, and it stays stopped"
box systemctl stop ssh
mark_journal
box sh -c 'rm /etc/ssh/sshd_config.d/*keepalive-policy*'
await 20 "the drift without sshd to be undone" in_force
[ "$(property ssh ActiveState)" = inactive ]
box systemctl start ssh
sshd_pid=$(property ssh MainPID)
session_lives

step "kill -9: restarted by systemd, and what drifted meanwhile is undone"
mark_journal
daemon_pid=$(property $unit MainPID)
box sh -c "kill -9 $daemon_pid; rm /etc/sysctl.d/*keepalive-policy*; sysctl -qw net.ipv4.tcp_keepalive_time=7200"
undone "the drift without a daemon" KEEPALIVE_SETTING=net.ipv4.tcp_keepalive_time KEEPALIVE_TRIGGER=start
[ "$(property $unit NRestarts)" = 1 ]

step "reboot: in force again"
close_session
box_reboot
await 30 "the daemon to be ready" unit_is active
in_force
box keepalive-policy check >/dev/null

step "systemctl stop: clean, and nothing changes"
box systemctl stop $unit
[ "$(property $unit Result)" = success ]
in_force
status=0
box keepalive-policy status >/dev/null 2>&1 || status=$?
[ $status = 3 ]

step "a policy that is refused at the start: no restarts"
echo 'nonsense = 1' >>"$(box_path $policy)"
refuses box systemctl start $unit 2>/dev/null
[ "$(property $unit ExecMainStatus)" = 78 ]
[ "$(property $unit ActiveState)" = failed ]
cat "$kept/policy" >"$(box_path $policy)"
box systemctl start $unit

step "make uninstall: the host is as it was"
box rm /etc/sysctl.d/zzz-database.conf /etc/ssh/sshd_config.d/{00,50}-cloud-init.conf
box sed -i '/^    ClientAliveInterval 8$/d' /etc/ssh/sshd_config
await 20 "the daemon to see that" in_force
uninstall_in_box
picture /etc >"$kept/etc-after"
cmp "$kept/etc" "$kept/etc-after" || {
    mkdir "$kept"/{before,after}
    tar -C "$kept/before" -xf "$kept/etc"; tar -C "$kept/after" -xf "$kept/etc-after"
    diff -r "$kept/before" "$kept/after" || true
    diff <(tar -tvf "$kept/etc") <(tar -tvf "$kept/etc-after")
}
cmp "$kept/live" <(for setting in "${sysctl_settings[@]}"; do live "$setting"; done)
cmp "$kept/sshd" <(box sshd -T)
[ "$(property ssh ActiveState)" = active ]
[ "$(property $unit LoadState)" = not-found ]
refuses box test -e /usr/local/bin/keepalive-policy
refuses box test -e /var/lib/keepalive-policy
refuses box test -e /run/keepalive-policy
step "passed"
