# shellcheck shell=bash
# ssh-units.sh: sshd as other distributions run it, in a box, with the daemon that governs it. To be sourced.

# shellcheck source=observe.sh
. "$(dirname "${BASH_SOURCE[0]}")/observe.sh"
# shellcheck source=session.sh
. "$(dirname "${BASH_SOURCE[0]}")/session.sh"
# A command whose output is taken may fail.
trap '[ "$BASH_SUBSHELL" != 0 ] || explain "$LINENO" "$BASH_COMMAND"' ERR

explain() {
    printf '\nfailed at line %s: %s\n\nthe journal:\n' "$1" "$2"
    box journalctl --no-pager --quiet --lines=60 --output=short-precise --unit=$unit --unit='ssh*' || true
} >&2

step() { printf '%s\n' "$*"; }
refuses() { ! "$@"; }

# Debian's ssh.service goes, and with it the name sshd.service that it also has.
without_ssh_service() {
    box systemctl disable --quiet --now ssh.service
    box rm -f /etc/systemd/system/sshd.service
    box systemctl mask --quiet ssh.service
}

# ssh_unit NAME LINE…: a service of these lines; started.
ssh_unit() {
    local name=$1
    shift
    { printf '[Service]\nRuntimeDirectory=sshd\n'; printf '%s\n' "$@"; } \
        >"$(box_path /etc/systemd/system)/$name"
    box systemctl daemon-reload
    box systemctl restart "$name"
    await 10 "$name to listen" greets "${port:-22}"
}

# stand_in PATH: in the box, a program that runs what standard input says, as a script in which $program is
# PATH. A script in the place of sshd would not be run.
stand_in() {
    local place
    place=$(box_path "$1")
    # shellcheck disable=SC2016  # for the script
    { echo 'program=${0%.sh}'; cat; } >"$place.sh"
    cc -o "$place" "$repository/tests/stand-in.c"
}

# A new connection is greeted.
greets() {
    # shellcheck disable=SC2016  # for the shell in the box
    box timeout 5 bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$0" && read -r line <&3 && [[ $line = SSH-2.0-* ]]' \
        "$1" 2>/dev/null
}

main_pid() { property "$1" MainPID; }
drop_in() { echo "$(box_path /etc/ssh/sshd_config.d)/$1"; }
checks() { box keepalive-policy check >/dev/null 2>&1; }

# Waits until everything is in force, and the journal tells that SETTING was set right.
undone() {
    await 20 "the drift of $1 to be undone" checks
    await 10 "the journal to tell of $1" told KEEPALIVE_EVENT=corrected KEEPALIVE_SETTING="$1"
}

unit_is_active() { [ "$(property $unit ActiveState)" = active ]; }

# The daemon looks at everything once more; what it said before stays in view.
look_again() {
    local before=$journal_mark
    mark_journal
    box systemctl reload $unit
    await 10 "the policy to be read" told KEEPALIVE_EVENT=policy
    await 60 "the look to be over" unit_is_active
    journal_mark=$before
}

start_daemon() {
    mark_journal
    box systemctl start $unit
    await 20 "everything to be in force" checks
}

was_not_started_lately() {
    [ -z "$(box journalctl --quiet --since=-10s --unit="$1" --grep="Started $1")" ]
}

# is_restarted_twice UNIT: an sshd that takes up its files only by a restart, while its files drift for ten
# seconds. Five restarts in that time would end in start-limit-hit, and the unit be failed.
is_restarted_twice() {
    local unit=$1 begun turn said restarts
    await 20 "ten seconds without a start of $unit" was_not_started_lately "$unit"
    begun=$SECONDS
    mark_journal
    for turn in {1..12}; do
        # shellcheck disable=SC2016  # for the shell in the box
        box sh -c 'sed -i "s/^ClientAliveInterval .*/ClientAliveInterval $0/" /etc/ssh/sshd_config.d/*keepalive-policy*' "$turn"
        said=$(box keepalive-policy apply 2>&1) || true
        [ "$(property "$unit" ActiveState)" = active ]
        [ $((SECONDS - begun)) -lt 9 ] || break
    done
    restarts=$(box journalctl --quiet --since="$journal_mark" --unit="$unit" --grep="Started $unit" | wc -l)
    [ "$restarts" = 2 ]
    [[ $said = *"we restarted it 2 times within 10 s"* ]]
}
