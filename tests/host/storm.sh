#!/usr/bin/env bash
# storm.sh [DRIFTS]: while many drifts are corrected, a client connects all the time. It is refused only
# while sshd executes itself anew, and established sessions live on.
set -eEuo pipefail
drifts=${1:-${KEEPALIVE_DRIFTS:-25}}
# shellcheck source=ssh-units.sh
. "$(dirname "$0")/ssh-units.sh"

# Connects until /run/enough is there; for each attempt when it began, when it ended, and what became of it.
# shellcheck disable=SC2016  # for the shell in the box
client='while [ ! -e /run/enough ]; do
    began=$EPOCHREALTIME became=refused
    if { exec 3<>/dev/tcp/127.0.0.1/22; } 2>/dev/null; then
        read -r -t 10 line <&3 && [[ $line = SSH-2.0-* ]] && became=greeted
        exec 3>&-
    fi
    echo "$began $EPOCHREALTIME $became"
done'

sshd_log() { box journalctl --quiet --output=short-unix --unit=ssh --since="$journal_mark" --grep="$1"; }
reloads() { sshd_log 'Received SIGHUP' | wc -l; }

# What sshd says of its own absence, then what the client saw. Every refusal must lie in an absence; 50 ms
# for the journal to take a line.
judge() {
    awk '
        FNR == NR && /Received SIGHUP/ { from[++n] = $1; next }
        FNR == NR { if (n) to[n] = $1; next }
        { attempts++; if ($3 == "greeted") { if (began) runs(); next } }
        { refused++; if (!began) began = $1; ended = $2; allowed($1, $2) }
        function allowed(start, end, i) {
            for (i = 1; i <= n; i++) if (end > from[i] - 0.05 && start < to[i] + 0.05) return
            printf "refused outside of a reload: %s to %s\n", start, end; wrong = 1
        }
        function runs() { if (ended - began > longest) longest = ended - began; began = 0 }
        END {
            if (began) runs()
            for (i = 1; i <= n; i++) { gone = to[i] - from[i]; sum += gone; if (gone > most) most = gone }
            printf "%d reloads; sshd was away for %.0f ms at most, %.0f ms on average\n", n, most * 1000, sum / n * 1000
            printf "%d connections, %d of them refused, for %.0f ms on end at most\n", attempts, refused, longest * 1000
            exit wrong || attempts < 100 || !n
        }' <(sshd_log 'Received SIGHUP|Server listening') "$(box_path /run)/attempts"
}

boot_with_tree
install_in_box >/dev/null 2>&1
sed -i 's/^# \[daemon\]/[daemon]\nreload_spacing = "1s"/' "$(box_path $policy)"
open_session
start_daemon
pid=$(main_pid ssh)

step "12 drifts in 7 s: coalesced into one reload a second, and the last one is not lost"
mark_journal
# A neighbour's file would lose from the first correction on; ours is changed itself.
ours=$(drop_in 00-keepalive-policy.conf)
for drift in {1..12}; do
    echo "ClientAliveInterval $drift" >"$ours"
    # A file that is changed again while its correction is judged is left alone.
    rest 0.6
done
echo 'ClientAliveInterval 5' >"$ours"
await 70 "the last drift to be undone" checks
sshd_log 'Received SIGHUP' | awk '
    NR > 1 && $1 - last < 1 { printf "reloads %.3f s apart\n", $1 - last; wrong = 1 }
    { last = $1 }
    END { printf "%d reloads\n", NR; exit wrong || NR < 2 || NR > 10 }'
[ "$(main_pid ssh)" = "$pid" ]
session_lives

step "$drifts drifts, each corrected by a reload of its own, and a client that connects all the time"
box systemctl stop $unit
mark_journal
box bash -c "$client" >"$(box_path /run)/attempts" &
# shellcheck disable=SC2016  # for the shell in the box
box bash -c 'for ((drift = 1; drift <= $0; drift++)); do
        echo "ClientAliveInterval $drift" >/etc/ssh/sshd_config.d/00-keepalive-policy.conf
        keepalive-policy apply >/dev/null || exit
    done' "$drifts"
box touch /run/enough
wait $!
judge
[ "$(reloads)" = "$drifts" ]
checks
[ "$(main_pid ssh)" = "$pid" ]
session_lives
close_session
step "passed"
