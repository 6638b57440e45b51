# shellcheck shell=bash
# box.sh: a throw-away Debian machine with a systemd, an sshd, an /etc and a network of its own.
# To be sourced; needs root and systemd-nspawn.
#
#   box_boot [NSPAWN-OPTION…]     starts it, and waits until systemd is up in it
#   box COMMAND…                  runs a command in it, as its root
#   box_path PATH                 a file of it, as this machine reaches it
#   box_reboot                    reboots it on the same disk, and waits again
#   box_stop                      pulls the plug
#   await SECONDS WHAT COMMAND…   repeats COMMAND until it succeeds; else says that WHAT did not come
#
# The disk is a tmpfs laid over a root that is built once and never written. Everything runs in a
# PID and mount namespace that dies with this shell, so that even `kill -9` leaves nothing behind.

box_name=keepalive-box-$$
box_run=/run/$box_name
box_here=$(dirname "${BASH_SOURCE[0]}")

# Where the v2 hierarchy is, and systemd's own v1 hierarchy on a machine that still has both.
box_hierarchies=(/sys/fs/cgroup)
[ ! -d /sys/fs/cgroup/unified ] || box_hierarchies=(/sys/fs/cgroup/unified /sys/fs/cgroup/systemd)

# rest SECONDS: without a program started for it. Nothing ever comes out of this pipe, which is opened once:
# a process substitution for each rest makes bash wait for ever when process ids come round again.
exec {box_silence}<> <(:)
rest() { read -r -t "$1" <&"$box_silence" || true; }

# Polling is what `systemctl` and /proc offer; the bound makes a failure a sentence, not a hang.
await() {
    local deadline=$((SECONDS + $1)) what=$2
    shift 2
    until "$@"; do
        if [ $SECONDS -ge $deadline ]; then
            echo "waited in vain for: $what" >&2
            return 1
        fi
        rest 0.05
    done
}

# What $KEEPALIVE_BOX_SUITE names (trixie), or the release of this machine.
box_suite() {
    [ -z "${KEEPALIVE_BOX_SUITE:-}" ] || { echo "$KEEPALIVE_BOX_SUITE"; return; }
    # shellcheck source=/dev/null
    (. /etc/os-release; [ "$ID" = debian ] && echo "${VERSION_CODENAME:-bookworm}" || echo bookworm)
}

# The mirror that apt uses here for the suite itself (not its updates); for another suite than its
# own, the one that it uses for that: a mirror has all of them.
box_mirror() {
    local suite=$1 mirror
    mirror=$(box_listed_mirror "$suite")
    # Nothing is listed before the first update, nor in an image whose lists were cleaned away.
    [ -n "$mirror" ] || { apt-get -qq update; mirror=$(box_listed_mirror "$suite"); }
    [ -n "$mirror" ] || { echo "apt here knows no mirror of Debian $suite" >&2; return 1; }
    echo "$mirror"
}

box_listed_mirror() {
    apt-get indextargets --format '$(CODENAME) $(REPO_URI)' 'Created-By: Packages' 'Label: Debian' |
        awk -v suite="$1" '
            $1 == suite && !mirror { mirror = $2 }
            $1 !~ /-/ && !other { other = $2 }
            END { if (mirror || other) print mirror ? mirror : other }'
}

# A bootable minimal Debian; cut down to what a server with sshd needs, so that it boots in a second.
box_build_root() {
    local suite=$1 root=$2 mirror
    mirror=$(box_mirror "$suite") || return
    PATH=/usr/sbin:/sbin:$PATH mmdebstrap --quiet --variant=essential --skip=output/dev \
        --include=systemd,systemd-sysv,libpam-systemd,dbus,openssh-server,procps,iproute2,libseccomp2,make \
        --aptopt='Acquire::Languages "none"' \
        --dpkgopt='path-exclude=/usr/share/doc/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' \
        --customize-hook=': >"$1"/etc/machine-id; echo box >"$1"/etc/hostname' \
        --customize-hook='chroot "$1" ssh-keygen -A >/dev/null' \
        --customize-hook='for unit in dev-hugepages sys-fs-fuse-connections; do
            ln -s /dev/null "$1/etc/systemd/system/$unit.mount"; done' \
        "$suite" "$root" "$mirror" >&2
}

# Prints the root's path; builds it at the first use, and again when its recipe changes.
box_root() {
    local cache=${KEEPALIVE_TESTBED:-/var/cache/keepalive-policy-testbed} suite root
    suite=$(box_suite)
    root=$cache/$suite-$(declare -f box_build_root | cksum | cut -d ' ' -f 1)
    mkdir -p "$cache"
    (
        flock 9
        [ ! -e "$root.complete" ] || exit 0
        echo "building a minimal Debian $suite in $root, once: about a minute" >&2
        rm -rf "$root"
        box_build_root "$suite" "$root" && : >"$root.complete"
    ) 9>"$cache/lock" || return
    echo "$root"
}

box_boot() {
    local root hierarchy
    root=$(box_root) || return
    case " $*" in *" --network-"*) ;; *) set -- --private-network "$@" ;; esac
    box_stop
    mkdir -p "$box_run/disk"
    for hierarchy in "${box_hierarchies[@]}"; do
        mkdir -p "$hierarchy/$box_name"
    done
    setsid setpriv --pdeathsig KILL bash -c '
        for directory in $1; do echo $$ >"$directory/cgroup.procs"; done; shift
        exec unshare --mount --propagation private --pid --fork --kill-child --mount-proc bash "$@"
    ' _ "${box_hierarchies[*]/%//$box_name}" \
        "$box_here/box-machine.sh" "$box_name" "$root" "$box_run/disk" "$@" \
        </dev/null >"$box_run/console" 2>&1 &
    box_pid=$!
    box_wait
}

box_wait() {
    await 60 "the box to boot" box_settled || { cat "$box_run/console" >&2; return 1; }
    [ "$box_state" = running ] || { box systemctl --failed --no-pager >&2; return 1; }
}

box_settled() {
    kill -0 "$box_pid" 2>/dev/null || { box_state=gone; return 0; }
    box_state=$(box systemctl is-system-running 2>/dev/null) || true
    [[ $box_state = @(running|degraded) ]]
}

# The box's PID 1: the one process of its init.scope that sees itself as 1.
box_leader() {
    local pid
    while read -r pid; do
        if grep -qsE '^NSpid:.*[[:blank:]]1$' "/proc/$pid/status"; then
            echo "$pid"
            # A bare return gives what failed before, when a trap calls this.
            return 0
        fi
    done 2>/dev/null <"${box_hierarchies[0]}/$box_name/payload/init.scope/cgroup.procs"
    return 1
}

box() {
    local leader
    leader=$(box_leader) || { echo "the box does not run" >&2; return 125; }
    (
        # Among the box's processes, so that box_stop ends it too.
        echo "$BASHPID" >"${box_hierarchies[0]}/$box_name/payload/init.scope/cgroup.procs"
        exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin LC_ALL=C.UTF-8 \
            nsenter -t "$leader" -m -u -i -n -p -C -r -w -- "$@"
    )
}

box_path() {
    local leader
    leader=$(box_leader) && echo "/proc/$leader/root$1"
}

# Waited for from outside: a shutdown stops every process in the box before it kills them, and an nsenter
# whose child is stopped stops itself, for good.
box_reboot() {
    local before
    before=$(box_leader)
    box systemctl --no-block reboot
    await 60 "the box to go down" box_has_another_leader "$before" || return
    box_wait
}

box_has_another_leader() {
    local now
    now=$(box_leader) && [ "$now" != "$1" ]
}

box_empty() { grep -qs 'populated 0' "$1/cgroup.events"; }

box_stop() {
    local cgroup=${box_hierarchies[0]}/$box_name hierarchy
    if [ -e "$cgroup/cgroup.kill" ]; then
        # In one group with its output discarded: the shell would report the "Killed" job.
        { echo 1 >"$cgroup/cgroup.kill"; wait ${box_pid:+"$box_pid"} || true; } 2>/dev/null
        await 20 "the box's processes to end" box_empty "$cgroup"
    fi
    box_pid=
    for hierarchy in "${box_hierarchies[@]}"; do
        [ ! -d "$hierarchy/$box_name" ] || find "$hierarchy/$box_name" -depth -type d -exec rmdir {} \;
    done
    rm -rf --one-file-system "$box_run"
}
trap box_stop EXIT
