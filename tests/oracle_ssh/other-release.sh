#!/usr/bin/env bash
# other-release.sh SUITE COMMAND…: runs COMMAND with the ssh of another Debian release in the place of
# /usr/bin/ssh, for COMMAND alone. Needs root, and the root that the host tests build.
set -euo pipefail
suite=$1
shift
# shellcheck source=../host/box.sh
root=$(KEEPALIVE_BOX_SUITE=$suite; . "$(dirname "$0")/../host/box.sh"; box_root)
loader=$(find "$root/usr/lib" "$root/usr/lib64" -name 'ld-linux-*.so.*' -o -name 'ld64.so.*' | sort | head -n 1)
libraries=$(find "$root/usr/lib" -name '*.so.*' -printf '%h\n' | sort -u | paste -sd :)
# Every user asks it, and the cache may be root's alone: a copy lies where all can reach it.
place=$(mktemp -d -t ssh-stand-in.XXXXXX)
trap 'rm -rf "$place"' EXIT
chmod 755 "$place"
mkdir "$place/root"
cc -O1 -o "$place/ssh" "$(dirname "$0")/../oracle/launcher.c" -DFIXED="\"$place/root${loader#"$root"}\", \
    \"--library-path\", \"${libraries//"$root"/"$place/root"}\", \"$place/root/usr/bin/ssh\""
chmod 755 "$place/ssh"
unshare --mount --propagation private bash -c '
    mount --bind "$1" "$2/root"
    mount --bind "$2/ssh" /usr/bin/ssh
    shift 2
    exec "$@"' _ "$root" "$place" "$@"
