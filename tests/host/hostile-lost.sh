#!/usr/bin/env bash
# hostile-lost.sh: "our reload kills sshd, the unit has Restart=on-failure, then the administrator mends the
# file". What we lost is started as soon as it can be, whatever happened in between; what was stopped on
# purpose, or ended by others, is not started, and is told of.
set -eEuo pipefail
# shellcheck source=ssh-units.sh
. "$(dirname "$0")/ssh-units.sh"

page=/var/lib/prometheus/node-exporter/keepalive_policy.prom
record=/var/lib/keepalive-policy/lost.json
broken=zz-broken.conf

metric_is() { grep -qxF "keepalive_policy_sshd_listening{unit=\"$1\"} $2" "$(box_path $page)" 2>/dev/null; }
is_recorded() { box grep -qs "\"$1\"" $record; }
is_not_recorded() { refuses is_recorded "$1"; }
said_by_check() { box keepalive-policy check 2>&1 | tr -s ' \n' ' ' || true; }
check_ends() {
    local code=0
    box keepalive-policy check >/dev/null 2>&1 || code=$?
    [ $code = "$1" ]
}
tells_that_it_is_down() { journal KEEPALIVE_EVENT=failed | grep -q 'sshd does NOT run'; }
is_in_state() { [ "$(property "$1" ActiveState)" = "$2" ]; }
mend() { rm -f "$(drop_in $broken)" "$(box_path /run)/saboteur"; }

# At the next reload another writer breaks a file after it was judged. A time to restart after which no
# test still waits.
# shellcheck disable=SC2016  # for systemd
lines=('ExecReload=/bin/sh -c "[ ! -e /run/saboteur ] || echo NoSuchKeyword >/etc/ssh/sshd_config.d/zz-broken.conf; kill -HUP $MAINPID"'
    KillMode=process RestartSec=600s)

# Our next reload is the end of sshd.
lose() {
    mark_journal
    box touch /run/saboteur
    box sh -c 'sed -i "s/^ClientAliveInterval .*/ClientAliveInterval $0/" /etc/ssh/sshd_config.d/*keepalive-policy*' "$1"
    await 60 "it to be told that sshd is down" tells_that_it_is_down
}

boot_with_tree
mkdir -p "$(box_path ${page%/*})"
install_in_box >/dev/null 2>&1
printf '\n[metrics]\ntextfile = "%s"\n' $page >>"$(box_path $policy)"
without_ssh_service
ssh_unit sshd.service 'ExecStart=/usr/sbin/sshd -D' Restart=on-failure "${lines[@]}"
box systemctl add-wants --quiet multi-user.target sshd.service
box systemctl enable --quiet $unit
start_daemon
await 20 "the metrics" metric_is sshd.service 1
box test ! -e $record || is_not_recorded sshd.service

step "lost, it is remembered while systemd waits to restart it"
lose 7
is_in_state sshd.service activating
await 10 "the record of it" is_recorded sshd.service
await 20 "the metrics to tell" metric_is sshd.service 0
check_ends 2
[[ $(said_by_check) = *"sshd.service is activating (auto-restart"*"since a reload or restart of ours"* ]]
said=$(box keepalive-policy status) && false
[[ $said = *"since a reload"* ]]

step "...and by a daemon that is started anew"
box systemctl restart $unit
look_again
await 10 "the record of it" is_recorded sshd.service
mend
await 10 "sshd to be started once its files are mended" greets 22
await 20 "everything to be in force" checks
await 20 "the record to be empty" is_not_recorded sshd.service
await 20 "the metrics to tell" metric_is sshd.service 1

step "...and after a reboot"
lose 8
box_reboot || [ "$box_state" = degraded ]
await 20 "the daemon to run" unit_is_active
await 10 "the record of it" is_recorded sshd.service
refuses greets 22
mend
await 20 "sshd to be started once its files are mended" greets 22
await 20 "everything to be in force" checks

step "...but not once it was stopped on purpose"
lose 9
box systemctl stop sshd
mend
look_again
look_again
is_in_state sshd.service inactive
await 20 "the record to be empty" is_not_recorded sshd.service
refuses grep -q 'sshd_listening{' "$(box_path $page)"
[[ $(said_by_check) != *"not listen"* ]]
box systemctl start sshd
await 10 "sshd to listen" greets 22
box systemctl restart $unit
await 20 "everything to be in force" checks

step "one that others ended is told of, and left alone"
mark_journal
for _ in {1..9}; do box systemctl restart sshd 2>/dev/null || true; done
is_in_state sshd.service failed
[ "$(property sshd Result)" = start-limit-hit ]
check_ends 2
[[ $(said_by_check) = *"sshd.service is failed (result start-limit-hit"*"it ought to run and does not listen"* ]]
await 20 "the metrics to tell" metric_is sshd.service 0
told KEEPALIVE_EVENT=refused
look_again
is_in_state sshd.service failed
box systemctl reset-failed sshd
box systemctl start sshd
await 20 "the metrics to tell" metric_is sshd.service 1
checks

step "an instance that is lost is remembered like the host's own sshd"
printf 'Port 2222\nPidFile /run/sftp.pid\nInclude /etc/ssh/sshd_config.d/zz-*.conf\n' >"$(box_path /etc/ssh)/sftp_config"
printf '\n[[sshd_config.instance]]\nfile = "/etc/ssh/sftp_config"\nunit = "sftp.service"\n' >>"$(box_path $policy)"
port=2222 ssh_unit sftp.service 'ExecStart=/usr/sbin/sshd -D -f /etc/ssh/sftp_config' Restart=on-failure "${lines[@]}"
box systemctl reload $unit
await 20 "everything to be in force" checks
await 20 "the metrics to tell of sftp.service" metric_is sftp.service 1
mark_journal
box touch /run/saboteur
sed -i '1i ClientAliveInterval 7' "$(box_path /etc/ssh)/sftp_config"
await 60 "it to be told that sshd is down" tells_that_it_is_down
await 10 "the record of it" is_recorded sftp.service
box systemctl restart $unit
await 20 "the metrics to tell" metric_is sftp.service 0
await 20 "the metrics to tell of sshd.service" metric_is sshd.service 1
mend
await 20 "the instance to be started" greets 2222
await 20 "everything to be in force" checks
await 20 "the record of sftp.service to go" is_not_recorded sftp.service
step "passed"
