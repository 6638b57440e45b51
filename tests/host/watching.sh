#!/usr/bin/env bash
# watching.sh: every way in which files change, made by the programs that do it. Rereading is put off for
# an hour, so that only an event can have brought the correction.
set -eEuo pipefail
# shellcheck source=observe.sh
. "$(dirname "$0")/observe.sh"
trap 'explain "$LINENO" "$BASH_COMMAND"' ERR

explain() {
    box ls -la /etc/sysctl.d/ /etc/ssh/sshd_config.d/
    printf '\nthe journal of %s:\n' "$unit"
    box journalctl --no-pager --quiet --lines=30 --unit="$unit" || true
    printf '\nfailed at line %s: %s\n' "$1" "$2"
} >&2

key=net.ipv4.tcp_keepalive_time
name=99-zz-keepalive-policy.conf
inside=/etc/sysctl.d/$name

# What the daemon is about to set right is read by nobody but it: the file, as the loader would take it.
says() { [ "$(box sed -n "s/^$key *= *//p" "/etc/sysctl.d/$name" 2>/dev/null)" = 600 ]; }
plain() { box test -f "/etc/sysctl.d/$name" && ! box test -L "/etc/sysctl.d/$name"; }
boot_is_right() { boot_sets $key 600; }

# Many corrections of one setting within a minute are a quarrel; another policy is a new beginning.
ways=0
fresh_start() {
    ways=$((ways + 1))
    [ $((ways % 5)) != 0 ] || box systemctl reload "$unit"
}

# way TITLE COMMAND: COMMAND makes drift in the files of sysctl.d, as this machine reaches them.
way() {
    local title=$1 command=$2 trigger=${3:-inotify}
    fresh_start
    printf '%-46s' "$title"
    mark_journal
    drift=$drift etc=$(box_path /etc) at=$(box_path /etc/sysctl.d) name=$(box_path "$inside") inside=$inside \
        setsid --wait bash -euc "$command" </dev/null
    await 15 "$title to be told of" told KEEPALIVE_EVENT=corrected KEEPALIVE_TRIGGER="$trigger" \
        KEEPALIVE_SETTING=$key
    await 15 "$title to be undone" boot_is_right
    echo "corrected, trigger $trigger"
}

# sshd_way TITLE COMMAND: the same for what sshd reads, below /etc/ssh.
sshd_way() {
    fresh_start
    printf '%-46s' "$1"
    mark_journal
    etc=$(box_path /etc) ssh=$(box_path /etc/ssh) setsid --wait bash -euc "$2" </dev/null
    await 20 "$1 to be told of" told KEEPALIVE_EVENT=corrected KEEPALIVE_TRIGGER=inotify \
        KEEPALIVE_RESOURCE=sshd_config
    await 20 "$1 to be undone" sshd_gives root ClientAliveInterval 120
    echo "corrected, trigger inotify"
}

# Programs that look up for themselves what /proc/PID/root is would edit this machine's own files: they
# run in the box, which has none of them, with the libraries that they have here.
into_box() {
    local tools program
    tools=$(box_path /root/tools)
    mkdir -p "$tools"
    for program; do
        program=$(readlink -f "$(type -P "$program")")
        cp "$program" "$tools"
        ldd "$program" | awk '$2 == "=>" && $3 ~ /^\// { print $3 }' | xargs cp -t "$tools"
    done
    mv "$tools"/vim.* "$tools/vim"
}

tool() {
    local program=$1
    shift
    box env TERM=vt100 LD_LIBRARY_PATH=/root/tools "/root/tools/$program" "$@"
}

looks() { box sh -c "cat /proc/$(property "$unit" MainPID)/task/*/status" | awk '/^voluntary/ { sum += $2 } END { print sum }'; }
# Longer than a thread that has nothing to do stays.
at_rest() { local before; before=$(looks); rest 1.5; [ "$(looks)" = "$before" ]; }

# A package with one file of sysctl.d as its conffile, in two versions.
package() {
    local tree=$work/package
    rm -rf "$tree"
    mkdir -p "$tree/DEBIAN" "$tree/etc/sysctl.d"
    printf 'Package: zzz-db\nVersion: %s\nArchitecture: all\nMaintainer: x <x@example>\nDescription: x\n' "$1" \
        >"$tree/DEBIAN/control"
    echo /etc/sysctl.d/zzz-db.conf >"$tree/DEBIAN/conffiles"
    echo "$2" >"$tree/etc/sysctl.d/zzz-db.conf"
    dpkg-deb --root-owner-group --build "$tree" "$(box_path /root)/db_$1.deb" >/dev/null
}

boot_with_tree
install_in_box >/dev/null 2>&1
printf '\n[daemon]\nresync_interval = "1h"\nlive_interval = "1h"\n' >>"$(box_path $policy)"
box systemctl enable --now --quiet "$unit"
says
work=$(mktemp -d)
with_box="$(declare -f box box_leader tool); box_name=$box_name; box_hierarchies=(${box_hierarchies[*]})"
into_box rsync vim nano
trap 'box_stop; rm -rf "$work"' EXIT
drift=$work/drift
echo "$key = 999" | tee "$drift" >"$(box_path /root/drift)"

echo "in place"
# shellcheck disable=SC2016  # expanded by the shell that runs it
{
    way 'cat over it' 'cat "$drift" >"$name"'
    way 'a line appended' 'echo "net.ipv4.tcp_keepalive_time = 999" >>"$name"'
    way 'tee' 'tee "$name" <"$drift" >/dev/null'
    way 'cp over it' 'cp "$drift" "$name"'
    way 'dd into the middle of it' 'sed s/600/999/ "$name" >"$drift.same"; dd if="$drift.same" of="$name" conv=notrunc status=none'
    way 'truncate' 'truncate --size=0 "$name"'
    way 'rsync --inplace' "$with_box"'; tool rsync --inplace --ignore-times /root/drift "$inside"'
    way 'mmap' 'python3 -c "
import mmap, sys
with open(sys.argv[1], \"r+b\") as f:
    m = mmap.mmap(f.fileno(), 0); at = m.find(b\"600\"); m[at:at + 3] = b\"999\"; m.flush()" "$name"'
    echo "by a new file in its place"
    way 'sed -i' 'sed -i s/600/999/ "$name"'
    way 'sed -i.bak' 'sed -i.bak s/600/999/ "$name"; rm "$name.bak"'
    way 'perl -pi' 'perl -pi -e s/600/999/ "$name"'
    way 'rsync' "$with_box"'; tool rsync --ignore-times /root/drift "$inside"'
    way 'install' 'install -m 0644 "$drift" "$name"'
    way 'cp --remove-destination' 'cp --remove-destination "$drift" "$name"'
    way 'rm, then made again' 'rm "$name"; cat "$drift" >"$name"'
    way 'mv within the file system' 'cp "$drift" "$etc/moved"; mv "$etc/moved" "$name"'
    way 'mv from another file system' 'cp "$drift" "$drift.2"; mv "$drift.2" "$name"'
    way 'os.replace, as Ansible does' 'python3 -c "
import os, sys
new = os.path.join(os.path.dirname(sys.argv[2]), \".ansible_tmp\")
open(new, \"wb\").write(open(sys.argv[1], \"rb\").read()); os.replace(new, sys.argv[2])" "$drift" "$name"'
    way 'rename with exchange' 'cp "$drift" "$etc/other"; python3 -c "
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
assert libc.renameat2(-100, os.fsencode(sys.argv[1]), -100, os.fsencode(sys.argv[2]), 2) == 0, ctypes.get_errno()" "$etc/other" "$name"; rm "$etc/other"'
    echo "by editors"
    for how in auto yes no; do
        way "vim, backupcopy=$how" "$with_box"'; tool vim -N -u NONE -i NONE -es -c "set backup backupcopy='$how' | %s/600/999/ | wq" "$inside" </dev/null; rm -f "$name~"'
    done
    # On a terminal, once it has drawn its help: lines cut (^K), another written, saved (^O, Enter), left (^X).
    way 'nano' "$with_box"'; export -f box box_leader tool; export box_name hierarchy=${box_hierarchies[0]}
        nano_in_box() { box_hierarchies=("$hierarchy"); tool nano --ignorercfiles "$inside"; }; export -f nano_in_box
        timeout 20 python3 -c "
import os, pty
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(\"bash\", [\"bash\", \"-c\", \"nano_in_box\"])
screen = b\"\"
while b\"Exit\" not in screen:
    screen += os.read(terminal, 4096)
os.write(terminal, b\"\\x0b\" * 9 + b\"net.ipv4.tcp_keepalive_time = 999\\n\\x0f\\r\\x18\")
try:
    while os.read(terminal, 4096): pass
except OSError: pass
os.waitpid(pid, 0)"'
    echo "by links"
    # What has the name of our file and is not ours stays, and ours gets another name.
    way 'ln -sf' 'mkdir -p "$etc/elsewhere"; cp "$drift" "$etc/elsewhere/target"; ln -sf ../elsewhere/target "$name"'
    way 'rm' 'rm "$at"/*keepalive-policy.conf'
    way 'a link put in place by a rename' 'ln -s ../elsewhere/target "$at/new"; mv -T "$at/new" "$name"'
    way 'rm again' 'rm "$at"/*keepalive-policy.conf'
    way 'a foreign link' 'ln -s ../elsewhere/target "$at/zzz-link.conf"'
    way 'the link gone, and ours' 'rm "$at/zzz-link.conf" "$at"/*keepalive-policy.conf'
    echo "# nothing" >"$(box_path /etc/elsewhere/target)"
    ln -s ../elsewhere/target "$(box_path /etc/sysctl.d)/zzz-link.conf"
    await 20 "the daemon to be at rest" at_rest
    way 'the target of a foreign link, edited elsewhere' 'cat "$drift" >"$etc/elsewhere/target"'
}
box rm /etc/sysctl.d/zzz-link.conf
await 10 "the link to be gone" boot_is_right
printf '%-46s' 'a masking link to /dev/null'
mark_journal
box sh -c "rm /etc/sysctl.d/*keepalive-policy.conf; ln -s /dev/null $inside"
await 10 "the mask to be told of" told KEEPALIVE_EVENT=conflict KEEPALIVE_RESOURCE=sysctl
echo "told as a conflict: whoever masks a file means it"
# shellcheck disable=SC2016  # expanded by the shell that runs it
way 'the mask taken away' 'rm "$name"'

echo "by packages"
package 1 "$key = 999"
package 2 "# nothing"
package 3 "$key = 998"
way 'dpkg --install' "$with_box"'; box dpkg --install /root/db_1.deb >/dev/null 2>&1'
box dpkg --purge zzz-db >/dev/null 2>&1
box sh -c 'rm /etc/sysctl.d/*keepalive-policy.conf; dpkg --install /root/db_2.deb >/dev/null 2>&1'
await 20 "our drop-in to have its usual name" says
await 20 "the daemon to be at rest" at_rest
way 'dpkg, a conffile replaced' "$with_box"'; echo "# mine" >"$at/zzz-db.conf"; box dpkg --force-confnew --install /root/db_3.deb >/dev/null 2>&1'
box dpkg --purge zzz-db >/dev/null 2>&1
await 10 "the package to be gone" boot_is_right

echo "by directories"
# shellcheck disable=SC2016
{
    way 'the directory moved away and made again' 'mv "$at" "$etc/sysctl.old"; mkdir "$at"; cp "$drift" "$at/zzz.conf"'
    way 'the directory removed and made again' 'rm -r "$at" "$etc/sysctl.old"; mkdir "$at"; cp "$drift" "$at/zzz.conf"'
    way 'the directory replaced by a link' 'mv "$at" "$etc/real.d"; ln -s real.d "$at"; rm "$etc/real.d"/*keepalive-policy.conf'
    way 'the link swapped for another' 'mkdir "$etc/other.d"; cp "$drift" "$etc/other.d/zzz.conf"; ln -sfn other.d "$at"'
    way 'a file where the link leads' 'cp "$drift" "$etc/other.d/~.conf"'
    way 'a directory that was not there' 'mkdir "$etc/../run/sysctl.d"; cp "$drift" "$etc/../run/sysctl.d/~~~.conf"'
}
box sh -c 'rm /run/sysctl.d/~~~.conf /etc/sysctl.d/*.conf'
await 20 "our drop-in to have its usual name" says

echo "by mounts, which no inotify event tells of"
box sh -c "echo $key = 999 >/root/over; mkdir -p /root/over.d; cp /root/over /root/over.d/zzz.conf"
echo "# nothing" >"$(box_path /etc/sysctl.d)/zzzz-mount.conf"
await 20 "the daemon to be at rest" at_rest
way 'a file bind-mounted over it' "$with_box"'; box mount --bind /root/over /etc/sysctl.d/zzzz-mount.conf'
# The kernel refuses it while the daemon happens to read there: its mounts follow the host's.
await 10 "the file to be unmounted" box umount /etc/sysctl.d/zzzz-mount.conf
box rm /etc/sysctl.d/zzzz-mount.conf
await 10 "the mount to be gone" boot_is_right
# After each mount comes a rest; a mount during it is told of at its end.
way 'a directory, right after another mount' "$with_box"'; box sh -c "
    mkdir /root/a; cp -r /root/over.d /root/next.d; mount --bind /root/a /etc/ssh/sshd_config.d; umount /etc/ssh/sshd_config.d
    mount --bind /root/next.d /etc/sysctl.d"'
await 10 "the directory to be unmounted" box umount /etc/sysctl.d
await 10 "the directory below to be right" boot_is_right
way 'a directory bind-mounted over it' "$with_box"'; box mount --bind /root/over.d /etc/sysctl.d'
way 'a file in what is mounted there' 'cp "$drift" "$etc/../root/over.d/~~.conf"'
await 10 "the directory to be unmounted" box umount /etc/sysctl.d
await 10 "the directory below to be right" boot_is_right

echo "what sshd reads"
# shellcheck disable=SC2016
{
    sshd_way 'a drop-in' 'echo ClientAliveInterval 7 >"$ssh/sshd_config.d/00-a.conf"'
    sshd_way 'another Include' 'mkdir "$etc/srv"; echo "# nothing" >"$etc/srv/ssh.conf"; sed -i "1i Include /etc/srv/ssh.conf" "$ssh/sshd_config"; echo ClientAliveInterval 8 >"$etc/srv/ssh.conf"'
    sshd_way 'the file it names, edited later' 'sed -i s/8/9/ "$etc/srv/ssh.conf"; rm -f "$ssh"/sshd_config.d/*keepalive*; sed -i "/keepalive-policy/,+3d" "$ssh/sshd_config"'
    sshd_way 'a drop-in with its directory' 'mv "$ssh/sshd_config.d" "$ssh/old.d"; mkdir "$ssh/sshd_config.d"; echo ClientAliveInterval 7 >"$ssh/sshd_config.d/a.conf"'
}
sed -i '/srv\/ssh.conf/d' "$(box_path /etc/ssh/sshd_config)"
await 20 "the Include to be gone" sshd_gives root ClientAliveInterval 120
await 20 "the daemon to be at rest" at_rest
wakes_nobody() {
    local before number
    before=$(looks)
    for number in 1 2 3 4 5; do echo "ClientAliveInterval $number" >"$(box_path /etc/srv/ssh.conf)"; done
    rest 0.5
    [ "$(looks)" = "$before" ]
}
# Again where the rereading of every five seconds came in between.
await 20 "nobody to be woken" wakes_nobody
echo 'a file that is no longer included               wakes nobody'

echo "by a slow hand"
# slowly FILE: writes FILE anew in place, and between its first half and the rest waits for /root/go.
slowly() {
    box sh -c "rm -f /root/go; cp $1 /root/whole"
    # shellcheck disable=SC2016  # expanded in the box
    box bash -c 'exec 3>"$1"; head -c 200 /root/whole >&3
        until [ -e /root/go ]; do read -r -t 0.1 <> <(:) || true; done; tail -c +201 /root/whole >&3' - "$1" &
    slow=$!
}
reloads() { box journalctl --quiet --unit=ssh --grep='Received SIGHUP' --case-sensitive=yes | wc -l; }
mark_journal
reloaded=$(reloads)
slowly /etc/ssh/sshd_config
await 10 "it to be told of" told KEEPALIVE_RESOURCE=sshd_config KEEPALIVE_EVENT=refused
box rm /etc/ssh/sshd_config.d/00-keepalive-policy.conf
mark_journal
box touch /root/go
wait $slow
await 10 "the drop-in to be back" told KEEPALIVE_RESOURCE=sshd_config KEEPALIVE_EVENT=corrected
box cmp /etc/ssh/sshd_config /root/whole
[ "$(reloads)" = $((reloaded + 1)) ]
echo 'sshd_config                                    waited for, and whole'
mark_journal
slowly $policy
await 10 "it to be told of" told KEEPALIVE_EVENT=policy PRIORITY=3
await 10 "the previous policy to be kept" live_is $key 600
mark_journal
box touch /root/go
wait $slow
box cmp $policy /root/whole
box systemctl reload "$unit"
echo 'the policy                                     waited for, and whole'

echo "a value written where no event tells of it"
printf '\n[daemon]\nresync_interval = "2s"\nlive_interval = "1s"\n' >"$work/tail"
sed -i '/^\[daemon\]$/,$d' "$(box_path $policy)"
cat "$work/tail" >>"$(box_path $policy)"
box systemctl reload "$unit"
mark_journal
box unshare --mount --pid --fork --mount-proc sysctl -qw $key=7201
await 10 "the value to be right" live_is $key 600
await 10 "it to be told" told KEEPALIVE_EVENT=corrected KEEPALIVE_TRIGGER=resync KEEPALIVE_FOUND=7201
told KEEPALIVE_EVENT=unheard
echo 'another mount of /proc                         corrected, trigger resync, and counted'
mark_journal
box sh -c 'rm /etc/sysctl.d/*.conf'
await 20 "our drop-in to have its usual name" says
# The link itself is an event; only what is written after the look that it makes is unheard.
through_a_hard_link() {
    mark_journal
    box ln -f "/etc/sysctl.d/$name" /root/hard
    box sh -c "sed s/600/999/ /root/hard | dd of=/root/hard conv=notrunc status=none"
    await 10 "the file to be right" says
    await 10 "it to be told" told KEEPALIVE_EVENT=corrected
    told KEEPALIVE_EVENT=corrected KEEPALIVE_TRIGGER=resync
}
await 60 "a resync to find it" through_a_hard_link
plain
echo 'through a hard link elsewhere                  corrected, trigger resync'

echo "no inotify to be had, as where other programs have taken all of it"
mkdir -p "$(box_path /etc/systemd/system)/$unit.d"
printf '[Service]\nSystemCallErrorNumber=EMFILE\nSystemCallFilter=~inotify_init inotify_init1\n' \
    >"$(box_path /etc/systemd/system)/$unit.d/deaf.conf"
sed -i 's/^resync_interval.*/resync_interval = "60s"/' "$(box_path $policy)"
box systemctl daemon-reload
mark_journal
box systemctl restart "$unit"
told KEEPALIVE_EVENT=unwatched
[ "$(journal KEEPALIVE_EVENT=unwatched | wc -l)" = 1 ]
mark_journal
box sysctl -qw $key=7202
await 5 "the value to be right" live_is $key 600
echo "$key = 7203" >"$(box_path /etc/sysctl.d)/zz~~~~.conf"
await 20 "the boot's value to be right" boot_is_right
echo "ClientAliveInterval 7" >"$(box_path /etc/ssh/sshd_config.d)/!a.conf"
await 20 "sshd's value to be right" sshd_gives root ClientAliveInterval 120
[ -z "$(journal KEEPALIVE_EVENT=unwatched)" ]
echo 'polled every ten seconds, and said once'
echo "passed"
