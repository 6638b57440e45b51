//! State files that are damaged, of a later version, out of range or lost, and lines of others in
//! files of ours. Each test runs the program as root in a network namespace of its own, with an empty
//! /var/lib, /run and /etc/sysctl.d, so that the values of this machine are never touched.

use std::fs;
use std::path::Path;
use std::process::Command;

/// Three values, and functions that the scripts share.
const SETUP: &str = r#"
export NO_COLOR=1
for place in /var/lib /run /etc/sysctl.d; do mount -t tmpfs -o mode=755 tmpfs $place; done
state=/var/lib/keepalive-policy record=/var/lib/keepalive-policy/originals.json
ours=/etc/sysctl.d/99-zz-keepalive-policy.conf
printf '[sysctl]\nnet.ipv4.tcp_keepalive_time = 600\nnet.ipv4.tcp_keepalive_probes = 5\n' >/var/lib/policy.toml
keepalive() { "$PROGRAM" --policy /var/lib/policy.toml "$@"; }
value() { cat "/proc/sys/net/ipv4/tcp_keepalive_$1"; }
is() { [ "$1" = "$2" ] || { echo "is $1, wanted is $2: $3"; exit 9; }; }
has() { case $1 in *"$2"*) ;; *) echo "no \"$2\" in: $1"; exit 9 ;; esac; }
exits() { local wanted=$1 code=0; shift; said=$("$@" 2>&1) || code=$?; is $code $wanted "$* said $said"; }
"#;

/// Runs a script; what it prints is the finding where it fails.
fn run(script: &str) {
    let output = Command::new("unshare")
        .args(["--net", "--mount", "--propagation", "private", "bash", "-euc"])
        .arg(format!("{SETUP}{script}"))
        .env("PROGRAM", super::program())
        .env("FIXTURES", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/records"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{:?}: {said}", output.status);
}

#[test]
fn originals_that_cannot_be_used_stop_no_correction_and_are_kept() {
    for damage in [
        "",
        "[]",
        "{\"live\":",
        "{\"live\":{\"net.ipv4.tcp_keepalive_time\":-5}}",
        "{\"live\":{\"net.ipv4.tcp_keepalive_probes\":300}}",
        "{\"live\":{\"net.ipv4.tcp_keepalive_intvl\":4294967296}}",
        "{\"live\":{\"net.ipv4.tcp_keepalive_time\":\"7200\"}}",
        "{\"live\":{\"net.ipv4.tcp_keepalive_time\":[[[{\"a\":[]}]]]}}",
        "{\"version\":99,\"live\":{\"net.ipv4.tcp_keepalive_time\":1}}",
        "\u{1b}[2J",
    ] {
        run(&format!(
            r#"
keepalive apply >/dev/null
cat >$record <<'DAMAGE'
{damage}
DAMAGE
cp $record /var/lib/damaged
exits 0 keepalive check
has "$said" originals.json
cmp $record /var/lib/damaged || {{ echo 'check changed the record'; exit 9; }}
echo 30 >/proc/sys/net/ipv4/tcp_keepalive_time
exits 0 keepalive apply
is $(value time) 600 "the value after apply: $said"
cmp $state/originals.json.unusable-* /var/lib/damaged || {{ echo 'not kept aside'; exit 9; }}
exits 0 keepalive check
has "$said" "originals.json.unusable-"
exits 1 keepalive restore
has "$said" "conflict: sysctl: the record of what was there before the policy was lost"
has "$said" "conflict: sysctl: net.ipv4.tcp_keepalive_time "
is $(value time) 600 "the value after restore: $said"
cmp $state/originals.json.unusable-* /var/lib/damaged || {{ echo 'not kept after restore'; exit 9; }}
exits 0 keepalive restore
has "$said" "Nothing to change"
"#
        ));
    }
}

#[test]
fn originals_of_a_gigabyte_are_kept_aside_unread() {
    run(r#"
keepalive apply >/dev/null
truncate -s 1G $record
echo 30 >/proc/sys/net/ipv4/tcp_keepalive_time
ulimit -v 200000
exits 1 keepalive check
exits 0 keepalive apply
is $(value time) 600 "$said"
is $(stat -c %s $state/originals.json.unusable-*) 1073741824 size
"#);
}

#[test]
fn the_state_directory_is_lost_then_restore() {
    run(r#"
exits 0 keepalive restore
has "$said" "Nothing to change"
keepalive apply >/dev/null
rm -r $state
exits 1 keepalive --format json restore
has "$said" "originals.json is gone, though $ours is ours"
has "$said" "net.ipv4.tcp_keepalive_time is 600 and stays"
has "$said" "sysctl -w net.ipv4.tcp_keepalive_time=7200"
has "$said" "net.ipv4.tcp_keepalive_probes is 5 and stays"
[ ! -e $ours ] || { echo "$ours is still there"; exit 9; }
exits 0 keepalive restore
"#);
}

#[test]
fn the_state_directory_is_lost_and_the_values_of_the_policy_are_not_taken_for_what_was_there() {
    run(r#"
keepalive apply >/dev/null
rm -r $state
keepalive apply >/dev/null
grep -q '"live": {}' $record || { cat $record; exit 9; }
exits 1 keepalive restore
has "$said" "what it was before"
"#);
}

#[test]
fn kernel_panic_appended_to_our_drop_in_stays() {
    run(r#"
keepalive apply >/dev/null
printf '# ours since 2019\nkernel.panic = 10\n' >>$ours
sed -i 's/time = 600/time = 7/' $ours
exits 0 keepalive apply
has "$said" "$ours:6: this line"
has "$(cat $ours)" "time = 600"
has "$(cat $ours)" "kernel.panic = 10"
sed -i /probes/d /var/lib/policy.toml
exits 0 keepalive apply
has "$(cat $ours)" "kernel.panic = 10"
exits 0 keepalive restore
is "$(cat $ours)" $'# ours since 2019\nkernel.panic = 10' 'what is left'
"#);
}

#[test]
fn lines_of_others_in_files_of_sshd_and_ssh_stay() {
    run(r#"
root=/var/lib/tree; mkdir -p $root/etc/ssh/ssh_config.d $root/etc/ssh/sshd_config.d $root/usr/bin
touch $root/usr/bin/ssh
printf 'Include /etc/ssh/sshd_config.d/*.conf\n' >$root/etc/ssh/sshd_config
printf 'Include /etc/ssh/ssh_config.d/*.conf\n' >$root/etc/ssh/ssh_config
printf '[sshd_config]\nClientAliveInterval = 120\n[ssh_config]\nServerAliveInterval = 60\n' >/var/lib/policy.toml
keepalive --root $root apply >/dev/null
sshd=$root/etc/ssh/sshd_config.d/00-keepalive-policy.conf ssh=$root/etc/ssh/ssh_config.d/00-keepalive-policy.conf
printf '# why\nLogLevel VERBOSE\n' >>$sshd
printf '# why\nForwardAgent no\n' >>$ssh
sed -i s/120/7/ $sshd; sed -i s/60/7/ $ssh
exits 0 keepalive --root $root apply
has "$(cat $sshd)" $'Interval 120\n# why\nLogLevel VERBOSE'
has "$(cat $ssh)" $'Interval 60\n# why\nForwardAgent no'
exits 0 keepalive --root $root restore
is "$(cat $sshd)" $'# why\nLogLevel VERBOSE' sshd
is "$(cat $ssh)" $'# why\nForwardAgent no' ssh
"#);
}

#[test]
fn lines_of_others_in_a_marked_block_stay() {
    run(r#"
root=/var/lib/tree; mkdir -p $root/etc/ssh
printf 'Port 22\nClientAliveInterval 7\n' >$root/etc/ssh/sshd_config
printf '[sshd_config]\nClientAliveInterval = 120\n' >/var/lib/policy.toml
keepalive --root $root apply >/dev/null
sed -i '/^# END keepalive-policy/i # why\nLogLevel VERBOSE' $root/etc/ssh/sshd_config
sed -i 's/ClientAliveInterval 120/ClientAliveInterval 8/' $root/etc/ssh/sshd_config
exits 0 keepalive --root $root apply
has "$(cat $root/etc/ssh/sshd_config)" $'\nLogLevel VERBOSE'
has "$(cat $root/etc/ssh/sshd_config)" '# why'
exits 0 keepalive --root $root restore
is "$(cat $root/etc/ssh/sshd_config)" $'# why\nLogLevel VERBOSE\nPort 22\nClientAliveInterval 7' 'the main file'
"#);
}

#[test]
fn records_of_521f1be_are_read_and_restored_from() {
    run(r#"
root=/var/lib/tree; cp -r "$FIXTURES/521f1be/root" $root
printf '[sysctl]\nnet.ipv4.tcp_keepalive_time = 600\n[sshd_config]\nClientAliveInterval = 120\n' >/var/lib/policy.toml
exits 0 keepalive --root $root check
case $said in *originals.json*) echo "$said"; exit 9 ;; esac
exits 0 keepalive --root $root restore
rm -r $root/var
cp -r "$FIXTURES/521f1be/before" /var/lib/before
find $root /var/lib/before -type d -empty -delete # git keeps none
diff -r /var/lib/before $root
"#);
    run(r#"
mkdir -p $state /run/netns; cp "$FIXTURES/521f1be/live.json" $record
echo 600 >/proc/sys/net/ipv4/tcp_keepalive_time; echo 5 >/proc/sys/net/ipv4/tcp_keepalive_probes
exits 0 keepalive apply
exits 0 keepalive restore
is "$(value time) $(value intvl) $(value probes)" "7200 75 9" values
"#);
}

#[test]
fn fields_of_a_later_release_survive_and_a_later_version_is_kept_aside() {
    run(r#"
mkdir -p $state; cp "$FIXTURES/later/same-version.json" $record
keepalive apply >/dev/null
for text in '"release": "0.9.0"' '"quic": true' '"net.ipv4.tcp_keepalive_user_timeout": 30' '"version": 1' \
    '"first_enforced"' '"net.ipv4.tcp_keepalive_probes": 9'; do has "$(cat $record)" "$text"; done
exits 0 keepalive restore
is "$(value time) $(value probes)" "7200 9" values
has "$(cat $record)" '"quic": true'
cp "$FIXTURES/later/version-99.json" $record
keepalive apply >/dev/null
cmp $state/originals.json.unusable-* "$FIXTURES/later/version-99.json"
exits 0 keepalive check
has "$said" 'of version 99, and this release knows versions up to 1'
"#);
}

#[test]
fn a_status_that_cannot_be_read_is_not_that_of_a_stopped_daemon() {
    for damage in ["{", "{\"version\": 99}", "[]"] {
        run(&format!(
            r#"
mkdir -p /run/keepalive-policy; echo '{damage}' >/run/keepalive-policy/status.json
exits 2 keepalive status
has "$said" /run/keepalive-policy/status.json
exits 0 keepalive restore
"#
        ));
    }
}

#[test]
fn the_fixtures_are_what_they_are_said_to_be() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/records");
    for record in ["521f1be/live.json", "521f1be/root/var/lib/keepalive-policy/originals.json"] {
        assert!(!fs::read_to_string(fixtures.join(record)).unwrap().contains("version"));
    }
}
