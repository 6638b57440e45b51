#!/usr/bin/env bash
# hostile-showing.sh: "names and Host words with ESC, BEL, newline", in the journal of a host and on root's
# terminal there. No field of ours holds a byte that journalctl would hide or a terminal act upon.
set -eEuo pipefail
# shellcheck source=ssh-units.sh
. "$(dirname "$0")/ssh-units.sh"

evil=$'\e[2J\e]0;root\a\xc2\x9b31m\xe2\x80\xae'
name=$'50-x\nok   FORGED\n'$evil.conf

# What a terminal would act upon in standard input; of fields, those of ours.
unseen() {
    python3 -c '
import sys, unicodedata
text = sys.stdin.buffer.read().decode()
found = {c for c in text if c != "\n" and (unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp"))}
forged = [line for line in text.split("\n") if line.startswith("ok   FORGED")]
sys.exit(f"{found} {forged} in {text!r}" if found or forged else 0)'
}

our_fields() {
    box journalctl --quiet --unit=$unit --output=json --since="$journal_mark" | python3 -c '
import json, sys
for line in sys.stdin:
    for name, value in json.loads(line).items():
        if name == "MESSAGE" or name.startswith("KEEPALIVE_"):
            # journalctl gives as numbers what is not printable.
            print(name, value if isinstance(value, str) else bytes(value).decode("utf-8", "replace"), sep="=")'
}

boot_with_tree
install_in_box >/dev/null 2>&1
box systemctl enable --quiet --now $unit
await 20 "everything to be in force" checks
mark_journal

step "files with such names drift, and are told of in each field"
printf 'net.ipv4.tcp_keepalive_time = 7\n' >"$(box_path /etc/sysctl.d)/99-zzz-$name"
printf 'ClientAliveInterval 7\nMatch User a%s\nClientAliveInterval 9\n' "$evil" >"$(box_path /etc/ssh/sshd_config.d)/00-$name"
undone net.ipv4.tcp_keepalive_time
undone ClientAliveInterval
fields=$(our_fields)
printf '%s' "$fields" | unseen
[[ $fields = *'KEEPALIVE_SOURCE='*'\nok   FORGED\n\x1b[2J\x1b]0;root\x07'* ]]

step "so it is by status, sessions and check, and by what systemd shows of us"
box ip netns add "$(printf 'net\033[2J')"
for command in status check sessions explain; do
    { box keepalive-policy $command 2>&1 || true; } | unseen
    { box keepalive-policy --format json $command 2>&1 || true; } | unseen
done
box systemctl show --property=StatusText $unit | unseen
