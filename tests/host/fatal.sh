#!/usr/bin/env bash
# fatal.sh: an sshd that dies of the reload. It ends with the previous files and an sshd that listens, the
# journal names both, and what was fatal once is not tried again.
set -eEuo pipefail
# shellcheck source=ssh-units.sh
. "$(dirname "$0")/ssh-units.sh"

deaths() { box journalctl --quiet --unit=sshd.service --grep='dies on purpose' | wc -l; }
ours() { box sh -c 'md5sum /etc/ssh/sshd_config.d/*keepalive-policy*'; }
refrains() { journal KEEPALIVE_EVENT=failed | grep -q 'did not survive it the last time'; }

boot_with_tree
install_in_box >/dev/null 2>&1
without_ssh_service
# At a SIGHUP sshd executes itself anew: by its own name, which leads back here.
stand_in /usr/local/sbin/sshd <<'WRAPPER'
if [ -e /run/deadly ] && [ "$SSHD_HAS_RUN" = $$ ]; then
    echo "dies on purpose"
    exit 255
fi
[ ! -e /run/down ] || [ "$1" != -D ] || exit 255
SSHD_HAS_RUN=$$ exec -a "$program" /usr/sbin/sshd "$@"
WRAPPER
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
before=$(ours)
mark_journal
echo 'ClientAliveInterval 8' >"$(drop_in '!rival.conf')"
await 30 "the journal to tell of it" told KEEPALIVE_EVENT=failed
story=$(journal KEEPALIVE_EVENT=failed)
# Whoever notices first: systemd while its kill still runs, or we.
grep -Eq 'died of the reload|sshd.service is failed' <<<"$story"
grep -Eq '/etc/ssh/sshd_config.d/[^ ]*keepalive-policy.conf is as it was before' <<<"$story"
grep -q 'sshd runs again' <<<"$story"
[ "$(ours)" = "$before" ]
[ "$(property sshd ActiveState)" = active ]
[ "$(main_pid sshd)" != "$pid" ]
greets 22
session_lives

step "the same change again: told of, and not tried"
pid=$(main_pid sshd)
await 20 "the journal to tell why not" refrains
refuses checks
look_again
look_again
[ "$(deaths)" = 1 ]
[ "$(main_pid sshd)" = "$pid" ]
[ "$(journal KEEPALIVE_EVENT=failed | grep -c 'did not survive it')" = 1 ]

step "...by a daemon that is restarted neither"
mark_journal
box systemctl restart $unit
await 20 "the journal to tell why not" refrains
[ "$(deaths)" = 1 ]
[ "$(main_pid sshd)" = "$pid" ]

step "another change is tried, by an sshd that is well again"
box rm /run/deadly
mark_journal
echo 'ClientAliveInterval 9' >"$(drop_in '!other.conf')"
rm "$(drop_in '!rival.conf')"
undone ClientAliveInterval
[ "$(main_pid sshd)" = "$pid" ]
session_lives

step "one that it does not survive, and that it can't be started after"
box touch /run/deadly /run/down
mark_journal
echo 'ClientAliveInterval 10' >"$(drop_in '!!last.conf')"
await 60 "the journal to tell of it" told KEEPALIVE_EVENT=failed
tells_that_it_is_down() { journal KEEPALIVE_EVENT=failed | grep -q 'sshd does NOT run'; }
await 20 "it to be told that sshd is down" tells_that_it_is_down
[ "$(property sshd ActiveState)" = failed ]
box rm /run/down /run/deadly
await 70 "sshd to be started" greets 22
echo 'ClientAliveInterval 12' >"$(drop_in '!!last.conf')"
undone ClientAliveInterval
session_lives

step "one that somebody gave up is left to him"
box touch /run/deadly /run/down
mark_journal
box sed -i '1i ClientAliveInterval 11' /etc/ssh/sshd_config
await 60 "it to be told that sshd is down" tells_that_it_is_down
box systemctl reset-failed sshd
box rm /run/down /run/deadly
look_again
look_again
[ "$(property sshd ActiveState)" = inactive ]
box systemctl start sshd
await 10 "sshd to listen" greets 22
close_session
step "passed"
