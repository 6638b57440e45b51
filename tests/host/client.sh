#!/usr/bin/env bash
# client.sh: users who log in, and their own ssh clients: `client apply`, and the daemon in a user's manager.
set -eEuo pipefail
# shellcheck source=observe.sh
. "$(dirname "$0")/observe.sh"
trap 'explain "$LINENO" "$BASH_COMMAND"' ERR

explain() {
    printf '\nfailed at line %s: %s\n' "$1" "$2"
    box journalctl --no-pager --quiet --lines=40 || true
} >&2

step() { printf '%s\n' "$*"; }

# A login over ssh as USER, by root's key; what follows is one shell command.
as() {
    local user=$1
    shift
    box ssh -F none -i /root/key -o BatchMode=yes -o StrictHostKeyChecking=no -o LogLevel=ERROR \
        -o UserKnownHostsFile=/dev/null "$user@127.0.0.1" "$*"
}

add_user() {
    box useradd --create-home --shell /bin/bash "$1"
    box sh -c "install -d -m 700 -o $1 -g $1 /home/$1/.keys &&
        install -m 600 -o $1 -g $1 /root/key.pub /home/$1/.keys/authorized"
}

# What ssh itself says that USER's connection to HOST gets.
ssh_says() { as "$1" "ssh -G $2" 2>/dev/null | awk -v keyword="$3" '$1 == keyword { print $2 }'; }
ssh_gives() { [ "$(ssh_says "$1" "$2" "$3")" = "$4" ]; }

step "a host with two users, and no daemon of root's"
boot_with_tree
install_in_box >/dev/null
box ssh-keygen -q -t ed25519 -N '' -f /root/key
box sh -c 'printf "AuthorizedKeysFile .keys/authorized\n" >/etc/ssh/sshd_config.d/keys.conf; systemctl reload ssh'
add_user alice
add_user bob
box install -m 0644 /dev/stdin $policy <<'POLICY'
[ssh_config]
ServerAliveInterval = 77
POLICY

step "bob has no ~/.ssh: client apply makes it, with the modes that ssh wants"
await 20 "sshd to take bob's key" as bob true
as bob keepalive-policy client apply >/dev/null
ssh_gives bob anywhere serveraliveinterval 77
[ "$(as bob stat -c %a:%U .ssh .ssh/config | paste -sd ' ')" = "700:bob 600:bob" ]
as bob keepalive-policy client check anywhere >/dev/null
as bob keepalive-policy client restore >/dev/null
as bob test ! -e .ssh/config
ssh_gives bob anywhere serveraliveinterval 0

step "what others can write of bob's ends every ssh of his, and is closed"
as bob 'printf "Host web1\n    ServerAliveInterval 9\n" >.ssh/config; chmod 666 .ssh/config; chmod 775 .ssh'
[[ $(as bob ssh -G anywhere 2>&1 || true) = *"Bad owner or permissions"* ]]
status=0
said=$(as bob keepalive-policy client show) || status=$?
[ "$status" = 2 ]
[[ $said = *"/home/bob/.ssh/config: Bad owner or permissions"* ]]
as bob keepalive-policy client apply >/dev/null
[ "$(as bob stat -c %a .ssh .ssh/config | paste -sd ' ')" = "700 644" ]
ssh_gives bob anywhere serveraliveinterval 77

step "what a block of bob's own sets is said, by him and by root, and stays"
ssh_gives bob web1 serveraliveinterval 9
[[ $(as bob keepalive-policy client show web1) = *"/home/bob/.ssh/config:2, in Host web1; 77 is declared"* ]]
[[ $(as bob keepalive-policy client diff) = *"/home/bob/.ssh/config:2: ServerAliveInterval is 9 for Host web1"* ]]
status=0
as bob keepalive-policy client check web1 >/dev/null || status=$?
[ "$status" = 1 ]
[[ $(box keepalive-policy check || true) = *"/home/bob/.ssh/config:2: bob sets ServerAliveInterval 9 for Host web1"* ]]

step "what ssh refuses is said in its own words, with file and line"
as bob 'cp .ssh/config kept; printf "Host web1\nServerAliveInterval often\n" >.ssh/config'
[[ $(as bob keepalive-policy client show || true) = *"/home/bob/.ssh/config:2: invalid time value."* ]]
as bob 'printf "Host WEB9 a,b\n" >.ssh/config'
said=$(as bob keepalive-policy client show)
[[ $said = *"/home/bob/.ssh/config:1: Host WEB9: compared with"*"/home/bob/.ssh/config:1: Host a,b: commas"* ]]
as bob 'cat kept >.ssh/config; rm kept'
as bob keepalive-policy client restore >/dev/null

step "root by way of sudo is told to go"
status=0
box env SUDO_UID=1000 keepalive-policy client apply >/dev/null 2>&1 || status=$?
[ "$status" = 2 ]

step "alice's file is a link into her dotfiles, with a host of its own; her manager starts the daemon"
as alice 'umask 077; mkdir -p .ssh dotfiles .config
    printf "Host web1\n    ServerAliveInterval 9\n" >dotfiles/ssh; ln -s ../dotfiles/ssh .ssh/config
    printf "[ssh_config]\nServerAliveInterval = 45\nServerAliveCountMax = 7\n" >.config/keepalive-policy.toml'
before=$(as alice cat dotfiles/ssh)
box loginctl enable-linger alice
await 20 "alice's manager" as alice 'systemctl --user is-system-running >/dev/null 2>&1'
as alice systemctl --user enable --now --quiet keepalive-policy
ssh_gives alice anywhere serveraliveinterval 45
ssh_gives alice anywhere serveralivecountmax 7
ssh_gives alice web1 serveraliveinterval 9
as alice 'test -L .ssh/config && keepalive-policy status --user' >/dev/null

step "what is broken there is undone"
as alice 'printf "Host web1\n    ServerAliveInterval 9\n" >dotfiles/ssh'
await 20 "the block to come back" ssh_gives alice anywhere serveraliveinterval 45
as alice 'printf "\nHost web2\n    ServerAliveInterval 3\n" >>dotfiles/ssh'
await 20 "a new host to have its own value" ssh_gives alice web2 serveraliveinterval 3
as alice chmod 666 dotfiles/ssh
await 20 "the file to be hers alone to write" ssh_gives alice anywhere serveraliveinterval 45
as alice 'sed -i s/45/46/ .config/keepalive-policy.toml'
await 20 "the new policy" ssh_gives alice anywhere serveraliveinterval 46

step "nothing in her home is root's, and all of it can be taken back"
[ -z "$(box find /home/alice /home/bob ! -user alice ! -user bob)" ]
as alice systemctl --user disable --now --quiet keepalive-policy
as alice keepalive-policy client restore >/dev/null
[ "$(as alice cat dotfiles/ssh)" = "$before"$'\n\nHost web2\n    ServerAliveInterval 3' ]
echo "client: all passed"
