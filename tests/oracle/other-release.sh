#!/usr/bin/env bash
# other-release.sh SUITE COMMAND…: runs COMMAND with the sshd of another Debian release in the place of
# /usr/sbin/sshd, for COMMAND alone. Needs root.
#
# The packages are only unpacked, once, and started by their own loader with their own libraries: nothing
# of this machine is changed, and sshd sees the files and users of this machine.
set -euo pipefail
suite=$1
shift
cache=${KEEPALIVE_TESTBED:-/var/cache/keepalive-policy-testbed}
root=$cache/$suite-sshd
# shellcheck source=../host/box.sh
. "$(dirname "$0")/../host/box.sh"

unpack() {
    local apt mirror deb
    apt=$(mktemp -d)
    chmod 755 "$apt"
    mkdir -p "$apt"/lists/partial "$apt"/cache/archives/partial
    : >"$apt/status"
    mirror=$(box_mirror "$suite")
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" >"$apt/sources"
    local get=(apt-get -qq -o "Dir::Etc::SourceList=$apt/sources" -o Dir::Etc::SourceParts=/dev/null
        -o "Dir::State::Lists=$apt/lists" -o "Dir::State::status=$apt/status" -o "Dir::Cache=$apt/cache"
        -o Acquire::Languages=none -o Acquire::Check-Valid-Until=false -o APT::Sandbox::User=root)
    "${get[@]}" update
    "${get[@]}" install --download-only --no-install-recommends openssh-server >/dev/null
    rm -rf "$root"
    mkdir -p "$root"
    for deb in "$apt"/cache/archives/*.deb; do
        case ${deb##*/} in
            libc6_* | lib*_* | zlib1g_* | openssh-server_*)
                dpkg-deb --fsys-tarfile "$deb" | tar -x --keep-directory-symlink -C "$root" ;;
        esac
    done
    rm -rf "$apt"
}

mkdir -p "$cache"
(
    flock 9
    [ -e "$root.complete" ] || { unpack >&2 && : >"$root.complete"; }
) 9>"$cache/$suite-sshd.lock"

loader=$(find "$root/" -name 'ld-linux-*.so.*' -o -name 'ld64.so.*' | sort | head -n 1)
libraries=$(find "$root/" -name '*.so.*' -printf '%h\n' | sort -u | paste -sd :)
stand_in=$(mktemp -t sshd-stand-in.XXXXXX)
trap 'rm -f "$stand_in"' EXIT
# Plain -T and -t start no session; --argv0 because sshd insists on an absolute name.
cc -O1 -o "$stand_in" "$(dirname "$0")/launcher.c" -DFIXED="\"$loader\", \"--argv0\", \"/usr/sbin/sshd\", \
    \"--library-path\", \"$libraries\", \"$root/usr/sbin/sshd\""
chmod 755 "$stand_in"
unshare --mount --propagation private bash -c '
    mount --bind "$1" /usr/sbin/sshd
    shift
    exec "$@"' _ "$stand_in" "$@"
