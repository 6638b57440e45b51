#!/usr/bin/env bash
# hostile-window.sh [SECONDS]: "another writer breaks a drop-in for 50 ms at a time: three deaths of sshd in 20 s
# (recovered)". What changes between our judgement and sshd's own reading is seen: no load is made while a
# file is restless, a change in between counts as a failed load, and a socket-activated sshd is not restarted
# until systemd refuses it.
set -eEuo pipefail
seconds=${1:-20}
# shellcheck source=ssh-units.sh
. "$(dirname "$0")/ssh-units.sh"

deaths() { box journalctl --quiet --since="$journal_mark" --grep='sshd.service: Main process exited' | wc -l || true; }
reloads() { box journalctl --quiet --since="$journal_mark" --grep='Received SIGHUP' | wc -l || true; }
in_file() { box sh -c 'cat /etc/ssh/sshd_config.d/*keepalive-policy*'; }

boot_with_tree
install_in_box >/dev/null 2>&1
printf '\n[daemon]\nreload_spacing = "1s"\n' >>"$(box_path $policy)"
without_ssh_service
# As on Red Hat's systems, but nobody starts it again.
# shellcheck disable=SC2016  # for systemd
ssh_unit sshd.service 'ExecStart=/usr/sbin/sshd -D' 'ExecReload=/bin/kill -HUP $MAINPID' KillMode=process
start_daemon

step "a drop-in that is broken for 50 ms at a time, and drift that asks for reloads, for $seconds s"
mark_journal
# shellcheck disable=SC2016  # for the shell in the box
box bash -c 'exec {silence}<> <(:)
    rest() { read -r -t "$1" <&$silence || true; }
    end=$((SECONDS + $0)) turn=0
    while [ $SECONDS -lt $end ]; do
        turn=$((turn + 1))
        echo "NoSuchKeyword yes" >/etc/ssh/sshd_config.d/zz-other.conf
        rest 0.05
        echo "LogLevel INFO" >/etc/ssh/sshd_config.d/zz-other.conf
        [ $((turn % 4)) != 0 ] || [ $turn -lt 8 ] || sed -i "s/^ClientAliveInterval .*/ClientAliveInterval $turn/" /etc/ssh/sshd_config.d/*keepalive-policy*
        rest 0.3
    done' "$seconds"
echo "$(deaths) deaths of sshd, $(reloads) reloads"
[ "$(deaths)" = 0 ]
greets 22
await 90 "everything to be in force, once the files are left alone" checks
[ "$(deaths)" = 0 ]

step "a file that is broken between the judgement and the reload, and mended a moment later"
# shellcheck disable=SC2016  # for systemd
lines=('ExecReload=/bin/sh -c "[ ! -e /run/saboteur ] || { rm /run/saboteur; cp -p /etc/ssh/sshd_config.d/zz-other.conf /run/whole; echo NoSuchKeyword >/etc/ssh/sshd_config.d/zz-other.conf; }; kill -HUP $MAINPID"')
ssh_unit sshd.service 'ExecStart=/usr/sbin/sshd -D' "${lines[@]}" KillMode=process
await 20 "everything to be in force" checks
mark_journal
box touch /run/saboteur
box sh -c 'sed -i "s/^ClientAliveInterval .*/ClientAliveInterval 7/" /etc/ssh/sshd_config.d/*keepalive-policy*'
await 20 "the saboteur" box test -e /run/whole
box mv /run/whole /etc/ssh/sshd_config.d/zz-other.conf
await 5 "sshd to be back" greets 22
# By the stamps of the journal: what this script takes to look does not count.
was_back_within_a_second() {
    box journalctl --quiet --output=short-unix --since="$journal_mark" --unit=sshd | sort | awk '
        /Main process exited/ { died = $1 }
        /Server listening/ && died { took = $1 - died; exit }
        END { if (took) printf "sshd was away for %.0f ms\n", took * 1000; exit !(took > 0 && took < 1) }'
}
await 5 "the journal to show that sshd was back within a second" was_back_within_a_second
await 20 "everything to be in force" checks
journal KEEPALIVE_EVENT=failed | grep -q 'another process changed /etc/ssh/sshd_config.d'
journal KEEPALIVE_EVENT=failed | grep -q 'sshd runs again'
# Our change is not to blame: it was not taken back, and is not left alone for an hour.
in_file | grep -q '^ClientAliveInterval 120'
refuses journal KEEPALIVE_EVENT=failed --grep='did not survive it'
box sh -c 'sed -i "s/^ClientAliveInterval .*/ClientAliveInterval 7/" /etc/ssh/sshd_config.d/*keepalive-policy*'
undone ClientAliveInterval

step "a restart by another process, as of an upgrade, while sshd is reloaded"
# shellcheck disable=SC2016  # for systemd
ssh_unit sshd.service 'ExecStart=/usr/sbin/sshd -D' \
    'ExecReload=/bin/sh -c "kill -HUP $MAINPID; [ ! -e /run/upgrade ] || { rm /run/upgrade; systemctl --no-block restart sshd.service; }"' \
    KillMode=process
await 20 "everything to be in force" checks
mark_journal
box touch /run/upgrade
box sh -c 'sed -i "s/^ClientAliveInterval .*/ClientAliveInterval 7/" /etc/ssh/sshd_config.d/*keepalive-policy*'
undone ClientAliveInterval
refuses box test -e /run/upgrade
# sshd did not die of our change, which is neither taken back nor left alone for an hour.
refuses told KEEPALIVE_EVENT=failed
greets 22

step "a unit that can only be restarted: twice in ten seconds, and never into its start limit"
box systemctl stop $unit
ssh_unit sshd.service 'ExecStart=/usr/sbin/sshd -D' KillMode=process
is_restarted_twice sshd
start_daemon
greets 22
step "passed"
