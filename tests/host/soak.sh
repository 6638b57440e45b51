#!/usr/bin/env bash
# soak.sh [SECONDS]: random drift in every place and way, rivals, and kill -9 and restarts at random moments.
# At the end everything is as declared, every drift that the kernel and sshd saw undone is accounted for in
# journal and metrics, no temporary file is left, and neither memory nor descriptors grew.
set -eEuo pipefail
# shellcheck source=observe.sh
. "$(dirname "$0")/observe.sh"
seconds=${1:-60}
RANDOM=${KEEPALIVE_SEED:-$((EPOCHSECONDS % 32768))}
echo "seed $RANDOM; KEEPALIVE_SEED repeats it"
trap 'box journalctl --no-pager --quiet --lines=60 --unit="$unit" >&2' ERR

sysctl_settings=(net.ipv4.tcp_keepalive_time net.ipv4.tcp_keepalive_intvl net.ipv4.tcp_keepalive_probes)
pick() { local -n list=$1; echo "${list[RANDOM % ${#list[@]}]}"; }
of_daemon() { cat "$(box_path "/proc/$(property "$unit" MainPID)/$1")"; }
pss() { of_daemon smaps_rollup | awk '/^Pss:/ { print $2 }'; }
descriptors() { find "$(box_path "/proc/$(property "$unit" MainPID)/fd")" -mindepth 1 | wc -l; }
unit_runs() { [ "$(property "$unit" ActiveState)" = active ] && [ "$(property "$unit" SubState)" = running ]; }
page=/var/lib/prometheus/node-exporter/keepalive_policy.prom
counted() { awk -v metric="keepalive_policy_drifts_total{resource=\"$1\"" 'index($0, metric) == 1 { sum += $NF } END { print sum + 0 }' "$(box_path $page)"; }
counted_is() { [ "$(counted "$1")" = "$2" ]; }
counted_more() { [ "$(counted "$1")" -gt "$2" ]; }
leftovers() { box find /etc /var/lib/keepalive-policy -name '*keepalive-policy-new'; }

in_force() {
    local setting
    for setting in "${sysctl_settings[@]}"; do
        live_is "$setting" "$(declared "$setting")" && boot_sets "$setting" "$(declared "$setting")" || return
    done
    sshd_gives root ClientAliveInterval "$(declared ClientAliveInterval)" &&
        sshd_gives bob ClientAliveCountMax "$(declared ClientAliveCountMax)"
}

# shellcheck disable=SC2034  # by name, in pick
drifts=(live live live later earlier delete_sysctl delete_sshd edit_sysctl edit_sshd append rival killed restarted)
drift() {
    local setting value=$((RANDOM % 50 + 1))
    setting=$(pick sysctl_settings)
    case $1 in
        live) box sysctl -qw "$setting=$value" ;;
        later) echo "$setting = $value" >"$(box_path /etc/sysctl.d)/zz-$((RANDOM % 4)).conf" ;;
        earlier) echo "ClientAliveInterval $value" >"$(box_path /etc/ssh/sshd_config.d)/00-$((RANDOM % 4)).conf" ;;
        delete_sysctl) box sh -c 'rm -f /etc/sysctl.d/*keepalive-policy*' ;;
        delete_sshd) box sh -c 'rm -f /etc/ssh/sshd_config.d/*keepalive-policy*' ;;
        edit_sysctl) box sh -c "sed -i 's/^$setting.*/$setting = $value/' /etc/sysctl.d/*keepalive-policy* 2>/dev/null || true" ;;
        edit_sshd) box sh -c "sed -i 's/^ClientAliveCountMax.*/ClientAliveCountMax $value/' /etc/ssh/sshd_config.d/*keepalive-policy* 2>/dev/null || true" ;;
        append) echo "    ClientAliveCountMax $value" >>"$(box_path /etc/ssh/sshd_config)" ;;
        rival) box sh -c "i=0; while [ \$i -lt 3000 ]; do echo $value >/proc/sys/${setting//.//}; i=\$((i + 1)); done" ;;
        # Between two starts there is none, and 0 would be ourselves.
        killed) box sh -c "pid=\$(systemctl show --property=MainPID --value $unit); [ \$pid = 0 ] || kill -9 \$pid 2>/dev/null || true" ;;
        restarted) box systemctl restart --no-block "$unit" ;;
    esac
}

boot_with_tree
printf '\nMatch User bob\n    X11Forwarding no\n' >>"$(box_path /etc/ssh/sshd_config)"
install_in_box >/dev/null 2>&1
mkdir -p "$(box_path ${page%/*})"
printf '\n[metrics]\ntextfile = "%s"\n' $page >>"$(box_path $policy)"
# kill -9 comes more often than systemd would put up with.
mkdir -p "$(box_path /etc/systemd/system)/$unit.d"
printf '[Unit]\nStartLimitIntervalSec=0\n[Service]\nRestartSec=100ms\n' >"$(box_path /etc/systemd/system)/$unit.d/soak.conf"
box systemctl daemon-reload
box systemctl enable --now --quiet "$unit"
sshd_pid=$(property ssh MainPID)

count=0 killed=0 restarted=0 end=$((SECONDS + seconds))
while [ $SECONDS -lt $end ]; do
    what=$(pick drifts)
    case $what in
        killed) killed=$((killed + 1)) ;;
        restarted) restarted=$((restarted + 1)) ;;
    esac
    count=$((count + 1))
    drift "$what"
    rest "0.$((RANDOM % 8))"
done
await 60 "the daemon to run" unit_runs
await 150 "everything to be in force" in_force
echo "$count drifts, $killed of them a kill -9 and $restarted a restart: everything is as declared"
[ -z "$(leftovers)" ]
[ "$(property ssh MainPID)" = "$sshd_pid" ]
[ "$(property "$unit" NRestarts)" -le "$killed" ]

# Without kills, from a state at rest to a state at rest, each drift is told and counted, and nothing grows.
# Each of these drifts for sure.
ours() { find "$(box_path /etc/sysctl.d)" -name '*keepalive-policy.conf' -printf '%f\n' | sed 's/keepalive-policy.conf$//'; }
accounted() {
    local what=$1 value=$((100 + RANDOM % 100)) setting=net.ipv4.tcp_keepalive_time resource=sysctl found before
    mark_journal
    case $what in
        live) setting=$(pick sysctl_settings) ;;
        earlier | delete_sshd) resource=sshd_config setting=ClientAliveInterval ;;
    esac
    found=$value before=$(counted $resource)
    case $what in
        live) box sysctl -qw "$setting=$value" ;;
        later) echo "$setting = $value" >"$(box_path /etc/sysctl.d)/~$(ours)$number.conf" ;;
        earlier) box sed -i "1i $setting $value" /etc/ssh/sshd_config ;;
        delete_sysctl) box sh -c 'rm -f /etc/sysctl.d/~* /etc/sysctl.d/*keepalive-policy*' ;;
        delete_sshd) box sh -c 'rm -f /etc/ssh/sshd_config.d/*; cp /root/sshd_config /etc/ssh/sshd_config' ;;
    esac
    case $what in
        delete_*) await 70 "the $what to be told" told KEEPALIVE_EVENT=corrected KEEPALIVE_RESOURCE=$resource ;;
        *) await 70 "the $what of $setting to be told" told KEEPALIVE_EVENT=corrected \
            KEEPALIVE_SETTING="$setting" KEEPALIVE_FOUND="$found" ;;
    esac
    if [ "$what" = live ]; then
        await 10 "the $what to be counted" counted_is $resource $((before + 1))
    else
        await 10 "the $what to be counted" counted_more $resource "$before"
    fi
    # A quarrel over one of them would be another test; another policy ends it.
    [ $((number % 4)) != 0 ] || box systemctl reload "$unit"
}

box sh -c "rm -f /etc/sysctl.d/zz*.conf /etc/ssh/sshd_config.d/00-*.conf; sed -i '/^Match User bob/,\$d' /etc/ssh/sshd_config"
box sh -c "sed '/^# BEGIN keepalive-policy/,/^# END keepalive-policy/d' /etc/ssh/sshd_config >/root/sshd_config"
box systemctl restart "$unit"
await 60 "everything to be in force" in_force
number=0
for what in live later earlier delete_sysctl delete_sshd; do
    number=$((number + 1))
    accounted $what
done
pss=$(pss) descriptors=$(descriptors)
# shellcheck disable=SC2034  # by name, in pick
surely=(live live later earlier delete_sysctl delete_sshd)
for _ in $(seq 1 $((seconds / 12))); do
    number=$((number + 1))
    accounted "$(pick surely)"
done
await 70 "everything to be in force" in_force
echo "$number drifts more, each of them told and counted"
echo "PSS from $pss to $(pss) kB, descriptors from $descriptors to $(descriptors)"
[ "$(pss)" -le $((pss + 400)) ]
[ "$(descriptors)" -le "$descriptors" ]
echo "passed"
