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
use keepalive_policy::sysctl::live::named::Named;
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
    Originals::load_usable(&Host::live()).unwrap().live
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
fn a_value_that_was_right_from_the_start_is_put_back_and_not_its_drift() {
    inside("a_value_that_was_right_from_the_start_is_put_back_and_not_its_drift", "", || {
        let live = Live::default();
        for (key, number) in ALL {
            set(key, number.into());
        }
        let audited = reconcile(&live, &Host::live(), &desired(&ALL), Mode::Audit);
        assert!(audited.in_force(), "{audited:?}");
        assert!(recorded().is_empty(), "an audit records nothing");
        assert!(enforce(&live, &desired(&ALL)).outcomes.is_empty());
        set(Key::KeepaliveProbes, 3);
        assert!(enforce(&live, &desired(&ALL)).in_force());
        assert_eq!(value(Key::KeepaliveProbes), 5);
        assert!(enforce(&live, &Desired::default()).in_force());
        assert_eq!(ALL.map(|(key, _)| value(key)), [600, 60, 5]);
        assert!(recorded().is_empty());
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
        let found: Vec<String> = environment(&Host::live(), &desired(&ALL))
            .into_iter()
            .map(|problem| problem.message)
            .collect();
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
        let found = environment(&Host::live(), &desired(&ALL));
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].severity, Severity::Blocked);
        assert!(found[0].message.contains("PrivateNetwork="), "{found:?}");
    });
}

/// All that is wrong, less the network namespace that every test here has for itself.
fn found_wrong() -> Vec<String> {
    let problems = environment(&Host::live(), &desired(&ALL)).into_iter().skip(1);
    problems.map(|problem| problem.message).collect()
}

#[test]
fn a_user_who_may_not_write_is_noticed() {
    let setup = r#"set -- setpriv --reuid=65534 --clear-groups "$@""#;
    inside("a_user_who_may_not_write_is_noticed", setup, || {
        let found = found_wrong();
        assert!(found.len() == 1 && found[0].contains("User="), "{found:?}");
    });
}

#[test]
fn a_proc_sys_that_is_hidden_is_noticed_only_where_it_matters() {
    let setup = "mount -t proc -o subset=pid proc /proc";
    inside("a_proc_sys_that_is_hidden_is_noticed_only_where_it_matters", setup, || {
        let found = found_wrong();
        assert!(found.len() == 1 && found[0].contains("ProcSubset=pid"), "{found:?}");
        assert_eq!(environment(&Host::live(), &Desired::default()).len(), 1);
    });
}

#[test]
fn a_tree_has_no_live_values() {
    let tree = tempfile::tempdir().unwrap();
    let report = reconcile(&Live::default(), &Host::at(tree.path()), &desired(&ALL), Mode::Enforce);
    assert!(report.settings.is_empty() && report.outcomes.is_empty() && report.in_force());
    assert_eq!(environment(&Host::at(tree.path()), &desired(&ALL)), []);
}

#[test]
fn a_damaged_record_stops_no_write() {
    let setup =
        "mkdir /var/lib/keepalive-policy; echo '{' >/var/lib/keepalive-policy/originals.json";
    inside("a_damaged_record_stops_no_write", setup, || {
        let live = Live::default();
        assert!(enforce(&live, &desired(&ALL[..2])).in_force());
        assert_eq!(ALL.map(|(key, _)| value(key)), [600, 60, 9]);
        // What was there when the record was lost may have been ours already; what is declared later
        // is found as it was.
        assert!(enforce(&live, &desired(&ALL)).in_force());
        assert_eq!(recorded(), BTreeMap::from([(Key::KeepaliveProbes.name().to_owned(), 9)]));
        let report = enforce(&live, &Desired::default());
        assert!(report.outcomes[0].action.contains("stays 600: what it was before"), "{report:?}");
        assert_eq!(ALL.map(|(key, _)| value(key)), [600, 60, 9]);
    });
}

#[test]
fn a_record_that_is_damaged_while_we_run_is_written_anew_from_what_we_know() {
    let name = "a_record_that_is_damaged_while_we_run_is_written_anew_from_what_we_know";
    inside(name, "", || {
        let live = Live::default();
        assert!(enforce(&live, &desired(&ALL)).in_force());
        for damage in ["[]", "{\"version\": 99}"] {
            std::fs::write(Originals::path(&Host::live()), damage).unwrap();
            set(Key::KeepaliveTime, 7);
            assert!(enforce(&live, &desired(&ALL)).in_force());
            assert_eq!(recorded().into_values().collect::<Vec<_>>(), [75, 9, 7200], "{damage}");
        }
        std::fs::remove_dir_all("/var/lib/keepalive-policy").unwrap();
        assert!(enforce(&live, &desired(&ALL)).in_force());
        assert_eq!(recorded().into_values().collect::<Vec<_>>(), [75, 9, 7200]);
        assert!(enforce(&live, &Desired::default()).in_force());
        assert_eq!(ALL.map(|(key, _)| value(key)), [7200, 75, 9]);
    });
}

#[test]
fn harmful_values_that_were_found_are_never_put_back() {
    inside("harmful_values_that_were_found_are_never_put_back", "", || {
        set(Key::KeepaliveTime, 0);
        let live = Live::default();
        assert!(enforce(&live, &desired(&ALL)).in_force());
        assert_eq!(recorded().len(), 2);
        let report = enforce(&live, &Desired::default());
        let said = "net.ipv4.tcp_keepalive_time: stays 600: it was 0 before the policy";
        assert!(report.outcomes.iter().any(|one| one.action.starts_with(said)), "{report:?}");
        assert_eq!(ALL.map(|(key, _)| value(key)), [600, 75, 9]);
        assert!(enforce(&live, &Desired::default()).outcomes.is_empty());
    });
}

#[test]
fn values_are_corrected_where_nothing_can_be_recorded_and_recorded_later() {
    // The lock file can be opened there, and nothing else be written.
    let setup = "mkdir /var/lib/keepalive-policy; cd /var/lib/keepalive-policy; \
        touch sysctl-live.lock; mkdir originals.lock";
    let name = "values_are_corrected_where_nothing_can_be_recorded_and_recorded_later";
    inside(name, setup, || {
        let live = Live::default();
        let report = enforce(&live, &desired(&ALL));
        assert!(report.in_force(), "{report:?}");
        assert!(report.problems[0].message.contains("can't be recorded"), "{report:?}");
        std::fs::remove_dir("/var/lib/keepalive-policy/originals.lock").unwrap();
        assert!(enforce(&live, &desired(&ALL)).in_force());
        assert_eq!(recorded().into_values().collect::<Vec<_>>(), [75, 9, 7200]);
    });
}

/// Two names below /run/netns, one that stands for nothing, and one for where we are.
const NAMED: &str = "mkdir -p /run/netns; mount -t tmpfs tmpfs /run/netns; cd /run/netns; \
    touch blue red stub here; unshare --net=/run/netns/blue true; unshare --net=/run/netns/red true; \
    mount --bind /proc/self/ns/net here";

fn in_namespace(name: &str, script: &str) -> String {
    let path = format!("--net=/run/netns/{name}");
    let output = Host::run("nsenter".as_ref(), [&path, "sh", "-ec", script], LIMIT).unwrap();
    assert!(output.success(), "{}", output.complaint());
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn contexts(report: &Report) -> Vec<String> {
    report.settings.iter().map(|row| format!("{} {}", row.context, row.compliant)).collect()
}

#[test]
fn named_namespaces_are_kept_and_put_back() {
    inside("named_namespaces_are_kept_and_put_back", NAMED, || {
        let (named, host) = (Named::default(), Host::live());
        let time = desired(&ALL[..1]);
        let found = reconcile(&named, &host, &time, Mode::Audit);
        assert_eq!(contexts(&found), ["netns blue false", "netns red false"]);
        let report = reconcile(&named, &host, &time, Mode::Enforce);
        assert!(report.in_force(), "{report:?}");
        assert_eq!(contexts(&report), ["netns blue true", "netns red true"]);
        let read = "cat /proc/sys/net/ipv4/tcp_keepalive_time";
        assert_eq!(in_namespace("blue", read), "600");
        assert_eq!((in_namespace("red", read).as_str(), value(Key::KeepaliveTime)), ("600", 7200));
        in_namespace("red", "echo 8 >/proc/sys/net/ipv4/tcp_keepalive_time");
        let report = reconcile(&named, &host, &time, Mode::Enforce);
        let action = "set net.ipv4.tcp_keepalive_time = 600 in netns red";
        assert_eq!((report.outcomes.len(), report.outcomes[0].action.as_str()), (1, action));
        // Another process, as after a restart.
        let report = reconcile(&Named::default(), &host, &Desired::default(), Mode::Enforce);
        assert!(report.in_force() && report.outcomes.len() == 2, "{report:?}");
        assert_eq!(in_namespace("red", read), "7200");
        assert!(Originals::load_usable(&host).unwrap().namespaces.is_empty());
    });
}

#[test]
fn a_namespace_made_anew_under_the_same_name_is_entered_anew() {
    inside("a_namespace_made_anew_under_the_same_name_is_entered_anew", NAMED, || {
        let (named, host, time) = (Named::default(), Host::live(), desired(&ALL[..1]));
        assert!(reconcile(&named, &host, &time, Mode::Enforce).in_force());
        for _ in 0..5 {
            let script = "umount /run/netns/blue; unshare --net=/run/netns/blue true";
            let made = Host::run("sh".as_ref(), ["-ec", script], LIMIT).unwrap();
            assert!(made.success(), "{}", made.complaint());
            let report = reconcile(&named, &host, &time, Mode::Enforce);
            assert!(report.in_force() && report.outcomes.len() == 1, "{report:?}");
        }
    });
}

const POWERLESS: &str = r#"set -- setpriv --bounding-set=-sys_admin --inh-caps=-sys_admin "$@""#;

#[test]
fn without_the_capability_namespaces_are_one_notice() {
    let setup = format!("{NAMED}\n{POWERLESS}");
    inside("without_the_capability_namespaces_are_one_notice", &setup, || {
        let report = reconcile(&Named::default(), &Host::live(), &desired(&ALL), Mode::Enforce);
        assert!(report.in_force() && report.settings.is_empty(), "{report:?}");
        assert_eq!(report.problems.len(), 1);
        assert_eq!(report.problems[0].severity, Severity::Notice);
        assert!(report.problems[0].message.contains("CAP_SYS_ADMIN"));
    });
}
