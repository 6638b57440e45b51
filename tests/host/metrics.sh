#!/usr/bin/env bash
# metrics.sh: the metrics by the judgement of the real promtool, read by the real node exporter.
set -eEuo pipefail
# shellcheck source=observe.sh
. "$(dirname "$0")/observe.sh"
trap 'box journalctl --no-pager --quiet --lines=40 --unit="$unit" >&2' ERR
PATH=$PATH:/usr/sbin
port=19100

page=/run/keepalive-policy/metrics.prom
exporters=/var/lib/prometheus/node-exporter
metric() { sed -n "s/^keepalive_policy_$1 //p" "$(box_path $page)"; }
metric_is() { [ "$(metric "$1")" = "$2" ]; }
exported() { exec 3<>/dev/tcp/127.0.0.1/$port && printf 'GET /metrics HTTP/1.0\r\n\r\n' >&3 && cat <&3 >"$work/scraped"; }
exported_is() { exported 2>/dev/null && grep -qF "$1" "$work/scraped"; }

boot_with_tree
install_in_box >/dev/null 2>&1
# As on Debian, where the directory above belongs to the user that Prometheus runs as.
mkdir -p "$(box_path $exporters)"
chown 4711 "$(box_path ${exporters%/*})"

# That user puts another directory there, in which the page is a link to a file of root's.
mv "$(box_path $exporters)" "$(box_path ${exporters%/*}/aside)"
mkdir "$(box_path $exporters)"
ln -s /etc/nsswitch.conf "$(box_path $exporters/keepalive_policy.prom)"
before=$(sha256sum <"$(box_path /etc/nsswitch.conf)")
cp "$(box_path $policy)" "$(box_path $policy.kept)"
printf '\n[metrics]\ntextfile = "%s"\n' $exporters/keepalive_policy.prom >>"$(box_path $policy)"
mark_journal
box systemctl enable --now --quiet "$unit"
refused() { journal | grep -qF "${exporters%/*} belongs to uid 4711, not to root"; }
await 10 "the refusal of a directory below another user's" refused
journal | grep -qF "such as $page"
[ "$before" = "$(sha256sum <"$(box_path /etc/nsswitch.conf)")" ]
box systemctl stop "$unit"
[ "$before" = "$(sha256sum <"$(box_path /etc/nsswitch.conf)")" ]
echo "nothing is written below another user's directory"

# What the documents say instead.
rm -r "$(box_path $exporters)"
mv "$(box_path ${exporters%/*}/aside)" "$(box_path $exporters)"
mv "$(box_path $policy.kept)" "$(box_path $policy)"
ln -s $page "$(box_path $exporters/keepalive_policy.prom)"
printf '\n[metrics]\ntextfile = "%s"\n' $page >>"$(box_path $policy)"
box systemctl start "$unit"
await 10 "the metrics" box test -s $page
promtool check metrics <"$(box_path $page)"
echo "promtool has no objection"

time='resource="sysctl",setting="net.ipv4.tcp_keepalive_time"'
metric_is 'enforcing' 1
metric_is "setting_in_force{$time,context=\"live\"}" 1
before=$(metric "drifts_total{$time}")
box sysctl -qw net.ipv4.tcp_keepalive_time=7200
await 10 "the drift to be counted" metric_is "drifts_total{$time}" $((before + 1))
reloads=$(metric 'sshd_reloads_total{result="done"}')
box sh -c 'rm /etc/ssh/sshd_config.d/*keepalive-policy*'
await 20 "the reload to be counted" metric_is 'sshd_reloads_total{result="done"}' $((reloads + 1))
echo 'nonsense' >>"$(box_path $policy)"
await 10 "the refusal to be counted" metric_is 'policy_loads_total{result="refused"}' 1
promtool check metrics <"$(box_path $page)"
echo "what happened is counted"

work=$(mktemp -d)
# The link is absolute, so the exporter has to see the box's files by their own names.
install "$(command -v prometheus-node-exporter)" "$(box_path /exporter)"
chroot "$(box_path /)" /exporter --web.listen-address=127.0.0.1:$port --collector.disable-defaults \
    --collector.textfile --collector.textfile.directory=$exporters >"$work/log" 2>&1 &
exporter=$!
trap 'kill $exporter; wait $exporter || true; box_stop; rm -rf "$work"' EXIT
await 20 "the exporter to give the drift" exported_is "keepalive_policy_drifts_total{$time} $((before + 1))"
exported_is 'node_textfile_scrape_error 0'
exported_is 'keepalive_policy_correction_duration_seconds_bucket{resource="sysctl",le="+Inf"}'
echo "the node exporter gives it"
box systemctl stop "$unit"
box test ! -e $page
await 10 "the exporter to miss the page" exported_is 'node_textfile_scrape_error 1'
echo "passed"
