# shellcheck shell=bash
# session.sh: an ssh session in the box that stays open, and proves to be alive. To be sourced.

# open_session [PORT]
open_session() {
    [ -e "$(box_path /root)/.ssh/id" ] || box sh -c 'mkdir -pm 700 /root/.ssh && cd /root/.ssh &&
        ssh-keygen -q -t ed25519 -N "" -f id && cp id.pub authorized_keys'
    coproc session { box ssh -p "${1:-22}" -i /root/.ssh/id -o BatchMode=yes -o StrictHostKeyChecking=no \
        -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR root@127.0.0.1 cat; }
}

# Before a shutdown: systemd stops all processes for a moment, which its own side of an nsenter into the
# box would never wake up from.
close_session() {
    local input=${session[1]}
    exec {input}>&-
    wait "${session_PID?}"
}

session_lives() {
    local word=alive-$RANDOM reply=
    echo $word >&"${session[1]}"
    read -r -t 10 reply <&"${session[0]}"
    [ "$reply" = $word ]
}
