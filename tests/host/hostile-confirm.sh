#!/usr/bin/env bash
# hostile-confirm.sh: `apply --confirm` takes back what it changed unless `confirm` is run from a login that is
# newer than the change, whatever becomes of the session, the process, the daemon and the boot.
set -eEuo pipefail
# shellcheck source=ssh-units.sh
. "$(dirname "$0")/ssh-units.sh"
kept=$(mktemp -d)
trap 'box_stop; rm -rf "$kept"' EXIT

time=net.ipv4.tcp_keepalive_time
record=/var/lib/keepalive-policy/unconfirmed.json
ssh=(ssh -i /root/.ssh/id -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null
    -o LogLevel=ERROR)

# gives CODE PATTERN COMMAND…: the exit code, and a line of what is said.
gives() {
    local code=0 wanted=$1 pattern=$2 said
    shift 2
    said=$("$@" 2>&1) || code=$?
    if [ "$code" != "$wanted" ] || ! grep -q "$pattern" <<<"$said"; then
        printf 'exit %s: %s\n' "$code" "$said" >&2
        return 1
    fi
}
# A login of its own.
login() { box "${ssh[@]}" -o ControlPath=none root@127.0.0.1 "$@"; }
apply() { login keepalive-policy apply --confirm "$1" >/dev/null; }
photograph() {
    picture /etc >"$kept/etc"
    live $time >"$kept/live"
    box sshd -T >"$kept/sshd"
}
is_as_before() {
    picture /etc | cmp -s - "$kept/etc" && live_is $time "$(cat "$kept/live")" &&
        box sshd -T | cmp -s - "$kept/sshd"
}
waits() { box test -e $record; }
is_over() { ! waits; }
undone() {
    await "${1:-40}" "the change to be undone" is_over
    # The unit for the next boot goes last.
    await 10 "everything to be as before" is_as_before
    greets 22
    [ "$(box sshd -T | grep -i '^clientaliveinterval')" = "$(grep -i '^clientaliveinterval' "$kept/sshd")" ]
    gives 0 'is paused\|are paused' box sh -c 'keepalive-policy check; keepalive-policy status; true'
}
changed() { live_is $time 600 && sshd_gives root ClientAliveInterval 120; }
says_undone() {
    box journalctl --quiet --no-pager --since="$journal_mark" KEEPALIVE_EVENT=unconfirmed | grep -q 'was undone'
}

boot_with_tree
install_in_box >/dev/null 2>&1
open_session
close_session
photograph

step "not confirmed: everything is as before, byte for byte"
mark_journal
apply 10s
changed
waits
gives 2 'waits to be confirmed' box keepalive-policy apply
gives 2 'waits to be confirmed' box keepalive-policy resume
undone
await 10 "the journal to tell of it" says_undone
gives 1 'Too late' login keepalive-policy confirm
box systemctl list-timers --all --no-legend 'keepalive-policy-confirm*' | refuses grep -q .

step "nothing of it is left in the records: restore has nothing to do"
gives 0 'Nothing to change\|^$' box keepalive-policy restore
is_as_before
gives 0 'enforces again' box keepalive-policy resume

step "confirmed from a new login: it stays"
coproc old { box "${ssh[@]}" root@127.0.0.1 bash; }
box "${ssh[@]}" -f -N -M -o ControlPath=/run/master root@127.0.0.1
apply 60s
changed
echo 'keepalive-policy confirm 2>&1; echo "exit $?"' >&"${old[1]}"
read -r -t 20 line <&"${old[0]}"
[[ $line = *'not confirmed'*'older than the change'* ]]
read -r -t 20 line <&"${old[0]}"
[ "$line" = "exit 2" ]
# What left the old login, and a new session over its connection.
echo 'setsid -f sh -c "keepalive-policy confirm; echo exit \$?" 2>&1 </dev/null' >&"${old[1]}"
read -r -t 20 line <&"${old[0]}"
[[ $line = *'not confirmed'* ]]
read -r -t 20 line <&"${old[0]}"
[ "$line" = "exit 2" ]
gives 2 'older than the change' box "${ssh[@]}" -o ControlPath=/run/master root@127.0.0.1 keepalive-policy confirm
gives 2 'no login is above' box systemd-run --quiet --pipe --wait keepalive-policy confirm
gives 2 'not confirmed' box keepalive-policy confirm
waits
gives 0 'Confirmed' login keepalive-policy confirm
is_over
changed
gives 1 'nothing to confirm' login keepalive-policy confirm
box systemctl list-timers --all --no-legend 'keepalive-policy-confirm*' | refuses grep -q .
gives 0 'nothing to confirm' login keepalive-policy apply --confirm 10s
is_over
old_input=${old[1]}
exec {old_input}>&-
box "${ssh[@]}" -o ControlPath=/run/master -O exit root@127.0.0.1 2>/dev/null
gives 0 . box keepalive-policy restore
is_as_before

step "the process that makes the change is killed, and the session with it"
box "${ssh[@]}" root@127.0.0.1 'keepalive-policy apply --confirm 10s' >/dev/null 2>&1 &
half_done() { box grep -qs '"after"' $record; }
await 20 "the change to begin" half_done
box sh -c 'kill -9 $(pidof keepalive-policy)' || true
box sh -c 'kill -9 $(pidof sshd-session || pgrep -f "sshd: root")' || true
wait $! || true
undone 60
box keepalive-policy resume >/dev/null

step "without a service manager"
box unshare --mount sh -c 'mount -t tmpfs none /run/systemd && keepalive-policy apply --confirm 10s' >/dev/null
changed
waits
undone
box keepalive-policy resume >/dev/null

step "a reboot on a host whose daemon is not enabled"
apply 1h
changed
box_reboot
undone
box test ! -e /etc/systemd/system/keepalive-policy-confirm.service
box keepalive-policy resume >/dev/null

step "what another process has changed since stays"
apply 10s
box sh -c 'echo "# a note" >>/etc/sysctl.d/99-zz-keepalive-policy.conf'
await 40 "the change to be undone" is_over
box grep -q '# a note' /etc/sysctl.d/99-zz-keepalive-policy.conf
gives 0 '99-zz-keepalive-policy.conf was changed' box sh -c 'keepalive-policy status; true'
live_is $time "$(cat "$kept/live")"
sshd_gives root ClientAliveInterval 0
box rm /etc/sysctl.d/99-zz-keepalive-policy.conf
await 10 "everything to be as before" is_as_before
box keepalive-policy resume >/dev/null
gives 0 . box keepalive-policy restore

step "restore, while the change waits: as before, and nothing is left that could undo it"
apply 1h
changed
waits
gives 0 . box keepalive-policy restore
is_over
is_as_before
box systemctl list-timers --all --no-legend 'keepalive-policy-confirm*' | refuses grep -q .
gives 1 'Too late\|nothing to confirm' login keepalive-policy confirm
is_as_before
gives 0 . box keepalive-policy restore
box keepalive-policy resume >/dev/null

step "named network namespaces: undone too, but for what another process has changed since, or is gone"
namespace_is() { [ "$(box ip netns exec "$1" cat "/proc/sys/${time//.//}")" = "$2" ]; }
box sed -i 's/^\[sysctl\]/&\nnamespaces = ["host", "named"]/' $policy
for name in red blue green; do box ip netns add $name; done
photograph
apply 20s
for name in red blue green; do namespace_is $name 600; done
box ip netns exec blue sysctl -qw $time=1234
box ip netns delete green
undone
namespace_is red 7200
namespace_is blue 1234
gives 0 'netns blue is 1234 by now, neither 600 nor 7200' box sh -c "keepalive-policy status | tr -s ' \n' ' '"
for name in red blue; do box ip netns delete $name; done
box sed -i '/^namespaces/d' $policy
box keepalive-policy resume >/dev/null
gives 0 . box keepalive-policy restore

step "with the daemon: it does not make the change again"
box systemctl enable --quiet $unit
box systemctl disable --quiet $unit
start_daemon
gives 0 'nothing to confirm' login keepalive-policy apply --confirm 10s
box keepalive-policy pause 1h >/dev/null
box sed -i 's/^ClientAliveInterval = .*/ClientAliveInterval = 33/; s/^net.ipv4.tcp_keepalive_time = .*/net.ipv4.tcp_keepalive_time = 601/' $policy
box systemctl reload $unit
photograph
mark_journal
apply 10s
sshd_gives root ClientAliveInterval 33
live_is $time 601
await 10 "the journal to tell of the change that waits" told KEEPALIVE_EVENT=paused
undone
await 10 "the journal to tell of the undo" told KEEPALIVE_EVENT=paused PRIORITY=3
look_again
is_as_before
box systemctl restart $unit
is_as_before
gives 0 'because it was not confirmed' box sh -c 'keepalive-policy status; true'
box keepalive-policy resume >/dev/null
await 20 "resume to enforce" live_is $time 601
await 20 "resume to enforce" sshd_gives root ClientAliveInterval 33

step "the daemon undoes it where the timer is gone"
box systemctl enable --quiet $unit
box keepalive-policy pause 1h >/dev/null
box sed -i 's/^ClientAliveInterval = .*/ClientAliveInterval = 34/' $policy
box systemctl reload $unit
photograph
apply 10s
box sh -c 'systemctl stop "keepalive-policy-confirm*.timer"'
undone
box keepalive-policy resume >/dev/null
await 20 "resume to enforce" sshd_gives root ClientAliveInterval 34

step "a reboot with the daemon: not confirmed, with a policy that is refused, too"
box keepalive-policy pause 1h >/dev/null
box sed -i 's/^ClientAliveInterval = .*/ClientAliveInterval = 35/' $policy
box systemctl reload $unit
box sh -c "echo 'nonsense = 1' >>$policy"
photograph
box sed -i '$d' $policy
apply 1h
sshd_gives root ClientAliveInterval 35
box sh -c "echo 'nonsense = 1' >>$policy"
box systemctl --no-block reboot
before=$(box_leader)
await 60 "the box to go down" box_has_another_leader "$before"
await 60 "the box to boot" box_settled
await 40 "the change to be undone" is_over
sshd_gives root ClientAliveInterval 34
box sed -i '$d' $policy
box systemctl restart $unit
gives 0 'because it was not confirmed' box sh -c 'keepalive-policy status; true'
sshd_gives root ClientAliveInterval 34
box keepalive-policy resume >/dev/null
await 20 "resume to enforce" sshd_gives root ClientAliveInterval 35
echo "passed"
