#!/usr/bin/env bash
# socket.sh: ssh.socket listens and starts one sshd for all, as Ubuntu has it. Since OpenSSH dies of a
# reload there, it is restarted: sessions and the socket stay.
set -eEuo pipefail
export KEEPALIVE_BOX_SUITE=${KEEPALIVE_BOX_SUITE:-trixie}
# shellcheck source=ssh-units.sh
. "$(dirname "$0")/ssh-units.sh"

ssh_is() { [ "$(property ssh.service ActiveState)" = "$1" ]; }
socket_listens() { [ "$(property ssh.socket ActiveState)" = active ] && greets 22; }
has_died() { box journalctl --quiet --unit=ssh.service --grep='Cannot bind any address'; }
interval=$(declared ClientAliveInterval)

boot_with_tree
install_in_box >/dev/null 2>&1
box systemctl disable --quiet --now ssh.service
box systemctl enable --quiet --now ssh.socket
box ssh -V

step "nobody has connected yet: the files are set right, and nothing is started"
mark_journal
box systemctl start $unit
await 20 "everything to be in force" checks
echo 'ClientAliveInterval 7' >"$(drop_in 00-cloud-init.conf)"
undone ClientAliveInterval
ssh_is inactive

step "the first connection starts sshd; a drift is undone by a restart"
open_session
session_lives
ssh_is active
pid=$(main_pid ssh)
socket=$(property ssh.socket ActiveEnterTimestampMonotonic)
mark_journal
echo 'ClientAliveInterval 8' >"$(drop_in '!rival.conf')"
undone ClientAliveInterval
journal KEEPALIVE_EVENT=applied | grep -q 'restart ssh.service'
ssh_is active
[ "$(main_pid ssh)" != "$pid" ]
sshd_gives root ClientAliveInterval "$interval"

step "...which the session and the socket outlive"
session_lives
[ "$(property ssh.socket ActiveState)" = active ]
[ "$(property ssh.socket ActiveEnterTimestampMonotonic)" = "$socket" ]
greets 22
refuses has_died

step "a rival that writes all the time: two restarts in ten seconds, and the socket stays"
box systemctl stop $unit
box rm '/etc/ssh/sshd_config.d/!rival.conf'
box keepalive-policy apply >/dev/null 2>&1 || true
greets 22
is_restarted_twice ssh
ssh_is active
socket_listens
session_lives

step "...and none where that would leave no start before the unit's limit, which fails the socket too"
mkdir -p "$(box_path /etc/systemd/system)/ssh.service.d"
printf '[Unit]\nStartLimitBurst=2\nStartLimitIntervalSec=1h\n' >"$(box_path /etc/systemd/system)/ssh.service.d/limit.conf"
box systemctl daemon-reload
await 20 "ten seconds without a start of ssh" was_not_started_lately ssh
mark_journal
box sh -c 'sed -i "s/^ClientAliveInterval .*/ClientAliveInterval 99/" /etc/ssh/sshd_config.d/*keepalive-policy*'
said=$(box keepalive-policy apply 2>&1 | tr -s ' \n' ' ') || true
[ -z "$(box journalctl --quiet --since="$journal_mark" --unit=ssh --grep='Started ssh')" ]
[[ $said = *"its limit is StartLimitBurst=2"* ]]
[ "$(property ssh.service Result)" = success ]
socket_listens
session_lives
close_session
step "passed"
