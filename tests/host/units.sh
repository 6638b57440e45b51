#!/usr/bin/env bash
# units.sh: an sshd whose unit reloads it by a bare SIGHUP and without a test, as on Red Hat's systems; one
# that must not be restarted; one behind a wrapper; and listeners that are behind their files.
set -eEuo pipefail
# shellcheck source=ssh-units.sh
. "$(dirname "$0")/ssh-units.sh"

check_says() {
    local said
    said=$(box keepalive-policy --format json check) || true
    [[ $said = *"$1"* ]]
}

# Something of the journal that is there once and no more, although the daemon looks again.
told_once() {
    await 20 "the journal to tell of $1" told "$1"
    look_again
    [ "$(journal "$1" | wc -l)" = 1 ]
}

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

step "a listener that is behind its files is drift, and one reload ends it"
box systemctl stop $unit
echo 'ClientAliveInterval 420' >"$(drop_in '!rival.conf')"
box systemctl reload sshd
await 10 "sshd to come back" greets 22
# What is known of the load is a note that the first look takes while nothing has changed since.
refuses checks
rm "$(drop_in '!rival.conf')"
check_says '"context": "listener"'
refuses checks
mark_journal
box keepalive-policy apply >/dev/null
checks
[ "$(main_pid sshd)" = "$pid" ]
echo 'ClientAliveInterval 420' >"$(drop_in '!rival.conf')"
box systemctl reload sshd
await 10 "sshd to come back" greets 22
rm "$(drop_in '!rival.conf')"
start_daemon
told KEEPALIVE_EVENT=corrected KEEPALIVE_SETTING=ClientAliveInterval
session_lives

step "an option that beats the files is named before sshd is started with it, and after"
conflict_says() { journal KEEPALIVE_EVENT=conflict | grep -q "$1"; }
mark_journal
mkdir -p "$(box_path /etc/sysconfig)"
echo 'OPTIONS="-o ClientAliveInterval=7"' >"$(box_path /etc/sysconfig/sshd)"
await 20 "the next start to be told of" conflict_says 'will start sshd with -o ClientAliveInterval=7 the next time'
checks
box systemctl restart sshd
await 20 "the conflict to be told" conflict_says 'is started with -o ClientAliveInterval=7'
refuses checks
rm "$(box_path /etc/sysconfig/sshd)"

step "a unit without a reload, whose restart would end the sessions: told of once, left alone"
close_session
ssh_unit sshd.service 'ExecStart=/usr/sbin/sshd -D'
await 20 "everything to be in force" checks
pid=$(main_pid sshd)
open_session
session_lives
mark_journal
echo 'ClientAliveInterval 8' >"$(drop_in '!rival.conf')"
box sh -c 'kill -HUP "$1"' _ "$pid"
await 10 "sshd to come back" greets 22
told_once KEEPALIVE_EVENT=conflict
journal KEEPALIVE_EVENT=conflict | grep -q 'would end all sessions'
refuses checks
[ "$(main_pid sshd)" = "$pid" ]
session_lives
close_session
rm "$(drop_in '!rival.conf')"
box systemctl restart sshd
await 20 "everything to be in force" checks

step "an sshd behind a wrapper, so that the real one can't be known: it and its files are left alone, told once"
cat >"$(box_path /usr/local/sbin)/run-sshd" <<'WRAPPER'
#!/bin/sh
/usr/sbin/sshd -D &
wait
WRAPPER
chmod +x "$(box_path /usr/local/sbin)/run-sshd"
ours=$(box sh -c 'echo /etc/ssh/sshd_config.d/*keepalive-policy*')
# Its start is heard of at once: sshd writes its pid file.
mark_journal
ssh_unit sshd.service ExecStart=/usr/local/sbin/run-sshd
pid=$(main_pid sshd)
box sh -c 'sed -i "s/^ClientAliveInterval .*/ClientAliveInterval 9/" /etc/ssh/sshd_config.d/*keepalive-policy*'
told_once KEEPALIVE_EVENT=refused
journal KEEPALIVE_EVENT=refused | grep -q 'sshd.service: its ExecStart= is /usr/local/sbin/run-sshd, not sshd'
code=0; box keepalive-policy check >/dev/null 2>&1 || code=$?
[ $code = 2 ]
box grep -q '^ClientAliveInterval 9' "$ours"
[ "$(main_pid sshd)" = "$pid" ]
greets 22
step "passed"
