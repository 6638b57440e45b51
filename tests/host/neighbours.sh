#!/usr/bin/env bash
# neighbours.sh: programs that mean no harm, and do beside what the daemon watches something without end.
# It stays under two percent of a core, and still undoes what drifts.
set -eEuo pipefail
# shellcheck source=observe.sh
. "$(dirname "$0")/observe.sh"
trap 'box journalctl --no-pager --quiet --lines=40 --unit="$unit" >&2' ERR

# Hundredths of a second that the daemon and all it started have used.
used() { awk '{ print $14 + $15 + $16 + $17 }' "$(box_path "/proc/$(property "$unit" MainPID)/stat")"; }
neighbour() { box systemd-run --quiet --nice=19 --unit="neighbour-$1" sh -c "while :; do $2; done"; }

# costs TITLE: what it uses beside that neighbour, once it has noticed that looking is of no use.
costs() {
    local before percent limit=2
    # What is not optimised takes several times as long.
    [ "${KEEPALIVE_BUILD:-release}" != debug ] || limit=6
    rest 15
    before=$(used)
    rest 20
    percent=$(awk -v ticks="$(($(used) - before))" 'BEGIN { printf "%.2f", ticks / 20 }')
    echo "beside a program that $1: $percent % of a core"
    awk -v percent="$percent" -v limit=$limit 'BEGIN { exit !(percent < limit) }'
}

boot_with_tree
install_in_box >/dev/null 2>&1
box systemctl enable --now --quiet "$unit"
box mkdir -p /mnt/a /mnt/b /root/over.d
echo 'ClientAliveInterval 7' >"$(box_path /root/over.d)/a.conf"

neighbour file 'echo x >/etc/unrelated'
costs 'writes another file in /etc'
box systemctl stop neighbour-file

neighbour mount 'mount --bind /mnt/a /mnt/b; umount /mnt/b'
costs 'mounts'
mark_journal
box mount --bind /root/over.d /etc/ssh/sshd_config.d
await 20 "what was mounted over the drop-ins to be told of" told KEEPALIVE_EVENT=corrected \
    KEEPALIVE_TRIGGER=inotify KEEPALIVE_SETTING=ClientAliveInterval
await 20 "sshd's values" sshd_gives root ClientAliveInterval 120
box systemctl stop neighbour-mount

neighbour value 'echo 600 >/proc/sys/net/ipv4/tcp_keepalive_time'
costs 'writes what is in force already'
box sysctl -qw net.ipv4.tcp_keepalive_probes=3
await 2 "the number of probes" live_is net.ipv4.tcp_keepalive_probes 9
box systemctl stop neighbour-value

# Looking at sshd is dear: what it may cost at once is used up first.
neighbour touch 'touch /etc/ssh/sshd_config'
rest 25
costs 'touches sshd_config'
mark_journal
echo 'ClientAliveInterval 8' >"$(box_path /root/over.d)/!.conf"
await 30 "it to be told" told KEEPALIVE_EVENT=corrected KEEPALIVE_SETTING=ClientAliveInterval
box systemctl stop neighbour-touch
[ "$(property "$unit" NRestarts)" = 0 ]
echo "passed"
