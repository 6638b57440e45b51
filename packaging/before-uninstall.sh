#!/usr/bin/env bash
# before-uninstall.sh BINARY: stops the daemon and puts back what it changed, while its program is there.
# Only on this machine itself: in a tree (DESTDIR) nothing runs and nothing was enforced.
set -euo pipefail
unit=keepalive-policy.service

[ -z "${DESTDIR:-}" ] || exit 0
if [ -d /run/systemd/system ] && systemctl --quiet cat $unit >/dev/null 2>&1; then
    systemctl disable --now $unit
    systemctl reset-failed --quiet $unit 2>/dev/null || true
fi
if [ -x "$1" ]; then
    "$1" restore || {
        echo "not everything could be put back, for the reasons above; nothing is removed, and what is kept is in /var/lib/keepalive-policy." >&2
        echo "Where only the record of what was there before was lost, doing this again goes on without it." >&2
        exit 1
    }
elif [ -d /var/lib/keepalive-policy ]; then
    echo "$1 is gone, so nothing can be put back; the originals stay in /var/lib/keepalive-policy" >&2
    exit 1
fi
rm -rf /run/keepalive-policy
# A record that could not be used may be all that tells what was there before.
if compgen -G '/var/lib/keepalive-policy/*.unusable-*' >/dev/null; then
    echo "a record that could not be used stays in /var/lib/keepalive-policy; remove it when you don't need it"
else
    rm -rf /var/lib/keepalive-policy
fi
