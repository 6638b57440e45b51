#!/usr/bin/env bash
# units.sh: an sshd whose unit reloads it by a bare SIGHUP and without a test, as on Red Hat's systems; one
# that must not be restarted; one behind a wrapper; and listeners that are behind their files.
set -euo pipefail
# shellcheck source=ssh-units.sh
. "$(dirname "$0")/ssh-units.sh"

check_says() { box keepalive-policy --format json check 2>/dev/null | grep -q "$1"; }

# Something of the journal that is there once and no more, although the daemon looks again.
told_once() {
    await 20 "the journal to tell of $1" told "$1"
    mark_journal_at=$journal_mark
    box systemctl reload $unit
    await 20 "the daemon to look again" unit_is_active
    journal_mark=$mark_journal_at
    [ "$(journal "$1" | wc -l)" = 1 ]
}

unit_is_active() { [ "$(property $unit ActiveState)" = active ]; }

boot_with_tree
install_in_box >/dev/null 2>&1
without_ssh_service
sshd=('ExecStart=/usr/sbin/sshd -D $OPTIONS' 'EnvironmentFile=-/etc/sysconfig/sshd' KillMode=process)

step "a unit sshd.service whose ExecReload is kill -HUP alone"
ssh_unit sshd.service "${sshd[@]}" 'ExecReload=/bin/kill -HUP $MAINPID' Restart=on-failure RestartSec=42s
open_session
start_daemon
pid=$(main_pid sshd)
mark_journal
echo 'ClientAliveInterval 7' >"$(drop_in 00-cloud-init.conf)"
undone ClientAliveInterval
[ "$(main_pid sshd)" = "$pid" ]
session_lives
greets 22

step "...is never reloaded with what sshd refuses, and is when that is repaired"
mark_journal
echo 'NoSuchKeyword yes' >"$(drop_in 01-broken.conf)"
box sh -c 'rm /etc/ssh/sshd_config.d/*keepalive-policy*'
await 20 "the refusal to be told" told KEEPALIVE_EVENT=refused
[ "$(main_pid sshd)" = "$pid" ]
greets 22
rm "$(drop_in 01-broken.conf)"
undone ClientAliveInterval
[ "$(main_pid sshd)" = "$pid" ]

box systemctl stop $unit
echo 'ClientAliveInterval 420' >"$(drop_in '!rival.conf')"
box systemctl reload sshd
await 10 "sshd to come back" greets 22
box keepalive-policy check || true
rm "$(drop_in '!rival.conf')"
box keepalive-policy check || true
box ls -la --time-style=full-iso /run/keepalive-policy /run/sshd.pid /etc/ssh /etc/ssh/sshd_config.d
box systemctl status sshd
