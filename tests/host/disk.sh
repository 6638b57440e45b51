#!/usr/bin/env bash
# disk.sh: a full disk and a read-only one. The old file stays whole, the journal says what failed, the
# live values are kept all the same, and it is tried again until it works.
set -eEuo pipefail
# shellcheck source=observe.sh
. "$(dirname "$0")/observe.sh"

drop_in=/etc/sysctl.d/99-zz-keepalive-policy.conf
time=net.ipv4.tcp_keepalive_time

# Every file of the directory that is read, whole.
content() { box sh -c 'cd /etc/sysctl.d && md5sum *.conf'; }

nothing_is_left() { [ -z "$(box find /etc/sysctl.d -name '*keepalive-policy-new')" ]; }

checks() { box keepalive-policy check >/dev/null; }

fails_with() {
    await 20 "the failure to be told" told KEEPALIVE_EVENT=failed KEEPALIVE_RESOURCE=sysctl
    journal KEEPALIVE_EVENT=failed | grep -q "$1"
    box sysctl -qw $time=7200
    await 10 "the live value" live_is $time "$(declared $time)"
    [ "$(property "$unit" ActiveState)" = active ]
    [ "$(content)" = "$2" ]
    # Each new try makes one for a moment.
    await 10 "no half-written file to be left" nothing_is_left
}

boot_with_tree
install_in_box >/dev/null 2>&1
box mount -t tmpfs -o size=64k,mode=755 tmpfs /etc/sysctl.d
box systemctl enable --now --quiet "$unit"
checks

echo "a full disk"
box sh -c 'cat /dev/zero >/etc/sysctl.d/ballast 2>/dev/null' || true
mark_journal
# In place, byte by byte: nothing is freed and nothing more is needed.
box sh -c "sed 's/600/601/' $drop_in | dd of=$drop_in conv=notrunc status=none"
fails_with 'No space left on device' "$(content)"
echo "...with space again it is done, without a word from anybody"
box rm /etc/sysctl.d/ballast
await 70 "the drop-in to be set right" checks

echo "a read-only file system"
box mount -o remount,ro /etc/sysctl.d
mark_journal
box sh -c "mkdir -p /run/sysctl.d && echo $time = 900 >/run/sysctl.d/zzz.conf"
fails_with 'Read-only file system' "$(content)"
echo "...writable again"
box mount -o remount,rw /etc/sysctl.d
await 70 "the drop-in to be set right" checks
nothing_is_left
echo "passed"
