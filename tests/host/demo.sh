#!/usr/bin/env bash
# demo.sh: the shipped policy on a throw-away host, and five real drifts. For each: what was changed,
# what the daemon's journal says of it, and what the kernel and sshd use afterwards.
# Fails if a drift stands.
set -eEuo pipefail
# shellcheck source=observe.sh
. "$(dirname "$0")/observe.sh"
trap 'box journalctl --no-pager --quiet --lines=40 --unit="$unit" >&2' ERR

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
    bold=$'\e[1m' dim=$'\e[2m' good=$'\e[32m' plain=$'\e[0m'
else
    bold='' dim='' good='' plain=''
fi
width=100
[ ! -t 1 ] || width=$(tput cols) || width=100
[ "$width" -ge 60 ] || width=60

heading() { printf '\n%s%s%s\n' "$bold" "$1" "$plain"; }

# line LABEL TEXT COLOUR: a label in a column of its own, the text beside it, wrapped.
line() {
    local label=$1 rest
    fold --spaces --width=$((width - 14)) <<<"$2" | while read -r rest; do
        printf '%s%11s  %s%s\n' "$3" "$label" "$rest" "${3:+$plain}"
        label=
    done
}

number=0
title() {
    number=$((number + 1))
    heading "$number. $1"
}

# drift WITNESS SETTING COMMAND: runs COMMAND on the host, and waits until SETTING is as declared again.
# What counts is the effective value: of the kernel, at boot, or of sshd for a user.
drift() {
    local witness=$1 setting=$2 command=$3 began
    line '#' "$command" "$dim"
    mark_journal
    began=$(box bash -c 'echo $EPOCHREALTIME; '"$command")
    await 20 "$setting to be as declared again" as_declared "$witness" "$setting"
    await 10 "the journal to tell of it" told KEEPALIVE_EVENT=corrected KEEPALIVE_SETTING="$setting"
    show_journal "$began"
    line 'in force' "$(says "$witness") $setting $(effective "$witness" "$setting")" "$good"
}

# loses SETTING COMMAND: the same for a file that sshd reads after ours: there is nothing to undo.
loses() {
    line '#' "$2" "$dim"
    box bash -c "$2"
    as_declared root "$1"
    line 'in force' "$(says root) $1 $(effective root "$1"): ours is read first, and the first value wins" "$good"
}

effective() {
    case $1 in
        kernel) live "$2" ;;
        boot) at_boot "$2" ;;
        *) sshd_says "$1" "$2" 2>/dev/null ;;
    esac
}

says() {
    case $1 in
        kernel) echo "the kernel has" ;;
        boot) echo "systemd-sysctl would set" ;;
        *) echo "sshd -T -C user=$1 says" ;;
    esac
}

as_declared() { [ "$(effective "$1" "$2")" = "$(declared "$2")" ]; }

# The daemon's lines, each with the time since the drift began.
show_journal() {
    local time words
    journal KEEPALIVE_EVENT=corrected KEEPALIVE_EVENT=applied --output=short-unix |
        while read -r time _ _ words; do
            line "$(awk -v began="$1" -v now="$time" 'BEGIN { printf "+%d ms", (now - began) * 1000 }')" \
                "$words" ''
        done
}

# The daemon reloads sshd at most once in reload_spacing, 2 s. A drift out of the blue finds it rested.
settle() { rest 2.2; }

boot_with_tree
printf '\nMatch User bob\n    X11Forwarding no\n' >>"$(box_path /etc/ssh/sshd_config)"
heading "keepalive-policy on a throw-away $(box sh -c '. /etc/os-release; echo "$PRETTY_NAME"') with $(
    box systemctl --version | awk 'NR == 1 { print $1, $2 }') and $(
    box ssh -V 2>&1 | sed 's/[ ,].*//; s/_/ /')"
install_in_box >/dev/null 2>&1
box systemctl enable --now --quiet "$unit"
line 'status' "$(property "$unit" StatusText)" ''

title "A live value is overwritten"
drift kernel net.ipv4.tcp_keepalive_time 'sysctl -qw net.ipv4.tcp_keepalive_time=7200'

title "A database brings a file that is read after ours at boot"
drift boot net.ipv4.tcp_keepalive_time \
    'echo "net.ipv4.tcp_keepalive_time = 1800" >/etc/sysctl.d/zzz-database.conf'

title "cloud-init brings a drop-in, and somebody makes it sort before ours"
loses ClientAliveInterval 'echo "ClientAliveInterval 420" >/etc/ssh/sshd_config.d/50-cloud-init.conf'
settle
drift root ClientAliveInterval 'mv /etc/ssh/sshd_config.d/{50,00}-cloud-init.conf'

title "A line appended to sshd_config lands inside its last Match block"
settle
drift bob ClientAliveInterval 'echo "    ClientAliveInterval 900" >>/etc/ssh/sshd_config'

title "Our own drop-in is deleted"
settle
drift root ClientAliveInterval 'rm /etc/ssh/sshd_config.d/*keepalive-policy*'

heading "keepalive-policy check"
box env NO_COLOR="${NO_COLOR:-}" keepalive-policy check
