#!/usr/bin/env bash
# fatal.sh: an sshd that dies of the reload. It ends with the previous files and an sshd that listens, the
# journal names both, and what was fatal once is not tried again.
set -euo pipefail
# shellcheck source=ssh-units.sh
. "$(dirname "$0")/ssh-units.sh"

deaths() { box journalctl --quiet --unit=sshd.service --grep='dies on purpose' | wc -l; }
sees_drift() { ! checks; }

boot_with_tree
install_in_box >/dev/null 2>&1
without_ssh_service
# At a SIGHUP sshd executes itself anew: by its own name, which leads back here.
cat >"$(box_path /usr/local/sbin)/sshd" <<'WRAPPER'
#!/bin/bash
if [ -e /run/deadly ] && [ "$SSHD_HAS_RUN" = $$ ]; then
    echo "dies on purpose"
    exit 255
fi
SSHD_HAS_RUN=$$ exec -a "$0" /usr/sbin/sshd "$@"
WRAPPER
chmod +x "$(box_path /usr/local/sbin)/sshd"
# shellcheck disable=SC2016  # for systemd
ssh_unit sshd.service 'ExecStart=/usr/local/sbin/sshd -D' 'ExecReload=/bin/kill -HUP $MAINPID' \
    KillMode=process Restart=on-failure RestartPreventExitStatus=255
open_session
start_daemon
pid=$(main_pid sshd)

step "a reload that sshd survives"
mark_journal
echo 'ClientAliveInterval 7' >"$(drop_in 00-cloud-init.conf)"
undone ClientAliveInterval
[ "$(main_pid sshd)" = "$pid" ]

step "one that it does not survive"
box touch /run/deadly
picture /etc/ssh >"$(box_path /run)/before"
mark_journal
echo 'ClientAliveInterval 8' >"$(drop_in '!rival.conf')"
await 30 "the journal to tell of it" told KEEPALIVE_EVENT=failed
story=$(journal KEEPALIVE_EVENT=failed)
grep -q 'died of the reload' <<<"$story"
grep -Eq '/etc/ssh/sshd_config.d/[^ ]*keepalive-policy.conf is as it was before' <<<"$story"
grep -q 'sshd runs again' <<<"$story"
rm "$(drop_in '!rival.conf')"
cmp "$(box_path /run)/before" <(picture /etc/ssh)
[ "$(property sshd ActiveState)" = active ]
[ "$(main_pid sshd)" != "$pid" ]
greets 22
session_lives

step "the same change again: told of, and not tried"
pid=$(main_pid sshd)
died=$(deaths)
[ "$died" = 1 ]
mark_journal
echo 'ClientAliveInterval 8' >"$(drop_in '!rival.conf')"
await 20 "the journal to tell why not" told KEEPALIVE_EVENT=failed
journal KEEPALIVE_EVENT=failed | grep -q 'did not survive it the last time'
await 20 "the drift to stand" sees_drift
# Another look or two.
box systemctl reload $unit
box systemctl reload $unit
[ "$(deaths)" = "$died" ]
[ "$(main_pid sshd)" = "$pid" ]
[ "$(journal KEEPALIVE_EVENT=failed | grep -c 'did not survive it')" = 1 ]

step "another change is tried, by an sshd that is well again"
box rm /run/deadly
mark_journal
echo 'ClientAliveInterval 9' >"$(drop_in '!other.conf')"
rm "$(drop_in '!rival.conf')"
undone ClientAliveInterval
[ "$(main_pid sshd)" = "$pid" ]
session_lives
close_session
step "passed"
