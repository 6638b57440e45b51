# shellcheck shell=bash
# observe.sh: a box with keepalive-policy's tree in it, and what its programs say of its state.
# To be sourced; $KEEPALIVE_POLICY names the binary under test. Nothing here asks keepalive-policy
# itself: the kernel, sshd, systemd and the journal are the witnesses.

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=box.sh
. "$repository/tests/host/box.sh"
: "${KEEPALIVE_POLICY:?names the binary under test}"
# shellcheck disable=SC2034  # used by those who source this
policy=/etc/keepalive-policy.toml
unit=keepalive-policy.service

boot_with_tree() {
    box_boot --bind-ro="$repository:/src" --bind-ro="$KEEPALIVE_POLICY:/opt/keepalive-policy" "$@"
}

# `make install`, as its user runs it, with the binary that is under test.
install_in_box() { box make -C /src --no-print-directory install BINARY=/opt/keepalive-policy; }
uninstall_in_box() { box make -C /src --no-print-directory uninstall; }

# What the policy that ships declares for a setting.
declared() { sed -n "s/^$1 *= *\"\{0,1\}\([^\" #]*\).*/\1/p" "$repository/config.example.toml"; }

live() { box cat "/proc/sys/${1//.//}"; }

# What the boot would set: the real loader, run on a network of its own, where the kernel has its defaults
# and the daemon does not see it.
at_boot() {
    box unshare --net sh -c "/usr/lib/systemd/systemd-sysctl 2>/dev/null; cat /proc/sys/${1//.//}"
}

# What sshd would give a connection of USER; its spelling of keywords and booleans varies by release.
sshd_says() {
    local user=$1 keyword=${2,,}
    box sshd -T -C "user=$user,host=client.example,addr=192.0.2.1" |
        tr '[:upper:]' '[:lower:]' | awk -v keyword="$keyword" '$1 == keyword { print $2 }'
}

boot_sets() { [ "$(at_boot "$1")" = "$2" ]; }
live_is() { [ "$(live "$1")" = "$2" ]; }
sshd_gives() { [ "$(sshd_says "$1" "$2" 2>/dev/null)" = "$3" ]; }

property() { box systemctl show --property="$2" --value "$1"; }

# told() and journal() look only at what comes after. A time and not a cursor: journalctl 252 skips the
# first match after a cursor whose own entry does not match.
mark_journal() { journal_mark=@$EPOCHREALTIME; }

# The daemon's lines since the mark that have all these fields.
journal() {
    box journalctl --quiet --no-pager --since="$journal_mark" _SYSTEMD_UNIT=$unit "$@"
}

told() { [ -n "$(journal "$@")" ]; }

# Everything of a directory but times: names, contents, modes, owners, ACLs and attributes.
picture() {
    tar --create --sort=name --mtime=@0 --numeric-owner --format=posix --acls --xattrs \
        --xattrs-include='*' --pax-option=delete=atime,delete=ctime --directory="$(box_path "$1")" .
}
