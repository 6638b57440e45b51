#!/usr/bin/env bash
# box-machine.sh NAME ROOT DISK [NSPAWN-OPTION…]: the inside of box_boot, in its mount and PID namespace.
set -euo pipefail
name=$1 root=$2 disk=$3
shift 3

mount -t tmpfs -o mode=755 box "$disk"
mkdir "$disk"/{changes,work,root}
# redirect_dir: without it rename(2) of a directory of the lower layer is EXDEV, as on no real disk.
mount -t overlay -o "lowerdir=$root,upperdir=$disk/changes,workdir=$disk/work,redirect_dir=on,xino=on" \
    box "$disk/root"
# nspawn leaves sockets and locks there when it is killed; these go away with the namespace.
mkdir -p /run/systemd/nspawn
mount -t tmpfs box /run/systemd/nspawn

# The guest manages a cgroup v2 tree, as Debian 12 does, also where this machine has v1 beside it.
export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1
# 133: the guest asked for a reboot. CAP_BPF and bpf make IPAddressDeny= and DevicePolicy= bite in it.
status=133
while [ "$status" = 133 ]; do
    status=0
    systemd-nspawn --quiet --directory="$disk/root" --machine="$name" --boot --console=pipe \
        --register=no --keep-unit --link-journal=no --resolv-conf=off --timezone=off \
        --capability=CAP_BPF,CAP_PERFMON --system-call-filter=bpf "$@" || status=$?
done
exit "$status"
