#!/usr/bin/env bash
# deps.sh build|demo|test|machine|fuzz: what that needs, installed by Debian's package names where it is missing.
# Nothing is asked of the network when nothing is missing, and no service is started or enabled.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin

# A program or file, and the Debian package that brings it.
for_build='cc gcc
/usr/include/stdio.h libc6-dev'
for_demo="$for_build
mmdebstrap mmdebstrap
systemd-nspawn systemd-container
nsenter util-linux"
for_test="$for_demo
/usr/sbin/sshd openssh-server
ssh openssh-client
systemd-analyze systemd
sysctl procps
ip iproute2
nft nftables
python3 python3
vim vim
nano nano
rsync rsync
perl perl-base
promtool prometheus
prometheus-node-exporter prometheus-node-exporter
strace strace
shellcheck shellcheck
man man-db"
for_machine="$for_demo
qemu-system-x86_64 qemu-system-x86
cpio cpio"
for_fuzz="$for_build
g++ g++"

missing() {
    local thing package
    while read -r thing package; do
        [[ $thing = /* && -e $thing ]] || command -v "$thing" >/dev/null || echo "$package"
    done | sort -u
}

# Debian starts and enables a service as it installs it; a machine that builds this must not end up
# with an sshd for that.
install_quietly() {
    local rc=/usr/sbin/policy-rc.d
    if [ ! -e $rc ]; then
        trap 'rm -f /usr/sbin/policy-rc.d' EXIT
        printf '#!/bin/sh\nexit 101\n' >$rc
        chmod 0755 $rc
    fi
    export DEBIAN_FRONTEND=noninteractive
    apt-get -qq update
    apt-get -qq install -y --no-install-recommends "$@" >/dev/null
    if [[ " $* " = *" openssh-server "* ]] && [ -d /run/systemd/system ]; then
        systemctl disable --quiet ssh.service ssh.socket
        echo "openssh-server is installed and stays off: systemctl enable --now ssh, if you want it" >&2
    fi
}

install_packages() {
    if ! command -v apt-get >/dev/null; then
        echo "missing here, and no apt-get to install it; by Debian's names: $*" >&2
        return 1
    elif [ "$(id -u)" != 0 ]; then
        echo "missing here; as root: apt-get install $*" >&2
        return 1
    fi
    echo "installing $*" >&2
    install_quietly "$@"
}

need_cargo() {
    command -v cargo >/dev/null && return
    echo "missing here: a Rust toolchain, with cargo on the PATH" >&2
    return 1
}

need_cargo_tools() {
    local component
    for component in fmt clippy; do
        cargo "$component" --version >/dev/null 2>&1 && continue
        echo "missing here: cargo $component; rustup component add ${component/#fmt/rustfmt}" >&2
        return 1
    done
    if ! cargo deny --version >/dev/null 2>&1; then
        echo "installing cargo-deny, once: about five minutes" >&2
        cargo install --locked --quiet cargo-deny
    fi
}

case ${1:-} in
    build) table=$for_build ;;
    demo) table=$for_demo ;;
    test) table=$for_test ;;
    machine) table=$for_machine ;;
    fuzz) table=$for_fuzz ;;
    *) echo "usage: deps.sh build|demo|test|machine|fuzz" >&2; exit 2 ;;
esac
mapfile -t packages < <(missing <<<"$table")
[ ${#packages[@]} = 0 ] || install_packages "${packages[@]}"
need_cargo
[ "$1" != test ] || need_cargo_tools
[ "$1" != fuzz ] || cargo fuzz --version >/dev/null 2>&1 || {
    echo "installing cargo-fuzz, once: about a minute" >&2
    cargo install --locked --quiet cargo-fuzz
}
