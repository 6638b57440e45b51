#!/usr/bin/env bash
# hostile-penalties.sh: "PerSourcePenalties noauth:60s min:1s (10.x): our banner probe gets 127.0.0.1 shut out
# for a minute". After a reload a connection goes as far as the key exchange, from an address of its own, and
# leaves no error in sshd's log; where it would count against others, there is none, and the line says so.
set -eEuo pipefail
export KEEPALIVE_BOX_SUITE=${KEEPALIVE_BOX_SUITE:-trixie}
# shellcheck source=ssh-units.sh
. "$(dirname "$0")/ssh-units.sh"

penalties='PerSourcePenalties noauth:60s min:1s'
# By name: of a process that ends at once the journal does not learn the unit.
sshd_log() {
    box journalctl --quiet --since="$journal_mark" \
        --identifier=sshd --identifier=sshd-session --identifier=sshd-auth "$@"
}
errors() { sshd_log --priority=err; }
were_logged() { [ "$(sshd_log --grep='disconnect from 127\.107\.[0-9.]* port [0-9]*:11: checked' | wc -l)" -ge 3 ]; }

# One reload of ours, and what `apply` says of it.
reload_says() {
    box sh -c 'sed -i "s/^ClientAliveInterval .*/ClientAliveInterval 7/" /etc/ssh/sshd_config.d/*keepalive-policy*'
    box keepalive-policy --format json apply
}

boot_with_tree
install_in_box >/dev/null 2>&1
if box sshd -T -C user=root,host=x,addr=1.2.3.4 | grep -qi '^persourcepenalties'; then
    box sed -i "1i $penalties" /etc/ssh/sshd_config
    box systemctl reload ssh
fi
box keepalive-policy apply >/dev/null
# The log is told apart from what greets() leaves in it.
mark_journal

step "after each reload sshd is asked as far as the key exchange, harming no one and leaving no error in the log"
for _ in 1 2 3; do
    [[ $(reload_says) = *'sshd answers on 127.0.0.1:22'* ]]
done
logged=$(errors)
# Others are let in afterwards, from 127.0.0.1.
greets 22
await 10 "sshd to log the visits" were_logged
[ -z "$logged" ] || { echo "$logged"; false; }

step "no connection where it would count against 127.0.0.1"
if box grep -q "^$penalties" /etc/ssh/sshd_config; then
    box sed -i '1i PerSourceNetBlockSize 8:64' /etc/ssh/sshd_config
    mark_journal
    [[ $(reload_says) = *'by its sockets and the service manager; no connection was made, since PerSourcePenalties'* ]]
    refuses sshd_log --grep='127\.107\.'
    box sed -i 1d /etc/ssh/sshd_config
fi

step "no connection, and no wait, where sshd listens on another address only"
box ip address add 10.9.9.9/32 dev lo
box sed -i '1i ListenAddress 10.9.9.9' /etc/ssh/sshd_config
box systemctl restart ssh
mark_journal
said=$(reload_says)
[[ $said = *'no connection was made, since it listens on no loopback address'* ]]
refuses sshd_log --grep='127\.107\.'
step "passed"
