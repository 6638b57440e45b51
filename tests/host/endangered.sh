#!/usr/bin/env bash
# endangered.sh: loads that would take the way in away, though `sshd -t` is content. sshd is not reloaded
# where it would lose an address that it listens on, and not started where somebody stopped it.
set -eEuo pipefail
# shellcheck source=ssh-units.sh
. "$(dirname "$0")/ssh-units.sh"

address=10.9.9.9
main=/etc/ssh/sshd_config

loads() { box journalctl --quiet --unit=ssh --grep='Received SIGHUP' --case-sensitive=yes | wc -l; }
interval() { sed -i "s/^ClientAliveInterval .*/ClientAliveInterval = $1/" "$(box_path $policy)"; }
is_declared() { sshd_gives root ClientAliveInterval "$1"; }
greets_there() {
    # shellcheck disable=SC2016  # for the shell in the box
    box timeout 5 bash -c 'exec 3<>"/dev/tcp/$0/22" && read -r line <&3 && [[ $line = SSH-2.0-* ]]' $address \
        2>/dev/null
}

# The declared interval becomes $1, and the reload is left to somebody else for a reason that has $2 in it.
is_left_alone() {
    local before
    before=$(loads)
    mark_journal
    interval "$1"
    await 20 "the conflict to be told" told KEEPALIVE_EVENT=conflict KEEPALIVE_RESOURCE=sshd_config
    journal KEEPALIVE_EVENT=conflict | grep -q "ssh.service is not reloaded: .*$2"
    is_declared "$1"
    refuses checks
    [ "$(loads)" = "$before" ]
    [ "$(main_pid ssh)" = "$pid" ]
}

boot_with_tree
install_in_box >/dev/null 2>&1
printf '\n[daemon]\nresync_interval = "2s"\n' >>"$(box_path $policy)"
start_daemon
pid=$(main_pid ssh)

step "another Port, for which nobody has reloaded sshd yet"
box sed -i '1i Port 2222' $main
is_left_alone 130 "0.0.0.0:22, which it would lose"
greets 22
box sed -i 1d $main
await 20 "everything to be in force again" checks
[ "$(main_pid ssh)" = "$pid" ]

step "another Port, which another program has"
box systemd-run --quiet --unit=other perl -e 'use IO::Socket::INET;
    IO::Socket::INET->new(LocalPort => 8080, Listen => 5) or die; sleep'
box sed -i '1i Port 8080' $main
is_left_alone 140 "0.0.0.0:22, which it would lose"
greets 22
box sed -i 1d $main
await 20 "everything to be in force again" checks

step "one Port more"
box sed -i '1i Port 22\nPort 2222' $main
mark_journal
interval 150
await 20 "it to be in force" greets 2222
checks
greets 22
box sed -i 1,2d $main
box systemctl reload ssh

step "the only address is away for a while"
box ip address add $address/32 dev lo
box sed -i "1i ListenAddress $address" $main
box systemctl restart ssh
await 20 "everything to be in force" checks
pid=$(main_pid ssh)
box ip address delete $address/32 dev lo
is_left_alone 160 "$address:22, which it would lose"
box ip address add $address/32 dev lo
await 20 "everything to be in force again" checks
greets_there
[ "$(main_pid ssh)" = "$pid" ]
box sed -i 1d $main
box systemctl restart ssh
await 20 "everything to be in force" checks

step "stopped by somebody while sshd judges"
box sh -c 'mkdir /usr/lib/real && mv /usr/sbin/sshd /usr/lib/real'
stand_in /usr/sbin/sshd <<'WRAPPER'
# What is asked about is not on disk yet: the last question before it is.
if [ "$1" = -T ] && grep -q 'BEGIN keepalive-policy' "$3" && ! grep -q 'BEGIN keepalive-policy' /etc/ssh/sshd_config; then
    touch /run/judging
    until [ -e /run/stopped ]; do read -r -t 0.05 <> <(:); done
fi
exec -a "$program" /usr/lib/real/sshd "$@"
WRAPPER
is_judging() { box test -e /run/judging; }
mark_journal
# Before which no drop-in sorts.
echo 'ClientAliveInterval 7' >"$(drop_in '!a.conf')"
await 20 "sshd to be asked" is_judging
box systemctl stop ssh
box touch /run/stopped
await 20 "the files to be right" is_declared 160
look_again
[ "$(property ssh ActiveState)" = inactive ]
box systemctl start ssh
greets 22
await 20 "everything to be in force" checks
step "passed"
