#!/usr/bin/env bash
# hostile-brake.sh: a brake for people. A pause stops corrections at once and for its time, whatever becomes
# of the daemon, the policy and the boot.
set -eEuo pipefail
# shellcheck source=ssh-units.sh
. "$(dirname "$0")/ssh-units.sh"

time=net.ipv4.tcp_keepalive_time

keepalive() { box keepalive-policy "$@"; }
# says FIELD PATTERN: a field of `status` as data.
says() { shows "\"$1\": $2" --format json status; }
# shows PATTERN COMMAND…: whatever its exit code.
shows() { local pattern=$1; shift; grep -q "$pattern" <<<"$(keepalive "$@" 2>&1 || true)"; }
not_running() { ! keepalive status >/dev/null 2>&1; }
drift() {
    box sysctl -qw $time=7200
    box sh -c "sed -i 's/^ClientAliveInterval .*/ClientAliveInterval 7/' /etc/ssh/sshd_config.d/*keepalive-policy.conf"
}
# Each resource has looked, and left it.
stands() {
    await 20 "the drift of $time to be reported" told KEEPALIVE_EVENT=drift KEEPALIVE_SETTING=$time
    await 20 "the drift of ClientAliveInterval to be reported" \
        told KEEPALIVE_EVENT=drift KEEPALIVE_SETTING=ClientAliveInterval
    live_is $time 7200
    sshd_gives root ClientAliveInterval 7
    refuses told KEEPALIVE_EVENT=corrected
    refuses told KEEPALIVE_EVENT=applied
}
# The values are right before the daemon says so: what it says of this drift is not part of the next one.
corrected() {
    local setting
    await 20 "$time to be corrected" live_is $time "$(declared $time)"
    await 20 "sshd to be corrected" sshd_gives root ClientAliveInterval "$(declared ClientAliveInterval)"
    await 20 "everything to be in force" checks
    for setting; do
        await 20 "the journal to tell of $setting" told KEEPALIVE_EVENT=corrected KEEPALIVE_SETTING="$setting"
    done
}

boot_with_tree
install_in_box >/dev/null 2>&1
box systemctl enable --quiet $unit
start_daemon

step "a pause: the journal tells of it at once, drift is reported and stands"
mark_journal
keepalive pause 1h >/dev/null
await 10 "the journal to tell of the pause" told KEEPALIVE_EVENT=paused
drift
stands
shows 'corrections are paused until' check
says paused_until '1[0-9]*'
await 10 "systemd to show it" box sh -c "systemctl status $unit | grep -q 'Status:.*paused until'"
box sed -i "s|^#* *textfile.*||; \$a [metrics]\ntextfile = \"/run/keepalive-policy/metrics.prom\"" $policy
await 10 "the metrics to show it" box grep -qx 'keepalive_policy_paused 1' /run/keepalive-policy/metrics.prom
journal KEEPALIVE_EVENT=would | grep 'paused: nothing is changed' >/dev/null

step "it survives a restart of the daemon"
mark_journal
box systemctl restart $unit
told KEEPALIVE_EVENT=paused
stands

step "and one with a policy that is refused"
box systemctl stop $unit
box cp $policy /root/policy
echo 'nonsense = 1' >>"$(box_path $policy)"
refuses box systemctl start $unit 2>/dev/null
keepalive resume >/dev/null
refuses shows paused status
keepalive pause 1h >/dev/null
not_running
shows 'paused until' status
box cp /root/policy $policy
mark_journal
box systemctl start $unit
stands

step "and a reboot"
box_reboot
await 20 "the daemon to run" says running true
journal_mark=@0
box sysctl -qw $time=7200
mark_journal
box systemctl restart $unit
stands

step "resume: what drifted is corrected at once"
mark_journal
keepalive resume >/dev/null
corrected $time ClientAliveInterval
told KEEPALIVE_EVENT=resumed
says paused_until null
await 10 "the metrics to show it" box grep -qx 'keepalive_policy_paused 0' /run/keepalive-policy/metrics.prom

step "a pause ends by itself, when its time is over"
mark_journal
keepalive pause 5s >/dev/null
box sysctl -qw $time=7200
await 5 "the drift to be reported" told KEEPALIVE_EVENT=drift KEEPALIVE_SETTING=$time
live_is $time 7200
refuses told KEEPALIVE_EVENT=corrected
corrected $time
told KEEPALIVE_EVENT=resumed
box test ! -e /var/lib/keepalive-policy/pause.json

step "a wall clock that is set neither ends nor prolongs it"
# The box has the clock of this machine: what a clock that was set leaves is a record of another time.
keepalive pause 1h >/dev/null
box sed -i 's/"wall": [0-9]*/"wall": 1/' /var/lib/keepalive-policy/pause.json
shows 'corrections are paused until' check
keepalive resume >/dev/null

step "a damaged record stops corrections, loudly, until resume"
await 20 "everything to be in force" checks
mark_journal
box sh -c 'echo "{" >/var/lib/keepalive-policy/pause.json'
await 10 "the journal to tell of it" told KEEPALIVE_EVENT=paused PRIORITY=3
drift
stands
keepalive resume >/dev/null
corrected $time ClientAliveInterval

step "who may not, may not"
box useradd -m carol
grep -q 'needs root' <<<"$(box setpriv --reuid=carol --clear-groups keepalive-policy pause 1h 2>&1 || true)"
await 5 "nothing to be paused" says paused null

step "an sshd that we lost is started, pause or not"
without_ssh_service
stand_in /usr/local/sbin/sshd <<'WRAPPER'
if [ -e /run/deadly ] && [ "$SSHD_HAS_RUN" = $$ ]; then exit 255; fi
[ ! -e /run/down ] || [ "$1" != -D ] || exit 255
SSHD_HAS_RUN=$$ exec -a "$program" /usr/sbin/sshd "$@"
WRAPPER
# shellcheck disable=SC2016  # for systemd
ssh_unit sshd.service 'ExecStart=/usr/local/sbin/sshd -D' 'ExecReload=/bin/kill -HUP $MAINPID' \
    KillMode=process Restart=on-failure RestartPreventExitStatus=255
box systemctl restart $unit
await 20 "everything to be in force" checks
box touch /run/deadly /run/down
mark_journal
box sh -c "echo 'ClientAliveInterval 9' >/etc/ssh/sshd_config.d/!rival.conf"
tells_that_it_is_down() { journal KEEPALIVE_EVENT=failed | grep -q 'sshd does NOT run'; }
await 60 "it to be told that sshd is down" tells_that_it_is_down
keepalive pause 1h >/dev/null
box rm /run/deadly /run/down
await 70 "sshd to be started" greets 22
keepalive resume >/dev/null
echo "passed"
