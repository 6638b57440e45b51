#!/usr/bin/env bash
# bench.sh: the host for benches/enforcement.rs, which starts this and then runs in there.
set -eEuo pipefail
# shellcheck source=observe.sh
. "$(dirname "$0")/observe.sh"

boot_with_tree --bind-ro="${KEEPALIVE_BENCH:?the measuring program}:/opt/bench"
install_in_box >/dev/null 2>&1
# shellcheck disable=SC2154  # set in observe.sh
box systemctl enable --now --quiet "$unit"
box /opt/bench --inside
