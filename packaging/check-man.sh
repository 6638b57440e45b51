#!/usr/bin/env bash
# check-man.sh PAGE…: fails on any warning of the formatter.
set -euo pipefail

for page in "$@"; do
    warnings=$(MANROFFSEQ='' MANWIDTH=80 LC_ALL=C.UTF-8 \
        man --warnings -E UTF-8 -l -Tutf8 -Z "$page" 2>&1 >/dev/null)
    [ -z "$warnings" ] || { printf '%s:\n%s\n' "$page" "$warnings" >&2; exit 1; }
done
