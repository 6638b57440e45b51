//! The live values of the real kernel, in a network namespace that each test has for itself.
//!
//! A test starts itself again below `unshare`, so that this machine's own values are never touched.
//! Needs root, and fails without it.

#![expect(clippy::unwrap_used, reason = "a test is no library, and its panics are findings")]

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;

use keepalive_policy::host::Host;
use keepalive_policy::originals::Originals;
use keepalive_policy::reconcile::{Mode, Report, Resource, Severity, reconcile};
use keepalive_policy::sysctl::live::{Live, environment};
use keepalive_policy::sysctl::{Desired, Key};

const INSIDE: &str = "KEEPALIVE_TEST_INSIDE";

/// Runs `body` in a network and mount namespace, with an empty state directory and after `setup`
/// in a shell. `name` is the test's own name.
#[expect(clippy::disallowed_methods, reason = "the test starts itself")]
fn inside(name: &str, setup: &str, body: impl FnOnce()) {
    if std::env::var_os(INSIDE).is_some() {
        return body();
    }
    let script = format!("mount -t tmpfs tmpfs /var/lib; {setup}\nexec \"$@\"");
    let output = std::process::Command::new("unshare")
        .args(["--net", "--mount", "--propagation", "private", "sh", "-ec", &script, "sh"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

fn desired(values: &[(Key, u32)]) -> Desired {
    Desired { values: values.iter().copied().collect() }
}

fn path(key: Key) -> String {
    format!("/proc/sys/{}", key.name().replace('.', "/"))
}

fn value(key: Key) -> i64 {
    std::fs::read_to_string(path(key)).unwrap().trim().parse().unwrap()
}

fn set(key: Key, value: i64) {
    let mut file = std::fs::OpenOptions::new().write(true).open(path(key)).unwrap();
    std::io::Write::write_all(&mut file, format!("{value}\n").as_bytes()).unwrap();
}

fn enforce(live: &Live, desired: &Desired) -> Report {
    reconcile(live, &Host::live(), desired, Mode::Enforce)
}

fn recorded() -> BTreeMap<String, i64> {
    Originals::load(&Host::live()).unwrap().live
}

const ALL: [(Key, u32); 3] =
    [(Key::KeepaliveTime, 600), (Key::KeepaliveIntvl, 60), (Key::KeepaliveProbes, 5)];

#[test]
fn drift_is_undone_and_the_first_value_found_is_kept() {
    inside("drift_is_undone_and_the_first_value_found_is_kept", "", || {
        let live = Live::default();
        let report = enforce(&live, &desired(&ALL));
        assert!(report.in_force(), "{report:?}");
        assert_eq!(report.outcomes.len(), 3);
        assert_eq!(ALL.map(|(key, _)| value(key)), [600, 60, 5]);
        assert!(enforce(&live, &desired(&ALL)).outcomes.is_empty());
        set(Key::KeepaliveTime, 60);
        let report = enforce(&live, &desired(&ALL));
        assert_eq!(report.outcomes[0].action, "set net.ipv4.tcp_keepalive_time = 600");
        assert_eq!(value(Key::KeepaliveTime), 600);
        assert_eq!(recorded().into_values().collect::<Vec<_>>(), [75, 9, 7200]);
    });
}

#[test]
fn a_key_that_leaves_the_policy_gets_its_value_back() {
    inside("a_key_that_leaves_the_policy_gets_its_value_back", "", || {
        set(Key::KeepaliveProbes, 4);
        enforce(&Live::default(), &desired(&ALL));
        // Another process, as after a restart.
        let live = Live::default();
        let report = enforce(&live, &desired(&ALL[..2]));
        assert!(report.in_force(), "{report:?}");
        assert_eq!(report.settings.len(), 2);
        assert_eq!(report.outcomes[0].action, "put back net.ipv4.tcp_keepalive_probes = 4");
        assert_eq!(value(Key::KeepaliveProbes), 4);
        assert_eq!(recorded().len(), 2);
        assert!(enforce(&live, &Desired::default()).in_force());
        assert_eq!(ALL.map(|(key, _)| value(key)), [7200, 75, 4]);
        assert!(recorded().is_empty());
        set(Key::KeepaliveTime, 11);
        assert!(enforce(&live, &Desired::default()).outcomes.is_empty());
    });
}

#[test]
fn the_inode_stays_while_a_look_is_kept() {
    inside("the_inode_stays_while_a_look_is_kept", "", || {
        let live = Live::default();
        live.observe(&Host::live()).unwrap();
        let inodes = || Key::ALL.map(|key| std::fs::metadata(path(key)).unwrap().ino());
        let before = inodes();
        for _ in 0..3 {
            // Without a descriptor that pins them, the inodes would be made anew.
            std::fs::OpenOptions::new()
                .write(true)
                .open("/proc/sys/vm/drop_caches")
                .and_then(|mut file| std::io::Write::write_all(&mut file, b"2"))
                .unwrap();
            assert_eq!(inodes(), before);
        }
    });
}

#[test]
fn another_mount_over_proc_is_noticed() {
    inside("another_mount_over_proc_is_noticed", "", || {
        let live = Live::default();
        enforce(&live, &desired(&ALL));
        let mounted = Host::run("mount".as_ref(), ["-t", "proc", "proc", "/proc"], LIMIT).unwrap();
        assert!(mounted.success(), "{}", mounted.complaint());
        set(Key::KeepaliveIntvl, 8);
        assert!(enforce(&live, &desired(&ALL)).in_force());
        assert_eq!(value(Key::KeepaliveIntvl), 60);
    });
}

const LIMIT: std::time::Duration = std::time::Duration::from_secs(10);
const READ_ONLY: &str = "mount --bind /proc/sys /proc/sys; mount -o remount,bind,ro /proc/sys";

#[test]
fn a_read_only_proc_sys_is_named_with_its_directive() {
    inside("a_read_only_proc_sys_is_named_with_its_directive", READ_ONLY, || {
        let report = enforce(&Live::default(), &desired(&ALL[..1]));
        assert!(!report.in_force());
        let error = report.outcomes[0].error.as_ref().unwrap();
        assert!(
            error.starts_with("/proc/sys/net/ipv4/tcp_keepalive_time cannot be written (Read-only")
                && error.contains("ProtectKernelTunables=yes"),
            "{error}"
        );
        assert_eq!(report.settings[0].effective.unwrap().to_string(), "7200");
        let found: Vec<String> =
            environment(&Host::live()).into_iter().map(|problem| problem.message).collect();
        assert!(found.iter().any(|message| message.contains("read-only")), "{found:?}");
    });
}

const NO_SYS: &str = "mount -t tmpfs tmpfs /proc/sys/net/ipv4";

#[test]
fn a_setting_that_is_not_there_is_an_error_and_no_drift() {
    inside("a_setting_that_is_not_there_is_an_error_and_no_drift", NO_SYS, || {
        let report = enforce(&Live::default(), &desired(&ALL[..1]));
        assert!(report.blocked());
        assert!(report.outcomes.is_empty());
        assert_eq!(report.settings[0].effective, None);
        let message = &report.problems[0].message;
        assert!(message.contains("the kernel has no such setting here"), "{message}");
    });
}

#[test]
fn a_private_network_namespace_is_noticed() {
    inside("a_private_network_namespace_is_noticed", "", || {
        let found = environment(&Host::live());
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].severity, Severity::Conflict);
        assert!(found[0].message.contains("PrivateNetwork="), "{found:?}");
    });
}

#[test]
fn a_tree_has_no_live_values() {
    let tree = tempfile::tempdir().unwrap();
    let report = reconcile(&Live::default(), &Host::at(tree.path()), &desired(&ALL), Mode::Enforce);
    assert!(report.settings.is_empty() && report.outcomes.is_empty() && report.in_force());
    assert_eq!(environment(&Host::at(tree.path())), []);
}

#[test]
fn a_damaged_record_stops_every_write() {
    let setup =
        "mkdir /var/lib/keepalive-policy; echo '{' >/var/lib/keepalive-policy/originals.json";
    inside("a_damaged_record_stops_every_write", setup, || {
        let report = enforce(&Live::default(), &desired(&ALL));
        assert!(report.blocked() && report.outcomes.is_empty(), "{report:?}");
        assert_eq!(report.settings.len(), 3);
        assert_eq!(value(Key::KeepaliveTime), 7200);
    });
}
