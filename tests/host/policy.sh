#!/usr/bin/env bash
# policy.sh: reload returns when the policy is in force; fragments; audit mode changes nothing, byte for byte;
# the catalog; the witness; and the daemon in a terminal, without a service manager.
set -eEuo pipefail
# shellcheck source=observe.sh
. "$(dirname "$0")/observe.sh"
trap 'explain "$LINENO" "$BASH_COMMAND"' ERR

explain() {
    printf '\nfailed at line %s: %s\n' "$1" "$2"
    box journalctl --no-pager --quiet --lines=30 --unit="$unit"
} >&2

fails() { ! "$@"; }
write() { cat >"$(box_path "$1")" && chmod 0644 "$(box_path "$1")"; }
# Contents, modes, owners and times of change of all that audit mode might touch.
everything() {
    # The unit's own state directory is made by systemd, and stays empty.
    box find /etc /var/lib /usr/lib /usr/local /root -xdev ! -path '/var/lib/systemd/*' \
        ! -path '/etc/keepalive-policy*' ! -path /var/lib ! -path /var/lib/keepalive-policy -printf '%p %y %m %u %g %s %T@ %C@\n' | sort
    box sh -c 'cat /proc/sys/net/ipv4/tcp_keepalive_*'
}
time=net.ipv4.tcp_keepalive_time

boot_with_tree --capability=CAP_SYS_PTRACE --system-call-filter='bpf fanotify_init fanotify_mark'
install_in_box >/dev/null 2>&1

echo "audit: what is wrong is reported, and nothing is changed"
box sed -i 's/^mode = .*/mode = "audit"/' $policy
everything >/tmp/before.$$
trap 'rm -f /tmp/before.$$; box_stop' EXIT
mark_journal
box systemctl enable --quiet "$unit"
everything >/tmp/before.$$
box systemctl start "$unit"
box sysctl -qw $time=7000
await 10 "what would be done" told KEEPALIVE_EVENT=would KEEPALIVE_RESOURCE=sysctl
await 10 "what would be done" told KEEPALIVE_EVENT=would KEEPALIVE_RESOURCE=sshd_config
await 10 "the drift" told KEEPALIVE_EVENT=drift KEEPALIVE_SETTING=$time KEEPALIVE_FOUND=7000
box sysctl -qw $time=7200
await 10 "the drift" told KEEPALIVE_EVENT=drift KEEPALIVE_SETTING=$time KEEPALIVE_FOUND=7200
box systemctl stop "$unit"
diff /tmp/before.$$ <(everything)
box test ! -e /var/lib/keepalive-policy/originals.json
[ -z "$(box ls -A /var/lib/keepalive-policy)" ]

echo "reload returns when the policy is in force"
box sed -i 's/^mode = .*/mode = "enforce"/' $policy
box systemctl start "$unit"
box sed -i 's/^ClientAliveInterval = .*/ClientAliveInterval = 33/; s/^net.ipv4.tcp_keepalive_time = .*/net.ipv4.tcp_keepalive_time = 601/' $policy
box systemctl reload "$unit"
sshd_gives root ClientAliveInterval 33
live_is $time 601
boot_sets $time 601
[ "$(property "$unit" ActiveState)" = active ]
for seconds in 41 42 43; do
    box sed -i "s/^ClientAliveInterval = .*/ClientAliveInterval = $seconds/" $policy
    box systemctl reload "$unit"
    sshd_gives root ClientAliveInterval $seconds
done
echo "...and fails, with the reason, when it is refused"
box cp $policy /root/policy
echo 'nonsense = 1' >>"$(box_path $policy)"
fails box systemctl reload "$unit" 2>/dev/null
[ "$(property "$unit" ActiveState)" = active ]
box systemctl status "$unit" | grep '43\|settings in force' >/dev/null
sshd_gives root ClientAliveInterval 43
box keepalive-policy --format json status | grep '"policy_refused": "' >/dev/null
box cp /root/policy $policy
await 10 "the refusal to be forgotten" box sh -c 'keepalive-policy --format json status | grep -q "\"policy_refused\": null"'

echo "fragments: later ones win, taken over as they come, change and go"
box mkdir -m 0755 /etc/keepalive-policy.d
printf '[sysctl]\n%s = 300\n' $time | write /etc/keepalive-policy.d/10-a.toml
await 10 "the fragment" live_is $time 300
printf '[sysctl]\n%s = 200\n' $time | write /etc/keepalive-policy.d/20-b.toml
await 10 "the later fragment" live_is $time 200
box keepalive-policy explain | grep "^$time, declared in /etc/keepalive-policy.d/20-b.toml:2$" >/dev/null
box rm /etc/keepalive-policy.d/20-b.toml
await 10 "the earlier fragment" live_is $time 300
mark_journal
printf '[sysctl]\n%s = 0\n' $time | write /etc/keepalive-policy.d/30-c.toml
await 10 "the refusal" told KEEPALIVE_EVENT=policy PRIORITY=3
journal KEEPALIVE_EVENT=policy PRIORITY=3 | grep '/etc/keepalive-policy.d/30-c.toml:2:' >/dev/null
live_is $time 300
box rm -r /etc/keepalive-policy.d
await 10 "the policy without fragments" live_is $time 601

echo "a setting that leaves the policy gets its old value back"
box sed -i "/^$time/d" $policy
await 10 "the old value" live_is $time 7200
box cp /root/policy $policy
await 10 "the declared value" live_is $time 601

echo "journalctl -x explains"
box sysctl -qw $time=7200
await 10 "the correction" live_is $time 601
box journalctl --quiet --no-pager -x --unit="$unit" KEEPALIVE_EVENT=corrected | grep "Subject: $time was not as declared, and is now" >/dev/null
mark_journal

echo "the witness names the process"
box install -D -m 0644 /usr/local/share/doc/keepalive-policy/witness.conf \
    /etc/systemd/system/keepalive-policy.service.d/witness.conf
printf '\n[witness]\nenabled = true\n' >>"$(box_path $policy)"
box systemctl daemon-reload
box systemctl restart "$unit"
box systemd-run --quiet --unit=culprit --wait sh -c "echo 7200 >/proc/sys/net/ipv4/tcp_keepalive_time; sleep 1"
await 10 "the culprit" told KEEPALIVE_EVENT=corrected KEEPALIVE_SETTING=$time KEEPALIVE_WRITER_UNIT=culprit.service
journal KEEPALIVE_EVENT=corrected -o json | grep '"KEEPALIVE_WRITER_EXE":"/usr/bin/dash"' >/dev/null
box systemd-run --quiet --unit=editor --wait sh -c "echo 'ClientAliveInterval 7' >/etc/ssh/sshd_config.d/00-a.conf; sleep 2"
await 10 "the editor" told KEEPALIVE_EVENT=corrected KEEPALIVE_RESOURCE=sshd_config KEEPALIVE_WRITER_UNIT=editor.service
box systemd-run --quiet --unit=remover --wait sh -c "rm /etc/ssh/sshd_config.d/00-a.conf /etc/ssh/sshd_config.d/*keepalive*; sleep 2"
await 20 "sshd's values" sshd_gives root ClientAliveInterval 43
echo "...and without its capability everything else works"
box rm -r /etc/systemd/system/keepalive-policy.service.d
box systemctl daemon-reload
mark_journal
box systemctl restart "$unit"
await 10 "the notice" told KEEPALIVE_EVENT=notice
box sysctl -qw $time=7200
await 10 "the correction" live_is $time 601

echo "without a service manager: in the foreground, to standard error"
box systemctl stop "$unit"
box sh -c 'exec env -u NOTIFY_SOCKET -u JOURNAL_STREAM keepalive-policy daemon' >/tmp/before.$$ 2>&1 &
daemon=$!
await 20 "the daemon to say that it is in force" grep -q 'in force, mode enforce' /tmp/before.$$
await 20 "the status" box keepalive-policy status >/dev/null
# A second one ends, and takes nothing away.
box sh -c '! env -u NOTIFY_SOCKET -u JOURNAL_STREAM keepalive-policy daemon' 2>&1 | grep -q 'the daemon runs already'
box keepalive-policy --format json status | grep -q '"running": true'
# Nor where the status of the first can't be read, or is gone; and nothing is restored beside it.
for damage in 'echo { >' 'rm -f '; do
    box sh -c "$damage/run/keepalive-policy/status.json"
    box sh -c '! env -u NOTIFY_SOCKET -u JOURNAL_STREAM keepalive-policy daemon' 2>&1 | grep -q 'the daemon runs already'
    box sh -c '! keepalive-policy restore' 2>&1 | grep -q 'the daemon runs and would put everything back'
done
box sysctl -qw $time=7200
await 10 "the correction" live_is $time 601
await 10 "the status" box keepalive-policy status >/dev/null
await 10 "the line" grep -q "$time: found 7200, 601 again" /tmp/before.$$
box keepalive-policy reload >/dev/null
box sh -c 'kill $(sed -n "s/.*\"pid\": \([0-9]*\),/\1/p" /run/keepalive-policy/status.json)'
wait $daemon
grep -q 'stopped; what is in force stays as it is' /tmp/before.$$
echo "passed"
