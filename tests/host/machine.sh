#!/usr/bin/env bash
# machine.sh: the limits of the unit under a kernel that enforces them. A container of systemd-nspawn
# ignores MemoryMax= and TasksMax=, so this boots an emulated machine: Debian's own cloud kernel, with the
# box's root as its initramfs. The daemon gets the largest configurations of sshd and of sysctl.d that its
# limits let through, beside 24 small instances of sshd.
set -euo pipefail
# shellcheck source=box.sh
. "$(dirname "$0")/box.sh"
binary=${KEEPALIVE_POLICY:?names the binary under test}
tree=$(cd "$box_here/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The newest cloud kernel that apt knows, unpacked once.
kernel() {
    local cache=${KEEPALIVE_TESTBED:-/var/cache/keepalive-policy-testbed} package
    package=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/^ *Depends: //p' | head -n 1)
    [ -n "$package" ] || { echo "apt knows no linux-image-cloud-amd64" >&2; return 1; }
    if [ ! -e "$cache/$package/vmlinuz" ]; then
        mkdir -p "$cache/$package"
        (cd "$work" && apt-get -qq -o APT::Sandbox::User=root download "$package" &&
            dpkg-deb -x "$package"_*.deb kernel) >&2
        mv "$work"/kernel/boot/vmlinuz-* "$cache/$package/vmlinuz"
    fi
    echo "$cache/$package/vmlinuz"
}

# As many bytes and lines as one tree may have, but for what we add; every line is about a setting of ours.
largest_sshd_config() {
    awk 'BEGIN {
        pad = sprintf("%80s", ""); gsub(/ /, "#", pad)
        for (line = 0; line < 119000; line++) print "ClientAliveInterval 5 " pad
    }'
}
largest_sysctl_conf() {
    awk 'BEGIN { for (line = 0; line < 349000; line++) print "net.ipv4.tcp_retries2=9" }'
}

layer() {
    local root=$1
    mkdir -p "$root"/usr/local/bin "$root"/etc/ssh "$root"/etc/systemd/system/multi-user.target.wants
    cp "$binary" "$root/usr/local/bin/keepalive-policy"
    cp "$tree/config.example.toml" "$root/etc/keepalive-policy.toml"
    largest_sshd_config >"$root/etc/ssh/sshd_config"
    mkdir -p "$root/etc/sysctl.d"
    largest_sysctl_conf >"$root/etc/sysctl.d/50-large.conf"
    local number
    for number in {1..24}; do
        echo 'Port 22' >"$root/etc/ssh/instance_$number"
        printf '[[sshd_config.instance]]\nfile = "/etc/ssh/instance_%s"\nunit = "instance-%s.service"\n' \
            "$number" "$number" >>"$root/etc/keepalive-policy.toml"
    done
    sed 's|/usr/bin/keepalive-policy|/usr/local/bin/keepalive-policy|' "$tree/systemd/keepalive-policy.service" \
        >"$root/etc/systemd/system/keepalive-policy.service"
    # An emulated processor is twenty times as slow: what takes ten seconds takes minutes.
    mkdir -p "$root/etc/systemd/system/keepalive-policy.service.d"
    printf '[Service]\nTimeoutStartSec=infinity\n' >"$root/etc/systemd/system/keepalive-policy.service.d/slow.conf"
    ln -s /dev/null "$root/etc/systemd/system/serial-getty@ttyS0.service"
    # The kernel does not show the initramfs among the mounts of a process, as every real root is.
    cat >"$root/init" <<'INIT'
#!/bin/bash
PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t tmpfs -o mode=755,size=1g tmpfs /mnt
cp -ax /. /mnt/
exec switch_root /mnt /sbin/init
INIT
    chmod 755 "$root/init"
    cat >"$root/etc/systemd/system/measure.service" <<'UNIT'
[Unit]
After=multi-user.target
[Service]
Type=oneshot
StandardOutput=tty
TTYPath=/dev/ttyS0
ExecStart=/bin/bash /usr/local/bin/measure
ExecStopPost=/usr/bin/systemctl --force --force poweroff
UNIT
    ln -s /etc/systemd/system/measure.service "$root/etc/systemd/system/multi-user.target.wants/"
    cat >"$root/usr/local/bin/measure" <<'SCRIPT'
group=/sys/fs/cgroup/system.slice/keepalive-policy.service
systemctl start keepalive-policy && echo "MEASURED started=yes"
echo "MEASURED max=$(cat $group/memory.max) peak=$(cat $group/memory.peak) tasks=$(cat $group/pids.max)"
echo "MEASURED oom=$(sed -n 's/^oom_kill //p' $group/memory.events) restarts=$(systemctl show -P NRestarts keepalive-policy)"
pid=$(systemctl show -P MainPID keepalive-policy)
echo "MEASURED result=$(systemctl show -P Result keepalive-policy) resident=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' /proc/$pid/status)"
keepalive-policy status | sed 's/^/MEASURED status: /'
# What the unit may have at most, tried: a process in the daemon's own group that wants a hundred more.
bash -c "echo \$\$ >$group/cgroup.procs; for task in {1..100}; do sleep 60 & done" 2>/dev/null
tasks=$(cat $group/pids.current)
echo "MEASURED running=$tasks refused=$(sed -n 's/^max //p' $group/pids.events)"
SCRIPT
}

root=$(box_root)
vmlinuz=$(kernel)
layer "$work/layer"
{
    (cd "$root" && find . -xdev -print0 | cpio --null --quiet -o -H newc)
    (cd "$work/layer" && find . -print0 | cpio --null --quiet -o -H newc -R 0:0)
} >"$work/initramfs"
echo "booting $(basename "$(dirname "$vmlinuz")") with $(du -m "$work/initramfs" | cut -f 1) MB of initramfs"
timeout 1200 qemu-system-x86_64 -accel tcg -m 3072 -smp 2 -nographic -no-reboot -kernel "$vmlinuz" \
    -initrd "$work/initramfs" -append "rdinit=/init console=ttyS0 quiet panic=-1" \
    </dev/null >"$work/console" 2>&1 || true
tr -d '\r' <"$work/console" | grep -a '^MEASURED' >"$work/measured" || { tail -n 40 "$work/console" >&2; exit 1; }
cat "$work/measured"

value() { sed -n "s/.*[ ]$1=\([^ ]*\).*/\1/p" "$work/measured"; }
[ "$(value started)" = yes ]
[ "$(value max)" = $((256 << 20)) ]
# The peak may touch the limit: what is read stays in the page cache until its room is needed.
[ "$(value oom)" = 0 ]
[ "$(value restarts)" = 0 ]
[ "$(value result)" = success ]
# In kB. sshd, which judges, and the copy that it is given have room beside it.
[ "$(value resident)" -lt 200000 ]
[ "$(value tasks)" = 64 ]
[ "$(value running)" -le 64 ]
[ "$(value refused)" -gt 0 ]
grep -q 'in force' "$work/measured"
echo "passed"
