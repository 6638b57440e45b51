#!/usr/bin/env bash
# client-idle.sh: an idle session through a firewall that forgets it after a few seconds. Without any
# keepalive it is lost; with what `client export --for openssh` says, and that alone, it lives.
set -euo pipefail
: "${KEEPALIVE_POLICY:?names the binary under test}"
PATH=$PATH:/usr/sbin:/sbin
net=kpidle$$ dir=$(mktemp -d)
forget=4 silence=12

# The namespaces' processes are those of this script: ended by their ids.
pids=()
finish() {
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    for side in client firewall server; do ip netns delete $net-$side 2>/dev/null || true; done
    rm -rf "$dir"
}
trap finish EXIT

on() { local side=$1; shift; ip netns exec $net-"$side" "$@"; }

topology() {
    local side
    for side in client firewall server; do ip netns add $net-$side; on $side ip link set lo up; done
    ip -n $net-client link add eth0 type veth peer name inside netns $net-firewall
    ip -n $net-server link add eth0 type veth peer name outside netns $net-firewall
    ip -n $net-client address add 10.99.1.2/24 dev eth0
    ip -n $net-firewall address add 10.99.1.1/24 dev inside
    ip -n $net-firewall address add 10.99.2.1/24 dev outside
    ip -n $net-server address add 10.99.2.2/24 dev eth0
    for side in client server; do ip -n $net-$side link set eth0 up; done
    for side in inside outside; do ip -n $net-firewall link set $side up; done
    ip -n $net-client route add default via 10.99.1.1
    on firewall sysctl -qw net.ipv4.ip_forward=1
}

# Only known connections and new ones pass; one that was forgotten is neither, since it has no SYN.
# Input is dropped: the firewall's own TCP would answer a forgotten connection with a reset.
forgetful() {
    on firewall nft -f - <<'RULES'
table inet firewall {
    chain forward {
        type filter hook forward priority 0; policy drop;
        ct state invalid drop
        ct state established accept
        tcp flags & (syn | ack) == syn ct state new accept
    }
    chain input { type filter hook input priority 0; policy drop; }
    chain source { type nat hook postrouting priority 100; oifname "outside" masquerade; }
}
RULES
    on firewall sysctl -qw net.netfilter.nf_conntrack_tcp_loose=0 \
        net.netfilter.nf_conntrack_tcp_timeout_established=$forget
}

serve() { # without anything that keeps a connection alive
    ssh-keygen -q -t ed25519 -N '' -f "$dir/host"
    ssh-keygen -q -t ed25519 -N '' -f "$dir/user"
    mkdir -p /run/sshd
    on server "$(type -P sshd)" -D -e -f /dev/null -p 2200 -h "$dir/host" -o PidFile=none -o UsePAM=no \
        -o StrictModes=no -o "AuthorizedKeysFile=$dir/user.pub" -o PermitRootLogin=yes \
        -o TCPKeepAlive=no -o ClientAliveInterval=0 </dev/null >"$dir/sshd" 2>&1 &
    pids+=($!)
    local tries=0
    until on server ss -Htln 'sport = :2200' | grep -q .; do
        [ $((tries += 1)) -lt 100 ] || { cat "$dir/sshd" >&2; return 1; }
        read -r -t 0.1 <> <(:) || true
    done
}

# A session that is silent for a while, then says a word and wants to hear it.
session() {
    local config=$1 out=$2
    { read -r -t $silence <> <(:) || true; echo alive; } |
        timeout $((silence + 10)) ip netns exec $net-client ssh -F "$config" -p 2200 -i "$dir/user" -o BatchMode=yes \
            -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR \
            -o TCPKeepAlive=no root@10.99.2.2 cat >"$out" 2>&1 || true
}

topology
forgetful
serve
install -m 0600 /dev/stdin "$dir/policy.toml" <<'POLICY'
[ssh_config]
ServerAliveInterval = 2
ServerAliveCountMax = 5
POLICY
"$KEEPALIVE_POLICY" --policy "$dir/policy.toml" client export --for openssh >"$dir/config"
: >"$dir/empty"
# BatchMode makes Debian's ssh ask every 300 s, too seldom to matter here.
session "$dir/empty" "$dir/without" &
without=$!
session "$dir/config" "$dir/with" &
with=$!
wait $without $with
if grep -q alive "$dir/without"; then echo "the firewall did not forget: nothing is proved" >&2; exit 1; fi
grep -q alive "$dir/with" || { echo "the session was lost:" >&2; cat "$dir/with" "$dir/sshd" >&2; exit 1; }
echo "client-idle: silent for $silence s through a firewall that forgets after $forget s; only the policy kept it"
