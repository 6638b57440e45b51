#!/usr/bin/env bash
# tell-systemd.sh: after unit or catalogue files came or went on this machine itself (DESTDIR empty).
set -euo pipefail

[ -z "${DESTDIR:-}" ] || exit 0
[ -d /run/systemd/system ] || exit 0
systemctl daemon-reload
journalctl --update-catalog
