#!/usr/bin/env bash
# unmanaged.sh: an sshd that no service manager has started, and that a reload of ours ends. The loss is remembered
# and told until one listens; how to start it is not guessed at later.
set -eEuo pipefail
# shellcheck source=ssh-units.sh
. "$(dirname "$0")/ssh-units.sh"

lost=/run/keepalive-policy/sshd-lost.json
alone() {
    # shellcheck disable=SC2016  # for the shell in the box
    box unshare --mount sh -c 'mount -t tmpfs none /run/systemd && exec "$@"' sh "$@"
}
# What COMMAND says, whatever its exit code.
said_by() { alone keepalive-policy "$@" 2>&1 | tr -s ' \n' ' ' || true; }
start_by_hand() {
    box sh -c 'mkdir -p /run/sshd && exec /usr/sbin/sshd'
    await 10 "sshd to listen" greets 22
}

boot_with_tree
install_in_box >/dev/null 2>&1
without_ssh_service
# At a SIGHUP sshd executes itself anew: by its own name, which leads back here. What we ask and start is the
# program of the process, which root sees; so that is what goes.
box mkdir /opt/asked /opt/real
box cp /usr/sbin/sshd /opt/asked/sshd
box mv /usr/sbin/sshd /opt/real/sshd
stand_in /usr/sbin/sshd <<'WRAPPER'
case " $* " in *' -T '* | *' -t '* | *' -V '*) exec -a "$program" /opt/asked/sshd "$@" ;; esac
[ ! -e /run/deadly ] || { mv /opt/real/sshd /opt/real/gone; exit 255; }
exec -a "$program" /opt/real/sshd "$@"
WRAPPER
start_by_hand

step "a reload that it survives"
said_by apply >/dev/null
alone keepalive-policy check >/dev/null
box test ! -e $lost

step "one that it does not survive, and after which it can't be started"
box sed -i '1i ClientAliveInterval 13' /etc/ssh/sshd_config
echo 'ClientAliveInterval 8' >"$(drop_in '!rival.conf')"
box touch /run/deadly
said=$(said_by apply)
[[ $said = *"sshd does NOT run"* ]]
refuses greets 22
box test -e $lost
told="sshd (started as \`/usr/sbin/sshd\`) does not run since a reload of ours"
[[ $(said_by check) = *"$told"*"start it as it was started"* ]]

step "it is told, and not started, when it could be"
box rm /run/deadly
box mv /opt/real/gone /opt/real/sshd
[[ $(said_by check) = *"$told"* ]]
said_by apply >/dev/null
refuses greets 22

step "it listens again: over"
start_by_hand
[[ $(said_by apply) != *"$told"* ]]
box test ! -e $lost
step "passed"
