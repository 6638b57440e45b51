#!/usr/bin/env bash
# netns.sh: the values of named network namespaces. The unit as it ships can't enter one, and says so once;
# with the drop-in that ships beside it they are kept like the host's own, and put back.
set -eEuo pipefail
# shellcheck source=observe.sh
. "$(dirname "$0")/observe.sh"
trap 'echo "failed at line $LINENO: $BASH_COMMAND" >&2; box journalctl --quiet --no-pager -n 30 -u $unit >&2' ERR

time=net.ipv4.tcp_keepalive_time
wanted=$(declared $time)

# namespace_is NAME VALUE
namespace_is() { [ "$(box ip netns exec "$1" cat "/proc/sys/${time//.//}" 2>/dev/null)" = "$2" ]; }

reload() {
    mark_journal
    box systemctl reload "$unit"
}

boot_with_tree
install_in_box >/dev/null 2>&1
sed -i "s/^\[sysctl\]/&\nnamespaces = [\"host\", \"named\"]/" "$(box_path $policy)"
box ip netns add blue
box ip netns add red
mark_journal
box systemctl enable --now --quiet "$unit"

echo "without the capability: said once, and the host is kept"
await 10 "the notice" told KEEPALIVE_EVENT=notice KEEPALIVE_RESOURCE=sysctl
live_is $time "$wanted"
box systemctl reload "$unit"
box systemctl reload "$unit"
[ "$(journal KEEPALIVE_EVENT=notice | grep -c CAP_SYS_ADMIN)" = 1 ]
namespace_is blue 7200
[ "$(property "$unit" StatusText | grep -c 'settings in force')" = 1 ]

echo "with the drop-in"
box install -D -m 0644 /usr/local/share/doc/keepalive-policy/named-namespaces.conf \
    /etc/systemd/system/$unit.d/named-namespaces.conf
box systemctl daemon-reload
box systemctl restart "$unit"
namespace_is blue "$wanted"
namespace_is red "$wanted"

echo "a container's: told of by check, and left as it is"
box systemd-run --quiet --unit=box-in-box unshare --net sh -c \
    'ip link add inner type veth peer name outer && echo 4321 >/proc/sys/net/ipv4/tcp_keepalive_time && exec sleep infinity'
check_tells() { box keepalive-policy check | tr -s '\n ' ' ' | grep -q "$1"; }
await 10 "check to tell of it" check_tells "box-in-box.service (sleep, process [0-9]*): $time 4321, declared $wanted"
box keepalive-policy check >/dev/null
box systemctl stop box-in-box
check_tells "box-in-box" && false

echo "drift in one"
mark_journal
box ip netns exec blue sysctl -qw $time=7200
await 10 "blue to be set right" namespace_is blue "$wanted"
await 5 "the journal to tell of it" told KEEPALIVE_EVENT=corrected KEEPALIVE_SETTING=$time \
    KEEPALIVE_FOUND=7200 KEEPALIVE_TRIGGER=inotify
journal KEEPALIVE_EVENT=corrected | grep -q 'netns blue'
namespace_is red "$wanted"

echo "one that is made later, and one made anew"
box ip netns add green
await 10 "green" namespace_is green "$wanted"
box ip netns delete blue
box ip netns add blue
await 10 "the new blue" namespace_is blue "$wanted"

echo "check: each is a context of its own"
for name in blue green red; do
    box keepalive-policy check | grep -E "$time +netns $name +$wanted +$wanted " >/dev/null
done

echo "no longer asked for: as before"
sed -i '/^namespaces/d' "$(box_path $policy)"
reload
for name in blue green red; do
    await 10 "$name as before" namespace_is $name 7200
done
live_is $time "$wanted"
echo "passed"
