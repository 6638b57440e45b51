#!/usr/bin/env bash
# check-man.sh PAGE: fails on any warning of the formatter.
set -euo pipefail

warnings=$(MANROFFSEQ='' MANWIDTH=80 LC_ALL=C.UTF-8 man --warnings -E UTF-8 -l -Tutf8 -Z "$1" 2>&1 >/dev/null)
[ -z "$warnings" ] || { printf '%s: %s\n' "$1" "$warnings" >&2; exit 1; }
