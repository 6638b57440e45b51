#!/usr/bin/env bash
# instances.sh: a second sshd with a main file, a port and a unit of its own, declared in the policy.
set -eEuo pipefail
# shellcheck source=ssh-units.sh
. "$(dirname "$0")/ssh-units.sh"

# What the instance would give a connection of USER.
instance_says() {
    box sshd -T -f /etc/ssh/sftp_config -C "user=$1,host=client.example,addr=192.0.2.1,lport=2222" |
        awk -v keyword="${2,,}" 'tolower($1) == keyword { print $2 }'
}

instance_gives() { [ "$(instance_says "$1" "$2")" = "$3" ]; }
interval=$(declared ClientAliveInterval)
main() { box_path /etc/ssh/sftp_config; }
is_as_it_was() { cmp -s "$kept" "$(main)"; }
adopt() { box systemctl reload $unit; }

kept=$(mktemp)
trap 'box_stop; rm -f "$kept"' EXIT
boot_with_tree
install_in_box >/dev/null 2>&1
printf 'Port 2222\nPidFile /run/sftp.pid\nClientAliveInterval 7\nMatch User bob\n    ClientAliveInterval 9\n' \
    >"$(main)"
cp -a "$(main)" "$kept"
# shellcheck disable=SC2016  # for systemd
port=2222 ssh_unit sftp.service 'ExecStart=/usr/sbin/sshd -D -f /etc/ssh/sftp_config' \
    'ExecReload=/bin/kill -HUP $MAINPID' KillMode=process
open_session 2222
session_lives
pid=$(main_pid sftp)
own_pid=$(main_pid ssh)

step "an instance that is not declared is not touched"
start_daemon
is_as_it_was

step "declared, it is governed like the host's own sshd"
mark_journal
printf '\n[[sshd_config.instance]]\nfile = "/etc/ssh/sftp_config"\nunit = "sftp.service"\n' \
    >>"$(box_path $policy)"
adopt
undone ClientAliveInterval
journal KEEPALIVE_EVENT=corrected | grep -q 'found 7 (/etc/ssh/sftp_config:3), .*(sftp.service: global)'
journal KEEPALIVE_EVENT=corrected | grep -q '(sftp.service: Match User bob)'
journal KEEPALIVE_EVENT=applied | grep -q 'sftp.service: reload sftp.service'
instance_gives root ClientAliveInterval "$interval"
instance_gives bob ClientAliveInterval "$interval"
[ "$(main_pid sftp)" = "$pid" ]
greets 2222
session_lives
box keepalive-policy status >/dev/null

step "...when it drifts, and without a reload of the other one"
mark_journal
own_reloads=$(box journalctl --quiet --unit=ssh --grep='Received SIGHUP' | wc -l)
{ echo 'ClientAliveInterval 8'; cat "$kept"; } >"$(main)"
undone ClientAliveInterval
instance_gives bob ClientAliveInterval "$interval"
[ "$(main_pid sftp)" = "$pid" ]
[ "$(box journalctl --quiet --unit=ssh --grep='Received SIGHUP' | wc -l)" = "$own_reloads" ]
session_lives

step "...and what it refuses keeps only it from being governed"
mark_journal
cp -a "$(main)" "$kept.good"
{ echo 'NoSuchKeyword yes'; cat "$kept.good"; } >"$(main)"
await 20 "the refusal to be told" told KEEPALIVE_EVENT=refused
journal KEEPALIVE_EVENT=refused | grep -q 'sftp.service: sshd refuses its configuration'
mark_journal
echo 'ClientAliveInterval 9' >"$(drop_in '!rival.conf')"
await 20 "the host's own sshd to be set right" told KEEPALIVE_EVENT=corrected KEEPALIVE_FOUND=9
rm "$(drop_in '!rival.conf')"
greets 2222
cat "$kept.good" >"$(main)"
rm "$kept.good"
await 20 "everything to be in force" checks

step "no longer declared, it gets its own file back, and is forgotten"
sed -i '/^ClientAliveInterval 8$/d' "$(main)"
await 20 "everything to be in force" checks
sed -i '/^\[\[sshd_config.instance/,$d' "$(box_path $policy)"
adopt
await 20 "the instance to be put back" is_as_it_was
instance_gives root ClientAliveInterval 7
await 20 "its listener to have it" greets 2222
session_lives
box keepalive-policy check >/dev/null

step "restore finds an instance that the policy does not name"
printf '\n[[sshd_config.instance]]\nfile = "/etc/ssh/sftp_config"\nunit = "sftp.service"\n' \
    >>"$(box_path $policy)"
adopt
await 20 "the instance to be governed" instance_gives bob ClientAliveInterval "$interval"
await 20 "everything to be in force" checks
box systemctl stop $unit
sed -i '/^\[\[sshd_config.instance/,$d' "$(box_path $policy)"
box keepalive-policy restore >/dev/null
is_as_it_was
[ "$(main_pid sftp)" = "$pid" ]
[ "$(main_pid ssh)" = "$own_pid" ]
session_lives

step "an instance whose unit reads another file is not touched"
printf '\n[[sshd_config.instance]]\nfile = "/etc/ssh/sftp_config.old"\nunit = "sftp.service"\n' \
    >>"$(box_path $policy)"
cp "$kept" "$(main).old"
status=0
box keepalive-policy apply >/dev/null || status=$?
[ $status = 2 ]
cmp "$kept" "$(main).old"
close_session
step "passed"
