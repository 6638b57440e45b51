#!/usr/bin/env bash
# hostile-view.sh: an sshd whose mounts show it other files than the daemon's. What can't be judged is not
# reloaded, unless the unit's own reload tests it first; what is certain is kept right.
set -eEuo pipefail
# shellcheck source=ssh-units.sh
. "$(dirname "$0")/ssh-units.sh"

main=/etc/ssh/sshd_config
sshd=('ExecStart=/usr/sbin/sshd -D' KillMode=process Restart=no)
# shellcheck disable=SC2016  # for systemd
bare=('ExecReload=/bin/kill -HUP $MAINPID')

loads() { box journalctl --quiet --unit=sshd --grep='Received SIGHUP' --case-sensitive=yes | wc -l; }
ours() { box sh -c 'cat /etc/ssh/sshd_config.d/*keepalive-policy*'; }
ours_has() { ours | grep -q "^ClientAliveInterval $1\$"; }
spoil() { box sh -c 'sed -i "s/^ClientAliveInterval .*/ClientAliveInterval 9/" /etc/ssh/sshd_config.d/*keepalive-policy*'; }

# The daemon says WHAT once, however often it looks.
says_once() {
    local event=$1 what=$2
    await 20 "the daemon to say: $what" says "$event" "$what"
    look_again
    [ "$(journal KEEPALIVE_EVENT="$event" | grep -c "$what")" = 1 ]
}
says() { journal KEEPALIVE_EVENT="$1" | grep -q "$2"; }

boot_with_tree
install_in_box >/dev/null 2>&1
interval=$(declared ClientAliveInterval)
without_ssh_service

step "the mounts of our own unit are no difference, though it has many"
ssh_unit sshd.service "${sshd[@]}" "${bare[@]}"
start_daemon
pid=$(main_pid sshd)
daemon=$(main_pid $unit)
[ "$(box sh -c "grep -c . /proc/$daemon/mountinfo")" -gt "$(box sh -c "grep -c . /proc/$pid/mountinfo")" ]
mark_journal
spoil
undone ClientAliveInterval
[ "$(loads)" -ge 1 ]
refuses says notice 'does not see the same'
checks

step "Include /var/tmp/x/*.conf, hidden from the daemon by PrivateTmp, and broken; a reload that tests nothing"
box sh -c "mkdir -p /var/tmp/x && echo 'Include /var/tmp/x/*.conf' >>$main"
box systemctl restart sshd
await 10 "sshd to listen" greets 22
pid=$(main_pid sshd)
before=$(loads)
box sh -c 'echo NoSuchKeyword yes >/var/tmp/x/broken.conf'
mark_journal
spoil
await 20 "the drop-in to be right" ours_has "$interval"
await 20 "the daemon to say that sshd is not reloaded" says conflict 'sshd.service is not reloaded: sshd does not see the same /var/tmp/x'
look_again
look_again
[ "$(loads)" = "$before" ]
[ "$(main_pid sshd)" = "$pid" ]
greets 22
box rm /var/tmp/x/broken.conf

step "...a reload that tests first is made, and where the test fails sshd stays"
box systemctl stop $unit
ssh_unit sshd.service "${sshd[@]}" 'ExecReload=/usr/sbin/sshd -t' "${bare[@]}"
pid=$(main_pid sshd)
mark_journal
box systemctl start $unit
says_once notice 'does not see the same /var/tmp/x'
spoil
await 20 "the drift to be undone" told KEEPALIVE_EVENT=corrected KEEPALIVE_SETTING=ClientAliveInterval
says applied 'reload sshd.service'
checks
box sh -c 'echo NoSuchKeyword yes >/var/tmp/x/broken.conf'
mark_journal
echo 'ClientAliveInterval 7' >"$(drop_in '!rival.conf')"
await 30 "the reload to be refused" told KEEPALIVE_EVENT=failed
[ "$(main_pid sshd)" = "$pid" ]
greets 22
rm "$(drop_in '!rival.conf')"
box rm /var/tmp/x/broken.conf
box systemctl stop $unit
box sed -i '$d' $main
box systemctl reload sshd

step "BindPaths=/srv/x:/etc/ssh: the main file is another one, so everything is left alone"
box cp -a /etc/ssh /srv/x
ssh_unit sshd.service "${sshd[@]}" "${bare[@]}" BindPaths=/srv/x:/etc/ssh
pid=$(main_pid sshd)
before=$(loads)
box sh -c 'echo NoSuchKeyword yes >>/srv/x/sshd_config'
spoil
mark_journal
box systemctl start $unit
says_once refused 'sshd.service: sshd does not see the same /etc/ssh/sshd_config as we do: its mounts lead to /srv/x/'
ours_has 9
[ "$(loads)" = "$before" ]
[ "$(main_pid sshd)" = "$pid" ]
greets 22
code=0; box keepalive-policy check >/dev/null 2>&1 || code=$?
[ $code = 2 ]
code=0; box keepalive-policy apply >/dev/null 2>&1 || code=$?
[ $code = 2 ]
[ "$(loads)" = "$before" ]
greets 22
step "...and again ours, once the unit has no such mount"
mark_journal
ssh_unit sshd.service "${sshd[@]}" "${bare[@]}"
box systemctl reload $unit
await 20 "everything to be in force" checks
ours_has "$interval"

step "RootDirectory=: neither the program nor the files are ours"
box systemctl stop $unit
box sh -c 'mkdir -p /chroots/x && for d in bin etc lib lib64 run usr var dev proc sys; do [ ! -e /$d ] || mkdir -p /chroots/x/$d; done'
ssh_unit sshd.service "${sshd[@]}" "${bare[@]}" RootDirectory=/chroots/x MountAPIVFS=yes \
    'BindReadOnlyPaths=/usr /bin /lib -/lib64 /etc' BindPaths=/var
pid=$(main_pid sshd)
spoil
mark_journal
box systemctl start $unit
says_once refused 'sshd.service: its sshd and the files of that are inside RootDirectory=/chroots/x'
ours_has 9
[ "$(main_pid sshd)" = "$pid" ]
step "passed"
