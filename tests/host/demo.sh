#!/usr/bin/env bash
# demo.sh: the shipped policy on a throw-away host, and five real drifts. For each: what was changed,
# what the daemon's journal says of it, and what the kernel and sshd use afterwards.
# Fails if a drift stands.
set -euo pipefail
# shellcheck source=observe.sh
. "$(dirname "$0")/observe.sh"
# shellcheck disable=SC2154  # set in observe.sh
trap 'box journalctl --no-pager --quiet --lines=40 --unit="$unit" >&2 || true' ERR

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
    bold=$'\e[1m' dim=$'\e[2m' good=$'\e[32m' plain=$'\e[0m'
else
    bold='' dim='' good='' plain=''
fi
heading() { printf '\n%s%s%s\n' "$bold" "$1" "$plain"; }

number=0
# drift TITLE USER SETTING COMMAND: runs COMMAND on the host, and waits until SETTING is as declared
# again for USER. What counts is the effective value, so the daemon isn't asked.
drift() {
    local title=$1 user=$2 setting=$3 command=$4 began
    number=$((number + 1))
    heading "$number  $title"
    printf '   %s# %s%s\n' "$dim" "$command" "$plain"
    mark_journal
    began=$(box bash -c 'echo $EPOCHREALTIME; '"$command")
    await 20 "$setting to be as declared again" as_declared "$user" "$setting"
    await 10 "the journal to tell of it" told KEEPALIVE_EVENT=corrected KEEPALIVE_SETTING="$setting"
    show_journal "$began"
    printf '   %s%11s  %s%s\n' "$good" "in force" "$(witness "$user" "$setting")" "$plain"
}

as_declared() {
    case $2 in
        net.*) live_is "$2" "$(declared "$2")" ;;
        *) sshd_gives "$1" "$2" "$(declared "$2")" ;;
    esac
}

witness() {
    case $2 in
        net.*) echo "the kernel has $2 = $(live "$2")" ;;
        *) echo "sshd -T -C user=$1 says $2 $(sshd_says "$1" "$2")" ;;
    esac
}

# The daemon's lines, each with its time since the drift began.
show_journal() {
    journal KEEPALIVE_EVENT=corrected KEEPALIVE_EVENT=applied --output=short-unix |
        awk -v began="$1" '{
            after = sprintf("+%.0f ms", ($1 - began) * 1000)
            sub(/^[^]]*\]: /, "")
            printf "   %11s  %s\n", after, $0
        }'
}

boot_with_tree
printf '\nMatch User bob\n    X11Forwarding no\n' >>"$(box_path /etc/ssh/sshd_config)"
printf '%skeepalive-policy on a throw-away host: %s, %s, %s%s\n' "$bold" \
    "$(box sh -c '. /etc/os-release; echo "$PRETTY_NAME"')" \
    "$(box systemctl --version | awk 'NR == 1 { print $1, $2 }')" \
    "$(box ssh -V 2>&1 | sed 's/[_ ,]/ /; s/[ ,].*//; s/^/OpenSSH /; s/OpenSSH OpenSSH/OpenSSH/')" "$plain"

heading "0  The shipped policy is installed, the daemon starts"
install_in_box >/dev/null 2>&1
box systemctl enable --now --quiet "$unit"
printf '   %s\n' "$(property "$unit" StatusText)"

drift "A live value is overwritten" root net.ipv4.tcp_keepalive_time \
    'sysctl -qw net.ipv4.tcp_keepalive_time=7200'

drift "Another package brings a file that sorts later" root net.ipv4.tcp_keepalive_intvl \
    'echo "net.ipv4.tcp_keepalive_intvl = 5" >/etc/sysctl.d/zzz-database.conf'

drift "cloud-init brings a file that sorts earlier" root ClientAliveInterval \
    'echo "ClientAliveInterval 420" >/etc/ssh/sshd_config.d/00-cloud-init.conf'

drift "A line is appended to sshd_config, and lands inside its last Match block" bob ClientAliveInterval \
    'echo "    ClientAliveInterval 900" >>/etc/ssh/sshd_config'

drift "Our own drop-in is deleted" root ClientAliveInterval \
    'rm /etc/ssh/sshd_config.d/*keepalive-policy*'

heading "keepalive-policy check"
box env NO_COLOR="${NO_COLOR:-}" TERM="${TERM:-dumb}" keepalive-policy check
