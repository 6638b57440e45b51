#!/usr/bin/env bash
# hostile-programs.sh: which program root runs to learn what sshd makes of its files. It is never one that
# another user, a stale pid file or a script decides about.
set -eEuo pipefail
# shellcheck source=ssh-units.sh
. "$(dirname "$0")/ssh-units.sh"

mark=/run/impostor-ran-as-root
look() { box keepalive-policy "$@" >/dev/null 2>&1 || true; }

# Everything that asks sshd, and leaves what it must not.
every_command_looks() {
    local command
    for command in check explain sessions diff apply; do
        look $command
    done
    look --root / check
}

# The code and the words of `check`, by root with all its rights.
check_exits() {
    local code=0
    said=$(box keepalive-policy check 2>&1) || code=$?
    [ $code = "$1" ] || { echo "check exits $code: $said" >&2; return 1; }
}

# `check` and the daemon say that the configuration of this unit is not judged, for this reason, once; our
# drop-in stays as it is, though it is wrong.
is_left_alone() {
    local reason=$1 before
    before=$(main_pid "${2:-ssh}")
    box sh -c 'sed -i "s/^ClientAliveInterval .*/ClientAliveInterval 9/" /etc/ssh/sshd_config.d/*keepalive-policy*'
    mark_journal
    box systemctl restart $unit
    await 20 "the journal to say that sshd is left alone" told KEEPALIVE_EVENT=refused
    journal KEEPALIVE_EVENT=refused | grep -qF "$reason"
    look_again
    [ "$(journal KEEPALIVE_EVENT=refused | wc -l)" = 1 ]
    every_command_looks
    check_exits 2
    [[ $said = *"$reason"* ]]
    box sh -c 'grep -q "^ClientAliveInterval 9" /etc/ssh/sshd_config.d/*keepalive-policy*'
    [ "$(main_pid "${2:-ssh}")" = "$before" ]
    box systemctl stop $unit
}

ssh_drop_in() {
    box mkdir -p /etc/systemd/system/ssh.service.d
    printf '%s\n' "$@" >"$(box_path /etc/systemd/system/ssh.service.d)/test.conf"
    box systemctl daemon-reload
}

listens() { [ -n "$(box ss --no-header --listening --tcp 'sport = :22')" ]; }

boot_with_tree
mark_journal
install_in_box >/dev/null 2>&1
box sh -c 'install -d -o 4242 -g 4242 -m 755 /srv/mallory'
cc -o "$(box_path /srv/mallory)/sshd" "$repository/tests/host/impostor.c"
box chown 4242:4242 /srv/mallory/sshd

step "ssh.service failed after SIGKILL, and its stale pid file names a user's process that looks like sshd"
ssh_drop_in '[Service]' Restart=no
box systemctl restart ssh
box systemctl kill --signal=KILL ssh
await 10 "ssh.service to fail" box systemctl is-failed --quiet ssh
box setpriv --reuid=4242 --regid=4242 --clear-groups \
    bash -c 'exec -a /srv/mallory/sshd /srv/mallory/sshd -D </dev/null >/dev/null 2>&1' &
user_process() { box pgrep --uid 4242 --exact sshd >/dev/null; }
await 10 "the user's process" user_process
box sh -c 'pgrep --uid 4242 --exact sshd >/run/sshd.pid'
every_command_looks
look check
box systemctl start $unit
look_again
box systemctl stop $unit
box test ! -e $mark
step "...and no unit of the usual names is there"
box systemctl mask --quiet --runtime ssh.service ssh.socket
box systemctl daemon-reload
every_command_looks
box systemctl start $unit
look_again
box systemctl stop $unit
box test ! -e $mark
box systemctl unmask --quiet --runtime ssh.service ssh.socket
box pkill --uid 4242

step "the real sshd is believed: after a start, daemon-reload, daemon-reexec, and an upgrade of its file"
ssh_drop_in
box systemctl start ssh
start_daemon
for job in daemon-reload daemon-reexec; do
    box systemctl $job
    await 20 "everything to be in force after $job" checks
done
box sh -c 'cp -a /usr/sbin/sshd /usr/sbin/sshd.new && mv /usr/sbin/sshd.new /usr/sbin/sshd'
checks
mark_journal
echo 'ClientAliveInterval 7' >"$(drop_in '!rival.conf')"
undone ClientAliveInterval
journal KEEPALIVE_EVENT=applied | grep -q 'reload ssh.service'
rm "$(drop_in '!rival.conf')"
await 20 "everything to be in force" checks
box systemctl stop $unit

step "a stopped unit whose ExecStart is a script named sshd"
box systemctl stop ssh
box mkdir -p /usr/local/lib/wrapped
printf '#!/bin/sh\ntouch /run/script-ran\nexec /usr/sbin/sshd -D\n' >"$(box_path /usr/local/lib/wrapped)/sshd"
box chmod 755 /usr/local/lib/wrapped/sshd
ssh_drop_in '[Service]' ExecStart= 'ExecStart=/usr/local/lib/wrapped/sshd -D' ExecStartPre= Type=simple
is_left_alone 'ssh.service: its ExecStart= /usr/local/lib/wrapped/sshd is a script'
box test ! -e /run/script-ran
refuses listens

step "...that runs: root could see the real one, the daemon could not, so both leave it alone"
box systemctl start ssh
await 10 "sshd to listen" greets 22
is_left_alone 'ssh.service: its ExecStart= /usr/local/lib/wrapped/sshd is a script'
box systemctl stop ssh

step "a SysV script"
ssh_drop_in '[Service]' ExecStart= 'ExecStart=/etc/init.d/ssh start' ExecStartPre= Type=forking \
    PIDFile=/run/sshd.pid Environment=SYSTEMCTL_SKIP_REDIRECT=1
is_left_alone 'ssh.service: its ExecStart= is /etc/init.d/ssh, not sshd'
refuses listens
box systemctl start ssh
await 10 "sshd to listen" greets 22
is_left_alone 'ssh.service: its ExecStart= is /etc/init.d/ssh, not sshd'
box systemctl stop ssh

step "a program that starts another one"
ssh_drop_in '[Service]' ExecStart= 'ExecStart=/usr/bin/env /usr/sbin/sshd -D' Type=simple
box systemctl start ssh
await 10 "sshd to listen" greets 22
is_left_alone 'ssh.service: its ExecStart= is /usr/bin/env, not sshd'
box systemctl stop ssh

step "a program of root's in a directory of another user's"
box chown root:root /srv/mallory/sshd
ssh_drop_in '[Service]' ExecStart= 'ExecStart=/srv/mallory/sshd -D' ExecStartPre= Type=simple
is_left_alone 'ssh.service: its ExecStart= is /srv/mallory/sshd, but /srv/mallory belongs to uid 4242'
box test ! -e $mark

step "another name for the program's first argument, and an empty line that resets ExecStart, are nothing special"
ssh_drop_in '[Service]' ExecStart= 'ExecStart=@-/usr/sbin/sshd /usr/sbin/sshd -D -o ClientAliveCountMax=7' \
    Type=simple
box systemctl start ssh
await 10 "sshd to listen" greets 22
box sh -c 'rm /etc/ssh/sshd_config.d/*keepalive-policy*'
look apply
check_exits 1
[[ $said = *'is started with -o ClientAliveCountMax=7'* ]]
step "passed"
