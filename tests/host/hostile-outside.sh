#!/usr/bin/env bash
# hostile-outside.sh: what sshd's verdict depends on besides its files. A golden image whose host keys are made
# three seconds after our start is in force seconds later, not at the next resync.
set -eEuo pipefail
# shellcheck source=ssh-units.sh
. "$(dirname "$0")/ssh-units.sh"

without_keys() {
    mark_journal
    box sh -c 'rm -rf /etc/ssh/ssh_host_* /srv/keys /etc/ssh/sshd_config.d/*keepalive-policy*'
    box systemctl restart $unit
    await 20 "the refusal to be told" told KEEPALIVE_EVENT=refused
    journal KEEPALIVE_EVENT=refused | grep -q 'no hostkeys available'
    refuses checks
    rest 3
}

boot_with_tree
install_in_box >/dev/null 2>&1

step "host keys in their usual places, made three seconds after our start"
without_keys
box ssh-keygen -A >/dev/null
await 8 "everything to be in force" checks
await 10 "the journal to tell of it" told KEEPALIVE_EVENT=corrected KEEPALIVE_SETTING=ClientAliveInterval

step "a host key in a directory that is not there yet"
box sed -i '1i HostKey /srv/keys/host' /etc/ssh/sshd_config
without_keys
box mkdir /srv/keys
box ssh-keygen -q -t ed25519 -N '' -f /srv/keys/host
await 8 "everything to be in force" checks
greets 22
step "passed"
